"""Formats of CSV files, options of the csv module, and rules for a header.

Called by the readers and the checks of CSV files. Imports the standard library alone.
"""

import codecs
import contextlib
import csv
import dataclasses
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fareline.errors import DataError

LONGEST_RECORD_BYTES = 256 << 20  # more is a quote that was never closed
UTF_8 = "utf-8"
EXPECTED = "expected a UTF-8 CSV file with the column names in its first line"
_SETTING = "data.source.csv_format"
_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
# Of a file of one column these may as well stand in its name: they are looked for in a hint alone.
_RARE_SEPARATORS = {":": "colon", "^": "caret", " ": "blank"}
_EXCELS_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
# How files begin that are named .csv and are none, and what to do.
_OTHER_FILES = (
    (b"PK\x03\x04", "a ZIP file, as Excel workbooks are", "export it as CSV, or unpack it"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "export it as CSV"),
    (b"\x1f\x8b", "a gzip file", "name it .csv.gz"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", "unpack it"),
    (b"PAR1\x15", "a Parquet file", "name it .parquet, under data.source.files"),
    (b"ARROW1\0\0", "an Arrow file", "name it .arrow, under data.source.files"),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV"),
)


Missing = tuple[tuple[str, tuple[str, ...]], ...]  # column to its spellings


@dataclasses.dataclass(frozen=True)
class CsvFormat:
    """The format of a CSV file.

    Attributes:
        separator: The character between cells.
        decimal: The character before the fraction of a number.
        encoding: Encoding of the text, as Python names it.
        missing: Column to what says there that a value is missing, see `data.reading.missing`; of
            files of other formats too.
    """

    separator: str = ","
    decimal: str = "."
    encoding: str = UTF_8
    missing: Missing = ()

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "CsvFormat":
        """From JSON, which has lists for tuples."""
        missing = tuple((name, tuple(texts)) for name, texts in options.get("missing", ()))
        return cls(**{**options, "missing": missing})

    @property
    def is_utf8(self) -> bool:
        """Whether bytes can be read as they are."""
        return codecs.lookup(self.encoding).name == UTF_8


COMMAS = CsvFormat()
EVERY = ""  # in place of a column: all of them
_QUOTED = re.compile(r'"[^"]*"')  # where a separator is none


def spellings_of(csv_format: CsvFormat, column: str) -> tuple[str, ...]:
    """Spellings of a missing value in a column."""
    named = csv_format.missing
    return tuple(text for name, texts in named for text in texts if name in (EVERY, column))


def number_spelling(number: float) -> str:
    """A number as a spelling: without a fraction that says nothing."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))


def as_missing(named: Mapping[str, Sequence[str] | str]) -> Missing:
    """From the settings: spelling to the columns that it is one in, or `all`."""
    by_column: dict[str, list[str]] = {}
    for spelling, columns in named.items():
        for column in [EVERY] if columns == "all" else columns:
            by_column.setdefault(column, []).append(spelling)
    return tuple((name, tuple(texts)) for name, texts in sorted(by_column.items()))


@contextlib.contextmanager
def long_cells() -> Iterator[None]:
    """Has the csv module read cells that are as long as the reader's, not 131,072 characters."""
    before = csv.field_size_limit(LONGEST_RECORD_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def require_possible_names(path: str, names: Iterable[str]) -> None:
    """Refuses a name with a zero byte, which TensorFlow Transform loses, of whatever column.

    Raises:
        DataError: There is one.
    """
    for name in names:
        if "\0" in name:
            raise DataError.explain(
                path,
                f"has a column {name!r}",
                "expected names without a zero byte",
                "rename the column, or leave it out",
            )


def require_no_keys(path: str, names: Sequence[str], keys: Mapping[str, str | None]) -> None:
    """Refuses a column that is in the file and in the name of one of its folders.

    Raises:
        DataError: There is one.
    """
    for name in keys:
        if name in names:
            raise DataError.explain(
                path,
                f"has a column {name!r}, which the name of its folder has too",
                "expected it in one of the two places",
                "leave it out of the file, or rename the folder or the column",
            )


def require_distinct_header(path: str, names: Sequence[str]) -> None:
    """Refuses a header that repeats a name: only one of these columns would be read.

    Raises:
        DataError: A name occurs twice.
    """
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError.explain(
            path,
            f"the header repeats {', '.join(map(repr, repeated))}",
            "expected each column name once",
            "rename or drop the repeated columns",
        )


def require_text(path: str, data: bytes, encoding: str = UTF_8) -> None:
    """Refuses the start of a file with another encoding or kind, as far as it is recognizable.

    Args:
        path: The file.
        data: Its first bytes.
        encoding: Encoding in the settings.

    Raises:
        DataError: The start has another encoding or kind, which the message names.
    """
    for start, kind, hint in _OTHER_FILES:
        if data.startswith(start):
            raise DataError.explain(path, f"is {kind}", EXPECTED, hint)
    if codecs.lookup(encoding).name != UTF_8:
        return
    for mark, name in _MARKS:
        if data.startswith(mark):
            raise _other_encoding(path, f"{name} text (byte order mark)", name)
    if name := _looks_like_utf16(data):
        raise _other_encoding(path, f"looks like {name} text (every other byte is 0)", name)


def require_names(path: str, line: str) -> None:
    """Refuses a first line that tells Excel the separator, and no names.

    Raises:
        DataError: The first line is such a line; the message has the action.
    """
    if told := _EXCELS_LINE.fullmatch(line.strip("\ufeff\r\n")):
        raise DataError.explain(
            path,
            f"begins with {told[0]!r}, a line for Excel",
            EXPECTED,
            f"remove this line, for example with tail -n +2, and set {_SETTING}: "
            f"{{separator: {_written(told[1])}}}",
        )


def not_utf8(path: str, data: bytes, error: UnicodeDecodeError, where: str = "") -> DataError:
    """The error of a header or row that is no UTF-8, with the encoding that it looks like."""
    found = f"not UTF-8 text (byte 0x{error.object[error.start]:02x}{where})"
    return _other_encoding(path, found, _encoding_of_bytes(data))


def _other_encoding(path: str, found: str, name: str) -> DataError:
    return DataError.explain(
        path,
        found,
        EXPECTED,
        f"convert it, for example with iconv -f {name} -t UTF-8, or set "
        f"{_SETTING}.encoding: {name.lower()}",
    )


def _looks_like_utf16(data: bytes) -> str:
    """UTF-16 without a mark: of Latin letters every other byte is 0. Empty: it does not."""
    start = data[: 1 << 10]
    half = len(start) // 2
    if half < 2:
        return ""
    if start[1::2].count(0) > 0.8 * half and not start[::2].count(0):
        return "UTF-16LE"
    return "UTF-16BE" if start[::2].count(0) > 0.8 * half and not start[1::2].count(0) else ""


def _encoding_of_bytes(data: bytes) -> str:
    """Of text that is no UTF-8: Windows-1252, unless it has bytes that this one lacks."""
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return "ISO-8859-1"
    return "WINDOWS-1252"


def require_separator(
    path: str, header: Sequence[str], line: str, row: str, separator: str
) -> None:
    """Refuses a header of one column that is several with another separator.

    Args:
        path: The file.
        header: The names as they were read.
        line: The header itself, as it is in the file.
        row: The line behind it.
        separator: Separator in the settings.

    Raises:
        DataError: The lines have another separator in common, which the message names.
    """
    if len(header) != 1:
        return
    bare, bare_row = _QUOTED.sub('""', line), _QUOTED.sub('""', row)
    for other, name in _SEPARATORS.items():
        count = bare.count(other)
        if count and other != separator and (count == bare_row.count(other) or not row):
            cells = row.split(other)
            decimals = other == ";" and any(_has_decimal_comma(cell) for cell in cells)
            written = f"separator: {_written(other)}"
            written += ', decimal: ","' * decimals
            raise DataError.explain(
                path,
                f"a {name} looks like its separator ({count + 1} columns)"
                + ", with decimal commas" * decimals,
                f"expected {_SEPARATORS.get(separator, repr(separator))}s between columns",
                f"set {_SETTING}: {{{written}}}"
                if other != COMMAS.separator
                else f"leave {_SETTING} out",
            )


def hint_of_separator(header: Sequence[str], wanted: Iterable[str]) -> str:
    """Names a rare separator in a header of one column that is several by it, wanted ones too.

    Args:
        header: The names as they were read.
        wanted: Columns, of which the header has none.

    Returns:
        The setting to make; empty if there is no such separator.
    """
    if len(header) != 1:
        return ""
    for other, name in _RARE_SEPARATORS.items():
        parts = {part.strip().strip('"') for part in header[0].split(other)}
        if not parts.isdisjoint(wanted):
            return f"a {name} looks like its separator: set {_SETTING}.separator: {_written(other)}"
    return ""


def _written(separator: str) -> str:
    """A separator as YAML takes it."""
    return json.dumps(separator, ensure_ascii=False)


def _has_decimal_comma(cell: str) -> bool:
    whole, comma, rest = cell.strip().strip('"').partition(",")
    return bool(comma) and whole.lstrip("+-").isdigit() and rest.isdigit()
