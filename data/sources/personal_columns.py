"""Recognizes columns that look like names, e-mail addresses, telephone or card numbers.

A check warns of them; nothing is decided by it. Names are told by the name of the column alone: no
library that is light enough knows people's names. Telephone numbers are told by how they are
written, since the library that knows the numbers of all countries takes 83 MB. Called by `runners`.
Must not import TFX.
"""

import csv
import gzip
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from data.reading.columnar import first_rows
from data.reading.csv_blocks import unpacked
from data.reading.csv_header import COMMAS, CsvFormat, long_cells
from data.reading.pieces import ARROW, CSV, JSON, PARQUET, format_of

_ROWS = 1_000  # that are looked at, of each file
_FILES = 10
_LEAST_VALUES = 5  # fewer say nothing
_LEAST_SHARE = 0.8  # of the distinct values, that look alike
_NAME_WORDS = re.compile(
    r"(^|[_\W])((first|last|full|given|family|middle|sur|maiden|nick|user|holder|driver|passenger|"
    r"customer|client|patient|person|employee|contact)_?names?|name_of_\w+|name)($|[_\W])"
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
# Digits alone could be anything: there is a plus, or what people put between groups.
_PHONE = re.compile(r"(\+\d[\d\s().-]{7,18}\d|\(?\d{2,5}\)?[\s.-]\d{2,4}([\s.-]\d{2,5}){1,3}|"
                    r"\(\d{2,5}\)\s?\d{3,8})")  # fmt: skip
_CARD = re.compile(r"[3-6]\d{3}([ -]?\d{2,7}){2,4}")


def find_personal_columns(columns: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Finds the columns that look personal.

    Args:
        columns: By name, some of its cells.

    Returns:
        Column to what it looks like, such as `e-mail addresses`.
    """
    found = {}
    for name, cells in columns.items():
        values = {cell.strip() for cell in cells} - {""}
        for kind, looks_so in _KINDS.items():
            alike = sum(map(looks_so, values))
            if len(values) >= _LEAST_VALUES and alike >= _LEAST_SHARE * len(values):
                found[name] = kind
                break
        else:
            if _NAME_WORDS.search(_words(name)) and not all(map(_is_number, values)):
                found[name] = "names"
    return found


def sample_columns(files: Sequence[Path], csv_format: CsvFormat = COMMAS) -> dict[str, list[str]]:
    """The first values of files, by column, as texts.

    Args:
        files: CSV, JSON lines, Parquet or Arrow. Others, and what cannot be read, are passed
            over: the reader will say.
        csv_format: Format of CSV files.
    """
    columns: dict[str, list[str]] = {}
    for file in files[:_FILES]:
        try:
            for name, cell in _cells(file, csv_format):
                columns.setdefault(name, []).append(cell)
        except (OSError, EOFError, ValueError, csv.Error):  # Arrow's errors are ValueErrors
            continue
    return columns


def _cells(file: Path, csv_format: CsvFormat) -> Iterator[tuple[str, str]]:
    """(column, text) of the first rows of a file."""
    if format_of(file.name) in (PARQUET, ARROW):
        for name, values in first_rows(str(file), format_of(file.name), _ROWS).items():
            yield from ((name, _text(value)) for value in values.to_pylist() if value is not None)
    elif format_of(file.name) == JSON:
        with file.open("rb") as raw:
            for line in itertools.islice(unpacked(raw, file.name), _ROWS):
                record = json.loads(line)
                yield from ((n, str(value)) for n, value in record.items() if value is not None)
    elif format_of(file.name) == CSV:
        encoding = "utf-8-sig" if csv_format.is_utf8 else csv_format.encoding
        opener = gzip.open if file.suffix == ".gz" else open
        with (
            long_cells(),
            opener(file, "rt", encoding=encoding, errors="replace", newline="") as stream,
        ):
            rows = csv.reader(stream, delimiter=csv_format.separator)
            header = next(rows, [])
            for row in itertools.islice(rows, _ROWS):
                yield from zip(header, row, strict=False)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _words(name: str) -> str:
    """`driverName` as `driver_name`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _is_card(value: str) -> bool:
    from stdnum import luhn

    digits = re.sub(r"[ -]", "", value)
    return bool(_CARD.fullmatch(value)) and 13 <= len(digits) <= 19 and luhn.is_valid(digits)


_KINDS: dict[str, Callable[[str], bool]] = {
    "e-mail addresses": lambda value: bool(_EMAIL.fullmatch(value)),
    "card numbers": _is_card,
    "telephone numbers": lambda value: bool(_PHONE.fullmatch(value)) and _digits(value) >= 9,
}


def _digits(value: str) -> int:
    return sum(character.isdigit() for character in value)
