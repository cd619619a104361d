"""Opens a file of rows to predict, whatever its format, and reads it in batches.

Called by `runners.publishing.batch_prediction`. Nothing is held but one batch; the order of rows is
kept.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from data.reading.columnar import read_rows
from data.reading.csv_header import COMMAS, CsvFormat
from data.reading.rows import Rows, Wanted
from data.reading.rows_csv import read_csv
from data.reading.rows_json import read_json_lines
from fareline.errors import DataError

_CSV, _JSON = (".csv", ".csv.gz"), (".jsonl", ".jsonl.gz")
_TYPED = {".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow"}
_ENDINGS = (".csv", ".jsonl", ".parquet", ".arrow", ".feather", ".csv.gz", ".jsonl.gz")


def open_rows(path: Path, wanted: Wanted, csv_format: CsvFormat = COMMAS) -> Iterator[Rows]:
    """Reads a file in batches.

    Args:
        path: Ends in one of `.csv`, `.jsonl`, `.parquet`, `.arrow`, `.feather`, `.csv.gz`,
            `.jsonl.gz`.
        wanted: What rows must be like.
        csv_format: How it is written, if it is CSV; and what is spelled as missing in it.

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
            yield from read_csv(path, wanted, csv_format)
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
