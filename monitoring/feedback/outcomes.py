"""Reads and checks added outcomes, and stores them in a file of their own.

A record is refused with its line and its reason and set apart; the others are kept. Nothing that
was kept is ever edited: a correction is a record of its own. Called by `cli.feedback.add`.
"""

import csv
import dataclasses
import hashlib
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
from lineage.text.times import read_time
from monitoring.feedback.folders import FeedbackFolder

ANY = "any"  # kind of a label whose values are not known
NOT_JSON, NOT_CSV, NOT_UNICODE = "not_json", "not_csv", "not_unicode"
UNKNOWN_FIELD, REPEATED_FIELD, NO_PREDICTION = "unknown_field", "repeated_field", "no_prediction"
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
        reason: One word, which is counted.
        without_value: The message, without anything that the record holds.
    """

    def __init__(self, reason: str, what: str, expected: str, *found: Any):
        """Builds it.

        Args:
            reason: In one word.
            what: What is wrong, or the field in which it is.
            expected: In its place.
            found: What the record holds there.
        """
        shown = "".join(f": {each!r:.{_SHOWN}}" for each in found)
        super().__init__(f"{what}{shown}; expected {expected}")
        self.reason = reason
        self.without_value = f"{what}; expected {expected}"


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
        is_again: Whether the file has them from before, so that nothing was kept now.
    """

    kept: int
    refused: Mapping[str, int]
    first: tuple[str, ...]
    file: Path | None
    set_apart: Path | None
    is_again: bool = False


def read_json_lines(lines: Iterable[str]) -> Iterator[tuple[int, str, Any]]:
    """Yields line number, text and content; of a line that is no JSON a `RefusedOutcome`."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                content = json.loads(line, object_pairs_hook=_distinct)
            except RefusedOutcome as error:
                content = error
            except (ValueError, RecursionError):
                content = None
            yield number, line, content


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; refuses one that has a name twice, of which either may be meant."""
    _require_distinct([name for name, _ in pairs])
    return dict(pairs)


def _require_distinct(names: list[str]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise RefusedOutcome(REPEATED_FIELD, "a field is there twice", "it once", twice)


def read_csv(lines: Iterable[str]) -> Iterator[tuple[int, str, Any]]:
    """Like `read_json_lines`, for CSV with a header; empty cells are left out."""
    read: list[str] = []  # lines of the current row
    reader = csv.reader((read.append(line) or line for line in lines), strict=True)
    header: list[str] = []
    while True:
        read.clear()
        try:
            row = next(reader, None)
        except csv.Error as error:
            what = f"no row of a CSV ({error})"
            expected = "a quote that ends, and cells of a usual length"
            yield reader.line_num, "".join(read), RefusedOutcome(NOT_CSV, what, expected)
            continue
        if row is None:
            return
        if row and not header:
            header = row
        elif row:
            yield reader.line_num, *_read_cells(header, row)


def _read_cells(header: list[str], row: list[str]) -> tuple[str, Any]:
    pairs = [*zip(header, row, strict=False)]
    if beyond := row[len(header) :]:
        pairs.append(("cells beyond the header", ", ".join(beyond)))
    pairs = [(name, value) for name, value in pairs if value]
    text = json.dumps(dict(pairs), ensure_ascii=False)
    try:
        _require_distinct([name for name, _ in pairs])
    except RefusedOutcome as error:
        return json.dumps(pairs, ensure_ascii=False), error
    return text, dict(pairs)


def parse_outcome(content: Any, expected: Expected) -> Outcome:
    """Reads a record.

    Args:
        content: Content, as JSON has it.
        expected: Expected form.

    Raises:
        RefusedOutcome: The record is not an outcome.
    """
    if isinstance(content, RefusedOutcome):
        raise content
    if not isinstance(content, Mapping):
        raise RefusedOutcome(NOT_JSON, "no JSON object", "one record on the line")
    _require_fields(content)
    prediction_id = content.get("prediction_id")
    if prediction_id is not None and not (isinstance(prediction_id, str) and prediction_id):
        raise RefusedOutcome(NO_PREDICTION, "prediction_id", "a text", prediction_id)
    entity = _entity(content.get("entity"), expected)
    event = _milliseconds("event_time", content.get("event_time"))
    arrival = _milliseconds("arrival_time", content.get("arrival_time"))
    if prediction_id is None and (entity is None or event is None):
        what = "neither prediction_id, nor entity with event_time"
        raise RefusedOutcome(NO_PREDICTION, what, "one of both")
    source = PROCESS if content.get("source") is None else content["source"]
    if source not in SOURCES:
        raise RefusedOutcome(UNKNOWN_SOURCE, "source", f"one of {', '.join(SOURCES)}", source)
    arrival = expected.now_ms if arrival is None else arrival
    return Outcome(
        prediction_id=prediction_id,
        entity=entity,
        event_ms=arrival if event is None else event,
        arrival_ms=arrival,
        value=value_text(content.get("value"), expected.kind),
        source=source,
    )


def _require_fields(content: Mapping[str, Any]) -> None:
    """Refuses a record with another field, or with half of a surrogate pair, as JSON escapes it."""
    for name, value in content.items():
        if name not in _FIELDS:
            known = ", ".join(_FIELDS)
            raise RefusedOutcome(UNKNOWN_FIELD, "an unknown field", f"some of {known}", name)
        try:
            if isinstance(value, str):
                value.encode()
        except UnicodeEncodeError as error:
            raise RefusedOutcome(NOT_UNICODE, name, "Unicode text", value) from error


def _entity(entity: Any, expected: Expected) -> str | None:
    if entity is None:
        return None
    if isinstance(entity, bool) or not isinstance(entity, str | int | float) or entity == "":
        raise RefusedOutcome(NO_PREDICTION, "entity", "a text or a number", entity)
    named = str(entity)
    return named if expected.pseudonym is None else expected.pseudonym(named.encode()).decode()


def _milliseconds(name: str, value: Any) -> int | None:
    """Seconds since 1970, or ISO 8601, UTC where it names no zone."""
    if value is None:
        return None
    number = _number(value)
    if number is not None and 0 <= number < 2**36:
        return round(number * 1000)
    if number is None and isinstance(value, str):
        try:
            return read_time(value)
        except ValueError:
            pass
    raise RefusedOutcome(NO_TIME, name, "ISO 8601, or seconds since 1970", value)


def _number(value: Any) -> int | float | None:
    """A finite number, also from the text of one, as CSV has it; else None."""
    if isinstance(value, str):
        if "_" in value:  # Python's own spelling of numbers
            return None
        try:
            value = int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return value if is_number and math.isfinite(value) else None
    except OverflowError:  # an integer beyond all floats
        return None


def value_text(value: Any, kind: str) -> str:
    """A value as JSON text, which is used to compare values.

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
    raise RefusedOutcome(WRONG_TYPE, "value", _EXPECTED[kind], value)


def add_outcomes(
    records: Iterable[tuple[int, str, Any]],
    expected: Expected,
    folder: FeedbackFolder,
    only_once: bool = False,
) -> Added:
    """Stores outcomes in a file of their own, and sets invalid records apart.

    Args:
        records: From `read_json_lines` or `read_csv`.
        expected: Expected form.
        folder: Feedback folder.
        only_once: Whether nothing is kept if the same records were added in this way before.
    """
    kept: list[Outcome] = []
    bad: list[dict[str, Any]] = []
    digest = hashlib.sha256()
    for line, text, content in records:
        try:
            kept.append(parse_outcome(content, expected))
        except RefusedOutcome as error:
            message, row = str(error), text
            if expected.pseudonym is not None:
                message, row = error.without_value, WITHHELD
            bad.append({"line": line, "reason": error.reason, "message": message, "row": row})
        else:
            digest.update(text.strip().encode(errors="surrogatepass") + b"\n")
    name = IdMaker().make()
    suffix = f"-{digest.hexdigest()[:32]}.parquet" if only_once else ".parquet"
    before = sorted(folder.outcomes.glob(f"*{suffix}")) if kept and only_once else []
    file = (before or [folder.outcomes / f"{name}{suffix}"])[0] if kept else None
    apart = folder.set_apart / f"{name}.jsonl" if bad else None
    if file is not None and not before:
        write_outcomes(file, kept)
    if apart is not None:
        apart.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(apart) as part, part.open("w", encoding="utf-8") as lines:
            lines.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in bad)
    first = tuple(f"line {each['line']}: {each['message']}" for each in bad[:5])
    reasons = Counter(each["reason"] for each in bad)
    count = 0 if before else len(kept)
    return Added(count, dict(sorted(reasons.items())), first, file, apart, bool(before))


def write_outcomes(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Writes a file of outcomes, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [tuple(vars(outcome).values()) for outcome in outcomes]
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    arrays = [pa.array(c, field.type) for c, field in zip(columns, SCHEMA, strict=True)]
    with written_beside(path) as part:
        pq.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA), part)
