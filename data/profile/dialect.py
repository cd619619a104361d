"""Finds out how a CSV file is written: its encoding, its separator, its decimal mark.

By the whole file for the encoding, by its first records for the rest. Called by
`data.profile.table`. Imports the standard library alone.
"""

import codecs
import csv
import gzip
import io
import re
from collections import Counter
from pathlib import Path

from data.reading.csv_header import CsvFormat, long_cells
from fareline.errors import DataError

SEPARATORS = (",", ";", "\t", "|")
_START = 1 << 18  # bytes
_RECORDS = 200
_BLOCK = 1 << 22
_COMMA_NUMBER = re.compile(r"[-+]?\d+,\d+")
_POINT_NUMBER = re.compile(r"[-+]?\d+\.\d+")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def find_csv_format(path: Path) -> CsvFormat:
    """The format of a CSV file.

    Args:
        path: A CSV file, packed or not.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        encoding = _find_encoding(path)
        with _open(path) as stream:
            text = stream.read(_START).decode(encoding, errors="replace").removeprefix("\ufeff")
    except (OSError, EOFError) as error:
        raise DataError.explain(
            str(path),
            f"cannot be read ({getattr(error, 'strerror', None) or error})",
            "expected a table",
            "check the path and its permissions",
        ) from error
    separator = _find_separator(text)
    return CsvFormat(separator, _find_decimal(text, separator), encoding)


def _open(path: Path):
    return gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb")


def _find_encoding(path: Path) -> str:
    with _open(path) as stream:
        start = stream.read(_BLOCK)
        for mark, name in _MARKS:
            if start.startswith(mark):
                return name
        decoder = codecs.getincrementaldecoder("utf-8")()
        seen = set()
        utf8 = True
        while start:
            if utf8:
                try:
                    decoder.decode(start)
                except UnicodeDecodeError:
                    utf8 = False
            seen.update(start) if not utf8 else None
            start = stream.read(_BLOCK)
    if utf8:
        return "utf-8"
    # These five bytes are no character of Windows-1252.
    return "iso-8859-1" if seen & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else "windows-1252"


def _records(text: str, separator: str) -> list[list[str]]:
    found = []
    with long_cells():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        try:
            for row in reader:
                if row:
                    found.append(row)
                if len(found) > _RECORDS:
                    break
        except csv.Error:
            pass
    # The last one may be cut off.
    return found[:-1] if len(found) > 2 and len(text) >= _START else found


def _find_separator(text: str) -> str:
    """The one that divides most records into as many cells as the header, and into most."""
    best, most = ",", (0.0, 0)
    for separator in SEPARATORS:
        rows = _records(text, separator)
        if not rows or len(rows[0]) < 2:
            continue
        alike = Counter(map(len, rows))[len(rows[0])] / len(rows)
        named = sum(bool(name.strip()) for name in rows[0]) / len(rows[0])
        rank = (round(alike * named, 2), len(rows[0]))
        if rank > most:
            best, most = separator, rank
    return best


def _find_decimal(text: str, separator: str) -> str:
    """A comma where numbers have one, and none has a point."""
    if separator == ",":
        return "."
    cells = [cell.strip() for row in _records(text, separator)[1:] for cell in row]
    commas = sum(bool(_COMMA_NUMBER.fullmatch(cell)) for cell in cells)
    points = sum(bool(_POINT_NUMBER.fullmatch(cell)) for cell in cells)
    return "," if commas > points else "."
