"""Records of the feedback loop: a logged prediction, an outcome, a sealed span.

`serving` writes the first, `monitoring.feedback` the other two; `lineage` reads the last.
"""

import dataclasses
import json
from typing import Any

PROCESS, HUMAN, CORRECTION = "process", "human", "correction"
SOURCES = (PROCESS, HUMAN, CORRECTION)


@dataclasses.dataclass(frozen=True)
class LoggedPrediction:
    """An answered row, as a line of the prediction log.

    Attributes:
        id: Id of the prediction; sorts by time.
        time: Time of the answer, UTC, ISO 8601 with milliseconds.
        model: Name under which it was served.
        version: Its number.
        sha256: SHA-256 of the version's folder, as of a PushedModel; empty if it is not known.
        protocol: `grpc`, `rest`, `batch`, or `tensorflow_serving` of its own logs.
        weight: Number of rows that this row represents: 1 / the share that is logged.
        score: The answer: a value, a list, or an object of several outputs.
        features: Features, as they were served.
        entity: The person or thing that the row is about, per the settings; None without one.
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
        """One line of JSON with its line end; the entity is left out if there is none."""
        content = dict(vars(self))
        if self.entity is None:
            del content["entity"]
        return json.dumps(content, allow_nan=False) + "\n"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The true outcome of a prediction.

    Attributes:
        prediction_id: Id of the prediction; None if `entity` and `event_ms` identify the
            prediction.
        entity: The person or thing that the outcome is about, as the log names it.
        event_ms: Time of the event, milliseconds since 1970, UTC.
        arrival_ms: Time of arrival, milliseconds since 1970, UTC.
        value: Value of the label's column, as JSON text.
        source: One of `SOURCES`.
    """

    prediction_id: str | None
    entity: str | None
    event_ms: int
    arrival_ms: int
    value: str
    source: str


@dataclasses.dataclass(frozen=True)
class Delay:
    """Share of a span's outcomes that had arrived within a time after their predictions.

    Attributes:
        hours: Since the prediction.
        arrived: Outcomes.
        of_labels: Share of the outcomes that have arrived by now; 0 if there are none.
        of_predictions: Share of all predictions of the span.
    """

    hours: float
    arrived: int
    of_labels: float
    of_predictions: float


@dataclasses.dataclass(frozen=True)
class Answered:
    """A version of a model that answered predictions of a span.

    Attributes:
        model: Name under which it was served.
        version: Its number.
        sha256: SHA-256 of the version's folder; empty if it is not known.
        predictions: Number of predictions in the span.
    """

    model: str
    version: int
    sha256: str
    predictions: int


@dataclasses.dataclass(frozen=True)
class SealedSpan:
    """Content of the file `span.json` of a sealed span; a version of a span never changes.

    Attributes:
        span: Its number, from 1.
        version: Version number, from 1.
        as_of_ms: Later arrivals are ignored; milliseconds since 1970.
        after_ms: Its predictions were made after this time,
        until_ms: and not after this one.
        wait_hours: Longest delay of an outcome.
        label: Column that the outcomes are values of.
        expired: Value of that column without an outcome, as JSON text; None: the row is left out.
        predictions: Number of predictions.
        states: State to number of predictions.
        rows: Number of rows that have a label, which `rows.parquet` holds.
        delays: The delay curve.
        answered: Versions that answered.
        first_id: The lowest prediction id,
        last_id: and the highest.
        sha256: File to its SHA-256.
        log_files: Names of the files of the log that its predictions are from.
    """

    span: int
    version: int
    as_of_ms: int
    after_ms: int
    until_ms: int
    wait_hours: float
    label: str
    expired: str | None
    predictions: int
    states: dict[str, int]
    rows: int
    delays: list[Delay]
    answered: list[Answered]
    first_id: str
    last_id: str
    sha256: dict[str, str]
    log_files: list[str]

    def text(self) -> str:
        """The content of the file."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n"
