"""Artifact types that TFX lacks: decisions about anomalies, and drift of data.

Imports TFX. In a specification the name of a type is the path by which a container imports it, with
one dot: that is why `pipeline` gives them as attributes.
"""

from tfx.types.artifact import Artifact

DECISIONS_FILE = "decisions.json"


class DataDecision(Artifact):
    """Decisions on the anomalies of one set of Examples.

    Custom properties: `stops` and `anomalies`, counts; `decisions`, a JSON list of
    `schema.gate.decide.Decision`. The file `decisions.json` holds the list as well.
    """

    TYPE_NAME = "pipeline.DataDecision"


DRIFT_FILE = "drift.json"


class DataDrift(Artifact):
    """The comparison of Examples with the previous Examples, and with a serving sample.

    The file `drift.json` holds every measure of every column. Custom properties: the counts STOPS,
    RETUNES, WARNS, and what else `fareline.recorded` names.
    """

    TYPE_NAME = "pipeline.DataDrift"


# Custom properties: how many columns have drifted whose policy is to stop, to retune, to warn.
STOPS, RETUNES, WARNS = "stops", "retunes", "warns"
