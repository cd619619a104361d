"""Reads rows to predict from a CSV file, in the blocks and by the rules of training.

Every cell is kept as it is written, for the output, and converted as the model takes it; a line
without any value is no row. Called by `data.reading.rows_file`.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from data.reading.csv_batches import convert_cells, parse_records, unclosed_rows
from data.reading.csv_blocks import BLOCK_BYTES, Block, iter_blocks, read_header, unpacked
from data.reading.csv_header import CsvFormat, spellings_of
from data.reading.missing import without_spelled
from data.reading.rows import BadRow, Rows, Wanted, require_columns, sort_out
from data.reading.values import Fault, convert

_BLOCK_BYTES = BLOCK_BYTES


def read_csv(path: Path, wanted: Wanted, csv_format: CsvFormat) -> Iterator[Rows]:
    """Reads a CSV file in batches; see `data.reading.rows_file.open_rows`."""
    with open(path, "rb") as raw:
        header = read_header(unpacked(raw, str(path), csv_format), str(path), csv_format)
    require_columns(path, header.names, wanted)
    with open(path, "rb") as raw:
        stream = unpacked(raw, str(path), csv_format)
        stream.seek(header.end)
        first, separator = 1 + header.lines, csv_format.separator
        for block in iter_blocks(
            stream, str(path), header.end, None, first, _BLOCK_BYTES, separator
        ):
            yield _read_block(block, header.names, wanted, csv_format)


def _read_block(
    block: Block, names: tuple[str, ...], wanted: Wanted, csv_format: CsvFormat
) -> Rows:
    cells, records, right, bad = parse_records(block, names, csv_format)
    faults: dict[int, Fault] = {}
    columns = {}
    for name, array in cells.items():
        columns[name], found = convert(array, "text")
        for index, (reason, message) in found.items():
            faults.setdefault(index, Fault(reason, f"{name}: {message}"))
    blank = np.all([array.is_null() for array in cells.values()], axis=0)
    filled = {n: without_spelled(a, spellings_of(csv_format, n)) for n, a in columns.items()}
    features = sort_out(filled, wanted, faults, partial(convert_cells, csv_format=csv_format))
    features = {n: without_spelled(a, spellings_of(csv_format, n)) for n, a in features.items()}
    for index in np.flatnonzero(blank):
        faults.pop(int(index), None)
    for index, fault in faults.items():
        record = int(right[index])
        row = {name: text or None for name, text in records.by_name(record, names).items()}
        bad.append(BadRow(records.line(record), fault, row))
    good = ~blank
    good[list(faults)] = False
    keep = pa.array(good)
    source = pa.RecordBatch.from_arrays(list(columns.values()), list(columns)).filter(keep)
    return Rows(
        source,
        {name: array.filter(keep) for name, array in features.items()},
        bad=sorted([*bad, *unclosed_rows(block)], key=lambda row: row.line),
        blank=int(blank.sum()) + records.blank,
    )
