"""Reads JSON lines: one object per line, with Python's parser, so that a bad line costs a row.

Which columns a table to predict has is said by the first batch; the objects themselves keep all
keys. Of a table to learn from all lines are looked at first. Called by `data.reading.rows_file` and
`data.reading.pieces`. Not Arrow's JSON reader, which gives up a whole block for one line.
"""

import dataclasses
import gzip
import itertools
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from data.reading.batches import UNKNOWN, Batch
from data.reading.csv_header import COMMAS, CsvFormat, spellings_of
from data.reading.kinds import merge_kinds
from data.reading.missing import are_spelled
from data.reading.rows import MISSING, BadRow, Rows, Wanted, require_columns
from data.reading.values import TYPES, Fault, check_value, decode
from fareline.errors import DataError
from fareline.kinds import FLOAT, INT, STRING, as_number, fits_int64

_LINES = 8192  # in a batch
_SHOWN = 40  # characters of a value
_HALF = b"\\ud"  # an escape that may be half of a pair
_NO_FORM = "no form"  # of a list or an object


def read_names(path: str, lines: Iterable[bytes], wanted: Collection[str]) -> tuple[str, ...]:
    """The columns of a table, read until there are some and all that are wanted are among them.

    Raises:
        DataError: The file has no record: no line is an object.
    """
    names: dict[str, None] = {}
    first: BadRow | None = None
    for records, _, bad, _ in _parsed(lines):
        names.update(dict.fromkeys(name for record in records for name in record))
        first = first or next(iter(bad), None)
        if names and set(wanted) <= set(names):
            break
    if not names:
        found = "it is empty"
        if first is not None:
            wide = isinstance(first.row, str) and first.row.startswith(("\\xff\\xfe", "\\xfe\\xff"))
            said = "UTF-16 text" if wide else f"{first.fault.message:.80}"
            found = f"no line is an object (line {first.line}: {said})"
        raise DataError.explain(
            path,
            found,
            "expected JSON lines in UTF-8",
            "write each row as an object in a line of its own, not as a list of them",
        )
    return tuple(names)


def find_kinds(lines: Iterable[bytes], csv_format: CsvFormat = COMMAS) -> dict[str, str | None]:
    """Kinds of the columns of a table from all its lines; None: a list or an object."""
    found: dict[str, set[str]] = {}
    tests: dict[str, Callable[[Any], bool]] = {}
    for records, *_ in _parsed(lines):
        for record in records:
            for name, value in record.items():
                is_missing = tests.get(name)
                if is_missing is None:
                    is_missing = tests[name] = are_spelled(spellings_of(csv_format, name))
                kind = UNKNOWN if is_missing(value) else _kind_of(value)
                found.setdefault(name, set()).add(kind)
    return {
        name: None if _NO_FORM in kinds else merge_kinds({name: kind} for kind in kinds)[name]
        for name, kinds in found.items()
    }


def find_formless(lines: Iterable[bytes]) -> dict[str, str]:
    """Columns that hold lists or objects in the first lines, each with such a one."""
    found: dict[str, str] = {}
    for records, *_ in itertools.islice(_parsed(lines), 1):
        for name, value in (pair for record in records for pair in record.items()):
            if name not in found and _kind_of(value) == _NO_FORM:
                text = json.dumps(value, ensure_ascii=False)
                found[name] = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return found


def require_forms(path: str, formless: Mapping[str, str], used: Collection[str]) -> None:
    """Refuses a column that is used and that no example can hold.

    Raises:
        DataError: A line has such a value, which the message shows.
    """
    for name in used:
        if name in formless:
            raise DataError.explain(
                path,
                f"column {name!r} holds {formless[name]}",
                "expected numbers or texts",
                "write one value in each row, or leave the column out",
            )


def _kind_of(value: Any) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, str):
        return STRING
    if isinstance(value, list | dict):
        return _NO_FORM
    value = as_number(value)
    return INT if isinstance(value, int) and fits_int64(value) else FLOAT


def read_batches(
    path: str,
    lines: Iterable[bytes],
    names: Sequence[str],
    kinds: Mapping[str, str],
    csv_format: CsvFormat = COMMAS,
) -> Iterator[Batch]:
    """Reads a table to learn from; see `data.reading.pieces.read_piece`.

    Args:
        path: The file.
        lines: Lines of the file.
        names: Names of its columns.
        kinds: Kinds of the columns to read.
        csv_format: Spellings of missing values; the rest is not used.
    """
    asked = {name: kinds[name] for name in names if name in kinds}
    known = {name: kind for name, kind in asked.items() if kind != UNKNOWN}
    for records, numbers, bad, _ in _parsed(lines):
        columns, kept, wrong = _typed(records, numbers, Wanted(known), csv_format)
        arrays = {name: columns.get(name, pa.nulls(len(kept))) for name in asked}
        bad = sorted([*bad, *wrong], key=lambda row: row.line)
        yield Batch(path, arrays, len(kept), bad)


def _parsed(
    lines: Iterable[bytes],
) -> Iterator[tuple[list[dict], list[int], list[BadRow], int]]:
    """Records with the numbers of their lines, lines that are none, and how many are blank."""
    lines, first = iter(lines), 1
    while some := list(itertools.islice(lines, _LINES)):
        yield _parse(some, first)
        first += len(some)


def read_json_lines(path: Path, wanted: Wanted, csv_format: CsvFormat = COMMAS) -> Iterator[Rows]:
    """Reads a file of JSON lines in batches; see `data.reading.rows_file.open_rows`."""
    names: list[str] = []
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        for records, numbers, bad, blank in _parsed(file):
            if records and not names:
                names = list(dict.fromkeys(name for record in records for name in record))
                require_columns(path, names, wanted)
                given = {name: text for name, text in wanted.given.items() if name not in names}
                wanted = dataclasses.replace(wanted, given=given)
            yield _make_rows((records, numbers, bad), wanted, names, blank, csv_format)


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
            if _HALF in line.lower():
                json.dumps(record, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            fault = Fault("not_utf8", "half of a surrogate pair: expected Unicode text")
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
    raise ValueError(f"{name} is not JSON")


def _make_rows(
    parsed: tuple[list[dict], list[int], list[BadRow]],
    wanted: Wanted,
    names: Sequence[str],
    blank: int,
    csv_format: CsvFormat,
) -> Rows:
    records, numbers, bad = parsed
    features, kept, wrong = _typed(records, numbers, wanted, csv_format)
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
    return Rows(source, features, good, sorted([*bad, *wrong], key=lambda row: row.line), blank)


def _typed(
    records: Sequence[dict], numbers: Sequence[int], wanted: Wanted, csv_format: CsvFormat
) -> tuple[dict[str, pa.Array], list[int], list[BadRow]]:
    """Columns as the model takes them, of the records that can be taken, and the others."""
    faults: dict[int, Fault] = {}
    columns = {
        name: _column(
            name, kind, records, wanted, faults, are_spelled(spellings_of(csv_format, name))
        )
        for name, kind in wanted.kinds.items()
    }
    bad = [BadRow(numbers[i], fault, records[i]) for i, fault in faults.items()]
    kept = [index for index in range(len(records)) if index not in faults]
    features = {
        name: pa.array([values[i] for i in kept], TYPES[wanted.kinds[name]])
        for name, values in columns.items()
    }
    return features, kept, bad


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
        given = wanted.given.get(name)
        found = record.get(name) if given is None else given
        found = None if is_missing(found) else found
        if kind != STRING:
            found = as_number(found)
        # A number in quotes is a text: so says the REST API, too.
        if isinstance(found, str) and kind != STRING and given is None:
            value, fault = None, Fault("wrong_type", f"{found!r:.40}: expected a number")
        else:
            value, fault = check_value(found, kind)
        if fault is None and value is None and name in wanted.required:
            fault = Fault(MISSING, "no value; expected one in every row")
        if fault is not None:
            faults.setdefault(index, Fault(fault.reason, f"{name}: {fault.message}"))
        values.append(value.encode() if isinstance(value, str) else value)
    return values


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
