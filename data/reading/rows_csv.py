"""Reads a CSV file with Arrow's streaming parser; a cell without a character is missing.

Every cell is read as bytes first, so that one bad cell costs a row and not a file. Called by
`data.reading.rows_file`.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from data.reading.rows import BadRow, Rows, Wanted, require_columns, sort_out
from data.reading.values import Fault, convert, decode
from fareline.errors import DataError

_BLOCK_BYTES = 16 << 20  # the longest row
_FIELDS = "wrong_number_of_fields"


class _Invalid:
    """Takes the rows with too few or too many fields as the parser meets them."""

    def __init__(self):
        self.rows: dict[int, tuple[Fault, str]] = {}

    def __call__(self, row: "pyarrow.csv.InvalidRow") -> str:
        message = f"{row.actual_columns} fields; expected {row.expected_columns}"
        self.rows[row.number] = (Fault(_FIELDS, message), row.text)
        return "skip"


class _Lines:
    """Says at which line each record begins: quoted cells may hold line ends, and rows be bad."""

    def __init__(self, header_lines: int, invalid: _Invalid):
        self._line = 1 + header_lines
        self._record = 2  # the parser's number of the next one; the header is the first
        self._invalid = invalid

    def number(self, line_ends: np.ndarray) -> np.ndarray:
        """Numbers the next records.

        Args:
            line_ends: int [records], line ends within the cells of each.

        Returns:
            int [records], their lines.
        """
        lines = np.empty(len(line_ends), np.int64)
        for index, inside in enumerate(line_ends.tolist()):
            self.skip()
            lines[index] = self._line
            self._line += 1 + inside
            self._record += 1
        return lines

    def skip(self) -> None:
        """Passes over invalid rows that come next, and gives each its line."""
        while self._record in self._invalid.rows:
            fault, text = self._invalid.rows.pop(self._record)
            self.bad.append(BadRow(self._line, fault, text))
            self._line += 1 + text.rstrip("\r\n").count("\n")
            self._record += 1

    bad: list[BadRow]


def read_csv(path: Path, wanted: Wanted) -> Iterator[Rows]:
    """Reads a CSV file in batches; see `data.reading.rows_file.open_rows`."""
    names, header_lines = _read_header(path)
    require_columns(path, names, wanted)
    invalid = _Invalid()
    lines = _Lines(header_lines, invalid)
    reader = pyarrow.csv.open_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
        parse_options=pyarrow.csv.ParseOptions(
            newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=invalid
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.binary()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    for batch in reader:
        if batch.num_rows:
            yield _read_batch(batch, wanted, lines)
    lines.bad = []
    lines.skip()
    if lines.bad:
        nothing = pa.array([], pa.large_string())
        empty = pa.RecordBatch.from_arrays([nothing] * len(names), names)
        columns = dict(zip(names, empty.columns, strict=True))
        yield Rows(empty, sort_out(columns, wanted, {}), bad=lines.bad)


def _read_header(path: Path) -> tuple[list[str], int]:
    """Returns the names, and how many lines they take."""
    options = pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES)
    parse = pyarrow.csv.ParseOptions(
        newlines_in_values=True, invalid_row_handler=lambda row: "skip"
    )
    try:
        with pyarrow.csv.open_csv(path, read_options=options, parse_options=parse) as reader:
            names = list(reader.schema.names)
    except UnicodeDecodeError as error:
        raise DataError.explain(
            str(path),
            f"not UTF-8 text (byte 0x{error.object[error.start]:02x} in the header)",
            "expected a UTF-8 CSV file with the column names in its first line",
            "convert it, for example with iconv -f WINDOWS-1252 -t UTF-8",
        ) from error
    return names, 1 + sum(name.count("\n") for name in names)


def _read_batch(batch: pa.RecordBatch, wanted: Wanted, lines: _Lines) -> Rows:
    lines.bad = []
    numbers = lines.number(_line_ends(batch))
    faults: dict[int, Fault] = {}
    columns = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        columns[name], found = convert(column, "text")
        for index, (reason, message) in found.items():
            faults.setdefault(index, Fault(reason, f"{name}: {message}"))
    blank = np.all([column.is_null() for column in batch.columns], axis=0)
    features = sort_out(columns, wanted, faults)
    for index in np.nonzero(blank)[0]:
        faults.pop(int(index), None)
    bad = [BadRow(int(numbers[i]), fault, _row(batch, i)) for i, fault in sorted(faults.items())]
    good = ~blank
    good[list(faults)] = False
    keep = pa.array(good)
    source = pa.RecordBatch.from_arrays(list(columns.values()), list(columns)).filter(keep)
    return Rows(
        source,
        {name: array.filter(keep) for name, array in features.items()},
        bad=sorted([*lines.bad, *bad], key=lambda row: row.line),
        blank=int(blank.sum()),
    )


def _line_ends(batch: pa.RecordBatch) -> np.ndarray:
    total = np.zeros(batch.num_rows, np.int64)
    for column in batch.columns:
        found = pc.count_substring(column, "\n")
        total += pc.fill_null(found, 0).to_numpy(zero_copy_only=False)
    return total


def _row(batch: pa.RecordBatch, index: int) -> dict[str, str | None]:
    values = (column[index].as_py() for column in batch.columns)
    texts = (None if value is None else decode(value) for value in values)
    return dict(zip(batch.schema.names, texts, strict=True))
