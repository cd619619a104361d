"""DataDecision: the artifact that says what became of each anomaly.

Imports TFX. In a specification the name of the type is the path by which a container imports it,
with one dot: that is why `pipeline` gives it as an attribute.
"""

from tfx.types.artifact import Artifact

DECISIONS_FILE = "decisions.json"


class DataDecision(Artifact):
    """Decisions on the anomalies of one set of Examples.

    Custom properties: `stops` and `anomalies`, counts; `decisions`, a JSON list of
    `schema.gate.Decision`. The file `decisions.json` holds the list as well.
    """

    TYPE_NAME = "pipeline.DataDecision"
