"""Reads JSON lines: one object per line, with Python's parser, so that a bad line costs a row.

Which columns a table of them has is said, for rows to predict, by the first batch; the objects
themselves keep all keys. Of a source all objects say it. Called by `data.reading.rows_file` and
`data.reading.pieces`. Not Arrow's JSON reader, which gives up a whole block for one line.
"""

import gzip
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from data.reading.batches import UNKNOWN, Batch
from data.reading.csv_header import COMMAS, CsvFormat, spellings_of
from data.reading.missing import are_spelled
from data.reading.rows import MISSING, BadRow, Rows, Wanted, require_columns
from data.reading.values import FLOAT, INT, STRING, TYPES, Fault, check_value, decode

Open = Callable[[str], BinaryIO]
_WIDER = (UNKNOWN, INT, FLOAT, STRING)
_LINES = 8192  # in a batch


def read_json_lines(path: Path, wanted: Wanted, csv_format: CsvFormat = COMMAS) -> Iterator[Rows]:
    """Reads a file of JSON lines in batches; see `data.reading.rows_file.open_rows`."""
    names: list[str] = []
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        first = 1
        while lines := list(itertools.islice(file, _LINES)):
            records, numbers, bad, blank = _parse(lines, first)
            first += len(lines)
            if records and not names:
                names = list(dict.fromkeys(name for record in records for name in record))
                require_columns(path, names, wanted)
            yield _make_rows((records, numbers, bad), wanted, names, blank, csv_format)


def read_objects(path: str, kinds: Mapping[str, str], open_file: Open) -> Iterator[Batch]:
    """Reads a source; see `data.reading.pieces.read_piece`. A blank line is no row."""
    for records, numbers, bad in _parsed(path, open_file):
        faults: dict[int, Fault] = {}
        columns = {
            name: [_converted(record.get(name), kind) for record in records]
            for name, kind in kinds.items()
        }
        for name, found in columns.items():
            for index, (_, fault) in enumerate(found):
                if fault is not None:
                    told = Fault(fault.reason, f"{name}: {fault.message}")
                    faults.setdefault(index, told)
        bad = [*bad, *(BadRow(numbers[i], fault, records[i]) for i, fault in faults.items())]
        good = [index for index in range(len(records)) if index not in faults]
        arrays = {
            name: pa.array([found[i][0] for i in good], TYPES.get(kinds[name], pa.null()))
            for name, found in columns.items()
        }
        yield Batch(path, arrays, len(good), sorted(bad, key=lambda row: row.line))


def kinds_of_objects(path: str, known: Mapping[str, str], open_file: Open) -> dict[str, str]:
    """What the keys are that `known` lacks, by all objects; UNKNOWN where all values are null."""
    found: dict[str, str] = {}
    for records, _, _ in _parsed(path, open_file):
        for record in records:
            for name, value in record.items():
                if name not in known:
                    kind = _kind(value)
                    before = found.get(name, UNKNOWN)
                    found[name] = max(kind, before, key=_WIDER.index)
    return found


def _parsed(path: str, open_file: Open) -> Iterator[tuple[list[dict], list[int], list[BadRow]]]:
    with open_file(path) as raw:
        stream = gzip.GzipFile(fileobj=raw) if path.endswith(".gz") else raw
        first = 1
        while lines := list(itertools.islice(stream, _LINES)):
            records, numbers, bad, _ = _parse(lines, first)
            first += len(lines)
            yield records, numbers, bad


def _kind(value: Any) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, int):  # a boolean is 0 or 1
        return INT if -(2**63) <= value < 2**63 else FLOAT
    return FLOAT if isinstance(value, float) else STRING


def _converted(value: Any, kind: str) -> tuple[Any, Fault | None]:
    """As an example has it; a list or an object as its JSON."""
    if value is None or kind == UNKNOWN:
        return None, None
    if kind == STRING:
        return _as_text(value).encode(errors="replace"), None
    if isinstance(value, bool):
        value = int(value)
    elif isinstance(value, str):
        return None, Fault("wrong_type", f"{value!r:.40}: expected a number")
    elif isinstance(value, list | dict):
        return None, Fault("wrong_type", f"{type(value).__name__}: expected a number")
    return check_value(value, kind)


def _parse(lines: Sequence[bytes], first: int) -> tuple[list[dict], list[int], list[BadRow], int]:
    records, numbers, bad, blank = [], [], [], 0
    for number, line in enumerate(lines, first):
        if not line.strip():
            blank += 1
            continue
        try:
            record = json.loads(
                line.decode("utf-8-sig"),
                object_pairs_hook=_distinct,
                parse_constant=_refuse_constant,
            )
        except UnicodeDecodeError as error:
            fault = Fault("not_utf8", f"byte {error.start + 1}: expected UTF-8")
        except (ValueError, RecursionError) as error:
            fault = Fault("not_json", str(error))
        else:
            if record == {}:
                blank += 1
                continue
            if isinstance(record, dict):
                records.append(record)
                numbers.append(number)
                continue
            fault = Fault("not_json", f"{type(record).__name__}: expected an object")
        bad.append(BadRow(number, fault, decode(line).rstrip("\r\n")))
    return records, numbers, bad, blank


def _distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object, of which JSON lets each key be there twice and Python would keep the last."""
    made = dict(pairs)
    if len(made) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"has the key {twice!r} twice")
    return made


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _make_rows(
    parsed: tuple[list[dict], list[int], list[BadRow]],
    wanted: Wanted,
    names: Sequence[str],
    blank: int,
    csv_format: CsvFormat,
) -> Rows:
    records, numbers, bad = parsed
    faults: dict[int, Fault] = {}
    columns = {
        name: _column(
            name, kind, records, wanted, faults, are_spelled(spellings_of(csv_format, name))
        )
        for name, kind in wanted.kinds.items()
    }
    bad += [BadRow(numbers[i], fault, records[i]) for i, fault in faults.items()]
    kept = [index for index in range(len(records)) if index not in faults]
    features = {
        name: pa.array([values[i] for i in kept], TYPES[wanted.kinds[name]])
        for name, values in columns.items()
    }
    good = [records[i] for i in kept]
    shown = {}
    for name in names:
        if name not in features:
            values = [_as_text(record.get(name)) for record in good]
            shown[name] = pa.array(values, pa.large_string())
        elif wanted.kinds[name] == STRING:
            shown[name] = features[name].cast(pa.large_string())
        else:
            shown[name] = features[name]
    source = pa.RecordBatch.from_arrays(list(shown.values()), list(shown))
    return Rows(source, features, good, sorted(bad, key=lambda row: row.line), blank)


def _column(
    name: str,
    kind: str,
    records: Sequence[Mapping[str, Any]],
    wanted: Wanted,
    faults: dict[int, Fault],
    is_missing: Callable[[Any], bool],
) -> list[Any]:
    values = []
    for index, record in enumerate(records):
        found = record.get(name)
        found = None if is_missing(found) else found
        # A number in quotes is a text: so says the REST API, too.
        if isinstance(found, str) and kind != STRING:
            value, fault = None, Fault("wrong_type", f"{found!r:.40}: expected a number")
        else:
            value, fault = check_value(found, kind)
        if fault is None and value is None and name in wanted.required:
            fault = Fault(MISSING, "no value; expected one in every row")
        if fault is not None:
            faults.setdefault(index, Fault(fault.reason, f"{name}: {fault.message}"))
        values.append(value.encode(errors="replace") if isinstance(value, str) else value)
    return values


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
