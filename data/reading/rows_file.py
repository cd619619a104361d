"""Opens a file of rows to predict, whatever its format, and reads it in batches.

Called by `runners.publishing.batch_prediction`. Nothing is held but one batch; the order of rows is
kept.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from data.reading.rows import Rows, Wanted
from data.reading.rows_csv import read_csv
from data.reading.rows_json import read_json_lines
from data.reading.rows_parquet import read_parquet
from fareline.errors import DataError

_READERS = {".csv": read_csv, ".jsonl": read_json_lines, ".parquet": read_parquet}


def open_rows(path: Path, wanted: Wanted) -> Iterator[Rows]:
    """Reads a file in batches.

    Args:
        path: Ends in `.csv`, `.jsonl` or `.parquet`.
        wanted: What rows must be like.

    Raises:
        DataError: The file cannot be read, or lacks a required column, or has it of another type.
    """
    if not path.is_file() or path.suffix not in _READERS:
        ending = f"ends in {path.suffix or 'nothing'}" if path.is_file() else "no such file"
        raise DataError.explain(
            str(path),
            "is a folder" if path.is_dir() else ending,
            f"expected a file that ends in {', '.join(_READERS)}",
            "check the path",
        )
    try:
        yield from _READERS[path.suffix](path, wanted)
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, DataError):
            raise
        found = str(error).partition("\n")[0].rstrip(".")
        hint = "check the file and its permissions"
        if "straddling" in found:
            hint = "look for a quote that is never closed, or a row of more than 16 MB"
        raise DataError.explain(
            str(path), f"cannot be read ({found})", f"expected a {path.suffix} file", hint
        ) from error
