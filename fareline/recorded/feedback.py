"""What the feedback loop writes down: a prediction that was logged, an outcome, a sealed span.

`serving` writes the first, `monitoring.feedback` the other two; `lineage` reads the last.
"""

import dataclasses
import json
from typing import Any

PROCESS, HUMAN, CORRECTION = "process", "human", "correction"
SOURCES = (PROCESS, HUMAN, CORRECTION)


@dataclasses.dataclass(frozen=True)
class LoggedPrediction:
    """A row that was answered, as a line of the prediction log.

    Attributes:
        id: Of the prediction; sorts by time.
        time: Of the answer, UTC, ISO 8601 with milliseconds.
        model: Name under which it was served.
        version: Its number.
        sha256: Of the version's folder, as of a PushedModel; empty if it is not known.
        protocol: `grpc`, `rest`, `batch`, or `tensorflow_serving` of its own logs.
        weight: For how many rows this one stands: 1 / the share that is logged.
        score: What was answered: a value, a list, or an object of several outputs.
        features: As they were served.
        entity: Whom or what the row is about, as the settings name it; None if they do not.
    """

    id: str
    time: str
    model: str
    version: int
    sha256: str
    protocol: str
    weight: float
    score: Any
    features: dict[str, Any]
    entity: str | None = None

    def line(self) -> str:
        """One line of JSON, with its end; without an entity where there is none."""
        content = dict(vars(self))
        if self.entity is None:
            del content["entity"]
        return json.dumps(content, allow_nan=False) + "\n"
