"""Outcomes as they are handed in: read, checked, and kept as a file of their own.

A record is refused with its line and its reason and set apart; the others are kept. Nothing that
was kept is ever edited: a correction is a record of its own. Called by `cli.feedback.add`.
"""

import csv
import dataclasses
import datetime
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.privacy import WITHHELD
from fareline.files import written_beside
from fareline.kinds import FLOAT, INT, STRING, fits_int64
from fareline.prediction_ids import IdMaker
from fareline.recorded.feedback import PROCESS, SOURCES, Outcome
from monitoring.feedback.folders import FeedbackFolder

ANY = "any"  # kind of a label whose values are not known
NOT_JSON, UNKNOWN_FIELD, NO_PREDICTION = "not_json", "unknown_field", "no_prediction"
NO_TIME, WRONG_TYPE, UNKNOWN_SOURCE = "no_time", "wrong_type", "unknown_source"
_FIELDS = ("prediction_id", "entity", "event_time", "arrival_time", "value", "source")
_EXPECTED = {
    INT: "a whole number",
    FLOAT: "a finite number",
    STRING: "a text",
    ANY: "a number or a text",
}
_SHOWN = 80  # characters of a value in a message
SCHEMA = pa.schema(
    [
        ("prediction_id", pa.string()),
        ("entity", pa.string()),
        ("event_ms", pa.int64()),
        ("arrival_ms", pa.int64()),
        ("value", pa.string()),
        ("source", pa.string()),
    ]
)


class RefusedOutcome(ValueError):
    """A record that is no outcome.

    Attributes:
        reason: In one word, to be counted.
    """

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


@dataclasses.dataclass(frozen=True)
class Expected:
    """The expected form of a record.

    Attributes:
        kind: Kind of the values: `int`, `float`, `string` or `any`.
        now_ms: When the records arrived, where they do not say it.
        pseudonym: Function for the pseudonym of an entity; None: entities are kept.
    """

    kind: str
    now_ms: int
    pseudonym: Callable[[bytes], bytes] | None = None


@dataclasses.dataclass(frozen=True)
class Added:
    """The treatment of the records.

    Attributes:
        kept: Number of kept records.
        refused: Reason to number.
        first: Reasons for the first of these, each with its line.
        file: File of the kept records; None if no record was kept.
        set_apart: File of those refused; None if none was.
    """

    kept: int
    refused: Mapping[str, int]
    first: tuple[str, ...]
    file: Path | None
    set_apart: Path | None


def read_json_lines(lines: Iterable[str]) -> Iterator[tuple[int, str, Any]]:
    """Yields line number, text and content; of a line that is no JSON the content is None."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, line, json.loads(line)
            except (ValueError, RecursionError):
                yield number, line, None


def read_csv(lines: Iterable[str]) -> Iterator[tuple[int, str, Any]]:
    """Like `read_json_lines`, for CSV with a header; empty cells are left out."""
    reader = csv.DictReader(lines, restkey="cells beyond the header")
    for row in reader:
        content = {name: value for name, value in row.items() if value not in ("", None)}
        yield reader.line_num, json.dumps(content, ensure_ascii=False), content


def parse_outcome(content: Any, expected: Expected) -> Outcome:
    """Reads a record.

    Args:
        content: Content, as JSON has it.
        expected: Expected form.

    Raises:
        RefusedOutcome: The record is not an outcome.
    """
    if not isinstance(content, Mapping):
        raise RefusedOutcome(NOT_JSON, "no JSON object; expected one record on the line")
    if unknown := [name for name in content if name not in _FIELDS]:
        known = ", ".join(_FIELDS)
        raise RefusedOutcome(UNKNOWN_FIELD, f"{unknown[0]!r:.{_SHOWN}}; expected some of {known}")
    event = _milliseconds("event_time", content.get("event_time"))
    arrival = _milliseconds("arrival_time", content.get("arrival_time"))
    prediction_id, entity = content.get("prediction_id"), content.get("entity")
    if prediction_id is not None and not (isinstance(prediction_id, str) and prediction_id):
        raise RefusedOutcome(NO_PREDICTION, f"prediction_id: {prediction_id!r:.{_SHOWN}}; a text")
    if prediction_id is None and (entity is None or event is None):
        what = "neither prediction_id, nor entity with event_time; expected one of both"
        raise RefusedOutcome(NO_PREDICTION, what)
    source = content.get("source", PROCESS)
    if source not in SOURCES:
        known = ", ".join(SOURCES)
        raise RefusedOutcome(
            UNKNOWN_SOURCE, f"source: {source!r:.{_SHOWN}}; expected one of {known}"
        )
    arrival = expected.now_ms if arrival is None else arrival
    return Outcome(
        prediction_id=prediction_id,
        entity=_entity(entity, expected),
        event_ms=arrival if event is None else event,
        arrival_ms=arrival,
        value=value_text(content.get("value"), expected.kind),
        source=source,
    )


def _entity(entity: Any, expected: Expected) -> str | None:
    if entity is None or expected.pseudonym is None:
        return None if entity is None else str(entity)
    return expected.pseudonym(str(entity).encode()).decode()


def _milliseconds(name: str, value: Any) -> int | None:
    """Seconds since 1970, or ISO 8601, UTC where it names no zone."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            when = datetime.datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
        except ValueError:
            pass
        else:
            when = when if when.tzinfo else when.replace(tzinfo=datetime.timezone.utc)
            return round(when.timestamp() * 1000)
    number = _number(value)
    if number is None or not 0 <= number < 2**36:
        shown = f"{name}: {value!r:.{_SHOWN}}"
        raise RefusedOutcome(NO_TIME, f"{shown}; expected ISO 8601, or seconds since 1970")
    return round(number * 1000)


def _number(value: Any) -> int | float | None:
    """A finite number, also from the text of one, as CSV has it; else None."""
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None


def value_text(value: Any, kind: str) -> str:
    """A value as the JSON text by which two of them are compared.

    Args:
        value: Value, as JSON or CSV has it.
        kind: `int`, `float`, `string` or `any`.

    Raises:
        RefusedOutcome: The value is of another kind.
    """
    number = _number(value)
    if kind == ANY:
        kind = STRING if isinstance(value, str) else FLOAT if isinstance(value, float) else INT
    if kind == FLOAT and number is not None:
        return json.dumps(float(number))
    if kind == INT and number is not None and number == int(number) and fits_int64(number):
        return json.dumps(int(number))
    if kind == STRING and isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    raise RefusedOutcome(WRONG_TYPE, f"value: {value!r:.{_SHOWN}}; expected {_EXPECTED[kind]}")


def add_outcomes(
    records: Iterable[tuple[int, str, Any]], expected: Expected, folder: FeedbackFolder
) -> Added:
    """Stores outcomes in a file of their own, and sets invalid records apart.

    Args:
        records: From `read_json_lines` or `read_csv`.
        expected: Expected form.
        folder: Where to.
    """
    kept: list[Outcome] = []
    bad: list[dict[str, Any]] = []
    for line, text, content in records:
        try:
            kept.append(parse_outcome(content, expected))
        except RefusedOutcome as error:
            row = text if expected.pseudonym is None else WITHHELD
            bad.append({"line": line, "reason": error.reason, "message": str(error), "row": row})
    name = IdMaker().make()
    file = folder.outcomes / f"{name}.parquet" if kept else None
    apart = folder.set_apart / f"{name}.jsonl" if bad else None
    if file is not None:
        write_outcomes(file, kept)
    if apart is not None:
        apart.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(apart) as part, part.open("w", encoding="utf-8") as lines:
            lines.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in bad)
    first = tuple(f"line {each['line']}: {each['message']}" for each in bad[:5])
    reasons = Counter(each["reason"] for each in bad)
    return Added(len(kept), dict(sorted(reasons.items())), first, file, apart)


def write_outcomes(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Writes a file of outcomes, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [tuple(vars(outcome).values()) for outcome in outcomes]
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    arrays = [pa.array(c, field.type) for c, field in zip(columns, SCHEMA, strict=True)]
    with written_beside(path) as part:
        pq.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA), part)
