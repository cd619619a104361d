"""Opens a file of rows to predict, whatever its format, and reads it in batches.

A CSV file is read in the blocks and by the rules of training; every cell is kept as it is written,
for the output, and converted as the model takes it; a line without any value is no row. Called by
`runners.publishing.batch_prediction`. Memory holds one batch at a time; the order of rows is kept.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from data.reading.columnar import read_rows
from data.reading.csv_batches import convert_cells, parse_records, unclosed_rows
from data.reading.csv_blocks import BLOCK_BYTES, Block, iter_blocks, read_header, unpacked
from data.reading.csv_header import COMMAS, CsvFormat, spellings_of
from data.reading.missing import without_spelled
from data.reading.rows import BadRow, Rows, Wanted, require_columns, sort_out
from data.reading.rows_json import read_json_lines
from data.reading.values import Fault, convert
from fareline.errors import DataError

_BLOCK_BYTES = BLOCK_BYTES
_CSV, _JSON = (".csv", ".csv.gz"), (".jsonl", ".jsonl.gz")
_TYPED = {".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow"}
_ENDINGS = (".csv", ".jsonl", ".parquet", ".arrow", ".feather", ".csv.gz", ".jsonl.gz")


def open_rows(path: Path, wanted: Wanted, csv_format: CsvFormat = COMMAS) -> Iterator[Rows]:
    """Reads a file in batches.

    Args:
        path: Ends in one of `.csv`, `.jsonl`, `.parquet`, `.arrow`, `.feather`, `.csv.gz`,
            `.jsonl.gz`.
        wanted: Requirements for the rows.
        csv_format: Format of a CSV file, and its spellings of missing values.

    Raises:
        DataError: The file cannot be read, or lacks a required column, or has it of another type.
    """
    ending = next((each for each in _ENDINGS if path.name.endswith(each)), "")
    if not path.is_file() or not ending:
        found = f"ends in {path.suffix or 'nothing'}" if path.is_file() else "no such file"
        raise DataError.explain(
            str(path),
            "is a folder" if path.is_dir() else found,
            f"expected a file that ends in {', '.join(_ENDINGS)}",
            "check the path",
        )
    try:
        if ending.endswith(".gz") and not path.stat().st_size:
            raise EOFError("it is empty, as no gzip file is")
        if ending in _CSV:
            yield from _read_csv(path, wanted, csv_format)
        elif ending in _JSON:
            yield from read_json_lines(path, wanted, csv_format)
        else:
            yield from read_rows(path, _TYPED[ending], wanted, csv_format)
    except (OSError, EOFError, pa.ArrowException) as error:
        if isinstance(error, DataError):
            raise
        found = str(error).partition("\n")[0].rstrip(".")
        raise DataError.explain(
            str(path),
            f"cannot be read ({found})",
            f"expected a {ending} file",
            "check the file and its permissions",
        ) from error


def _read_csv(path: Path, wanted: Wanted, csv_format: CsvFormat) -> Iterator[Rows]:
    """Reads a CSV file in batches; see `open_rows`."""
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
    spellings = partial(spellings_of, csv_format)
    filled = {name: without_spelled(array, spellings(name)) for name, array in columns.items()}
    to_kind = partial(convert_cells, csv_format=csv_format)
    features = sort_out(filled, wanted, faults, to_kind, spellings)
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
