"""Converts a block of CSV records to a batch of typed columns and to bad rows.

Arrow parses and converts a block without faults at once. If a block has a fault, the cells are read
as bytes and converted column by column, which finds the faulty ones. Both ways give the same
values. Called by `data.reading.pieces` and `data.reading.rows_file`.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from data.reading.batches import UNKNOWN, Batch
from data.reading.csv_blocks import Block, count_lines, record_ends
from data.reading.csv_header import COMMAS, CsvFormat, long_cells, spellings_of
from data.reading.missing import without_spelled
from data.reading.rows import BadRow
from data.reading.values import Fault, convert, decode
from fareline.kinds import FLOAT, FLOAT32_MAX, INT, STRING

WRONG_FIELDS = "wrong_number_of_fields"
UNCLOSED = "unclosed_quote"
_NO_NUMBER = {INT: ("not_an_integer", "an integer"), FLOAT: ("not_a_number", "a number")}
_HEXADECIMAL = re.compile(rb"0[xX]")
_AS_PARSED = {INT: pa.int64(), FLOAT: pa.float64(), STRING: pa.string(), UNKNOWN: pa.binary()}
# Arrow takes a byte order mark at the start of a block for one, and skips an empty line.
_NO_MARK = b"\n"


def read_block(
    block: Block,
    path: str,
    names: Sequence[str],
    kinds: Mapping[str, str],
    csv_format: CsvFormat = COMMAS,
) -> Batch:
    """Reads a block.

    Args:
        block: Block of the file, behind its header.
        path: The file.
        names: Names of its columns, in their order.
        kinds: Kind of each column; see `data.reading.batches`.
        csv_format: Format of the file; its bytes are already UTF-8.
    """
    columns = _parse_typed(block.data, names, kinds, csv_format)
    if columns is not None:
        rows = len(next(iter(columns.values())))
        return Batch(path, columns, rows, unclosed_rows(block))
    columns, bad = _parse_cells(block, names, kinds, csv_format)
    return Batch(path, columns, len(next(iter(columns.values()))), [*bad, *unclosed_rows(block)])


def read_cells(
    data: bytes, names: Sequence[str], csv_format: CsvFormat = COMMAS
) -> dict[str, pa.Array]:
    """Reads the records that have as many cells as names, as binary; an empty cell is null."""
    types = dict.fromkeys(names, pa.binary())
    table = _parse(data, names, types, lambda row: "skip", csv_format)
    return {name: _whole(table.column(i)) for i, name in enumerate(names)}


def convert_cells(
    array: pa.Array, kind: str, csv_format: CsvFormat = COMMAS
) -> tuple[pa.Array, dict[int, Fault]]:
    """Converts cells as `data.reading.values.convert` does, with this format's decimal mark."""
    mark = csv_format.decimal
    if mark == COMMAS.decimal or kind not in (INT, FLOAT):
        return convert(array, kind)
    cells = array.cast(pa.large_binary())
    has_point = pc.fill_null(pc.match_substring(cells, COMMAS.decimal), False)
    good = pc.if_else(has_point, pa.scalar(None, cells.type), with_point(cells, csv_format))
    found, faults = convert(good, kind)
    for index in np.flatnonzero(has_point.to_numpy(zero_copy_only=False)).tolist():
        reason, noun = _NO_NUMBER[kind]
        text = decode(cells[index].as_py())
        faults[index] = Fault(reason, f"{text:.40}: expected {noun} with {mark!r} as decimal mark")
    return found, faults


def with_point(array: pa.Array, csv_format: CsvFormat) -> pa.Array:
    """The cells with a point before fractions, where the format has another mark."""
    if csv_format.decimal == COMMAS.decimal:
        return array
    return pc.replace_substring(array, csv_format.decimal, COMMAS.decimal)


def _parse(
    data: bytes,
    names: Sequence[str],
    types: Mapping[str, pa.DataType],
    handler: Any,
    csv_format: CsvFormat,
):
    data = _NO_MARK + data
    # Not read_csv, which on each call has Python walk through all objects that there are.
    reader = pyarrow.csv.open_csv(
        pa.BufferReader(data),
        read_options=pyarrow.csv.ReadOptions(
            # Positions as names: those of the file may be repeated or empty.
            column_names=[str(i) for i in range(len(names))],
            use_threads=False,
            block_size=len(data) + 1,
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=csv_format.separator,
            newlines_in_values=True,
            ignore_empty_lines=True,
            invalid_row_handler=handler,
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={str(i): types[name] for i, name in enumerate(names)},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            check_utf8=True,
            decimal_point=csv_format.decimal,
        ),
    )
    with reader:
        return reader.read_all()


def _parse_typed(
    data: bytes, names: Sequence[str], kinds: Mapping[str, str], csv_format: CsvFormat
) -> dict[str, pa.Array] | None:
    """The columns, or None if anything in the block has to be looked at."""
    if INT in kinds.values() and _HEXADECIMAL.search(data):
        return None  # Arrow would read 0x10
    invalid = []
    spelled = {name: spellings_of(csv_format, name) for name in names}
    types = {name: pa.binary() if spelled[name] else _AS_PARSED[kinds[name]] for name in names}
    try:
        table = _parse(
            data, names, types, lambda row: invalid.append(row.number) or "skip", csv_format
        )
    except pa.ArrowInvalid:
        return None
    if invalid:
        return None
    columns = {}
    for index, name in enumerate(names):
        array = _whole(table.column(index))
        kind = kinds[name]
        if spelled[name]:
            array = without_spelled(array, spelled[name])
            if kind != UNKNOWN:
                array, faults = convert_cells(array, kind, csv_format)
                if faults:
                    return None
        if kind == FLOAT and array.null_count < len(array):
            # Of NaN no comparison is true, and what is missing does not count.
            if not pc.all(pc.less_equal(pc.abs(array), FLOAT32_MAX)).as_py():
                return None
        elif kind == STRING:
            array = array.cast(pa.large_string()).cast(pa.large_binary())
        elif kind == UNKNOWN:
            if array.null_count < len(array):
                return None
            array = pa.nulls(len(array))
        columns[name] = array
    return columns


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def parse_records(
    block: Block, names: Sequence[str], csv_format: CsvFormat
) -> tuple[dict[str, pa.Array], "Records", np.ndarray, list[BadRow]]:
    """Parses a block into cells, and says which record of it each row is.

    Returns:
        Cells by column, as binary; all records; int [rows], which of them have as many cells as
        there are names; and those that have not.
    """
    records = Records(block, csv_format)
    wrong: dict[int, Fault] = {}

    def set_apart(row: "pyarrow.csv.InvalidRow") -> str:
        message = f"{row.actual_columns} fields; expected {row.expected_columns}"
        wrong[row.number - 1] = Fault(WRONG_FIELDS, message)
        return "skip"

    types = dict.fromkeys(names, pa.binary())
    table = _parse(block.data, names, types, set_apart, csv_format)
    bad = [BadRow(records.line(i), fault, records.text(i)) for i, fault in wrong.items()]
    right = np.setdiff1d(np.arange(len(records)), np.fromiter(wrong, np.int64, len(wrong)))
    assert len(right) == table.num_rows, (len(records), len(wrong), table.num_rows)
    cells = {name: _whole(table.column(index)) for index, name in enumerate(names)}
    return cells, records, right, bad


def _parse_cells(
    block: Block, names: Sequence[str], kinds: Mapping[str, str], csv_format: CsvFormat
) -> tuple[dict[str, pa.Array], list[BadRow]]:
    cells, records, right, bad = parse_records(block, names, csv_format)
    columns: dict[str, pa.Array] = {}
    faults: dict[int, Fault] = {}
    for name, array in cells.items():
        kind = STRING if kinds[name] == UNKNOWN else kinds[name]
        array = without_spelled(array, spellings_of(csv_format, name))
        columns[name], found = convert_cells(array, kind, csv_format)
        for row, (reason, message) in found.items():
            faults.setdefault(row, Fault(reason, f"{name}: {message}"))
    for row, fault in faults.items():
        record = int(right[row])
        bad.append(BadRow(records.line(record), fault, records.by_name(record, names)))
    good = np.ones(len(right), bool)
    good[list(faults)] = False
    keep = pa.array(good)
    columns = {
        name: array.filter(keep) if kinds[name] != UNKNOWN else pa.nulls(int(good.sum()))
        for name, array in columns.items()
    }
    return columns, sorted(bad, key=lambda row: row.line)


class Records:
    """The records of a block that Arrow counts: all but empty lines.

    Attributes:
        blank: Number of empty lines.
    """

    def __init__(self, block: Block, csv_format: CsvFormat = COMMAS):
        self._block = block
        self._separator = csv_format.separator
        data = block.data
        ends = record_ends(data, self._separator)
        if data and (not len(ends) or ends[-1] < len(data)):
            ends = np.append(ends, len(data))
        starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)[: len(ends)]
        codes = np.frombuffer(data, np.uint8)
        full = (ends > starts) & ~np.isin(codes[np.minimum(starts, len(codes) - 1)], (10, 13))
        self._starts, self._ends = starts[full], ends[full]
        self.blank = int((~full & (ends > starts)).sum())

    def __len__(self) -> int:
        return len(self._starts)

    def line(self, record: int) -> int:
        """The line that it begins in."""
        return self._block.first_line + count_lines(self._block.data[: self._starts[record]])

    def text(self, record: int) -> str:
        """As it is in the file; what is no UTF-8 as an escape."""
        data = self._block.data[self._starts[record] : self._ends[record]]
        return decode(data).removesuffix("\n").removesuffix("\r")

    def by_name(self, record: int, names: Sequence[str]) -> dict[str, str]:
        """Its cells."""
        cells = split_record(self.text(record), self._separator)
        return dict(zip(names, cells, strict=True))


def split_record(text: str, separator: str = COMMAS.separator) -> list[str]:
    """The cells of one record, as Python's csv module reads them, whatever their length.

    A zero byte comes out as an escape: the module refuses it before Python 3.11.
    """
    text = text.replace("\0", "\\x00")
    with long_cells():
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def unclosed_rows(block: Block) -> list[BadRow]:
    """All lines after an unclosed quote; the reader cannot know which of them are rows."""
    return list(_unclosed_lines(block)) if block.unclosed else []


def _unclosed_lines(block: Block) -> Iterator[BadRow]:
    first = block.first_line + block.lines
    message = f"behind a quote in the record of line {first} that is never closed"
    for offset, line in enumerate(block.rest.splitlines()):
        yield BadRow(first + offset, Fault(UNCLOSED, message), decode(line))
