"""DataDrift: the artifact that says how data differs from the data before it, and from serving.

Imports TFX. `pipeline` gives it as an attribute; see `pipeline.artifacts`.
"""

from tfx.types.artifact import Artifact

DRIFT_FILE = "drift.json"
# Custom properties: how many columns have drifted whose policy is to stop, to retune, to warn.
STOPS, RETUNES, WARNS = "stops", "retunes", "warns"


class DataDrift(Artifact):
    """What came of comparing one set of Examples with the one before, and with a serving sample.

    The file `drift.json` holds every measure of every column. Custom properties: the counts STOPS,
    RETUNES, WARNS, and what else `lineage.recorded` names.
    """

    TYPE_NAME = "pipeline.DataDrift"
