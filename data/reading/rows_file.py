"""Opens a file of rows to predict, whatever its format, and reads it in batches.

Called by `runners.publishing.batch_prediction`. Nothing is held but one batch; the order of rows is
kept.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from data.reading.csv_header import COMMAS, CsvFormat
from data.reading.rows import Rows, Wanted
from data.reading.rows_csv import read_csv
from data.reading.rows_json import read_json_lines
from data.reading.rows_parquet import read_parquet
from fareline.errors import DataError

_READERS = {
    ".csv": read_csv, ".jsonl": read_json_lines, ".parquet": read_parquet,
    ".csv.gz": read_csv, ".jsonl.gz": read_json_lines,
}  # fmt: skip


def open_rows(path: Path, wanted: Wanted, csv_format: CsvFormat = COMMAS) -> Iterator[Rows]:
    """Reads a file in batches.

    Args:
        path: Ends in `.csv`, `.jsonl`, these with `.gz`, or `.parquet`.
        wanted: What rows must be like.
        csv_format: How it is written, if it is CSV.

    Raises:
        DataError: The file cannot be read, or lacks a required column, or has it of another type.
    """
    ending = next((each for each in _READERS if path.name.endswith(each)), "")
    if not path.is_file() or not ending:
        found = f"ends in {path.suffix or 'nothing'}" if path.is_file() else "no such file"
        raise DataError.explain(
            str(path),
            "is a folder" if path.is_dir() else found,
            f"expected a file that ends in {', '.join(_READERS)}",
            "check the path",
        )
    try:
        if ending.startswith(".csv"):
            yield from read_csv(path, wanted, csv_format)
        else:
            yield from _READERS[ending](path, wanted)
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
