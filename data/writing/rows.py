"""Writes predicted rows to a CSV, JSON lines or Parquet file, which appears complete or not at all.

Called by `runners.publishing.batch_prediction`.
"""

import contextlib
import csv
import decimal
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from data.reading.column_types import is_bytes, is_list
from data.reading.rows import Rows
from data.reading.values import decode
from fareline.errors import DataError
from fareline.files import written_beside


class RowWriter(Protocol):
    """Takes batches of rows with the columns that were added to them."""

    def write(self, rows: Rows, added: Mapping[str, pa.Array]) -> None:
        """Writes a batch; `added` has one value per row."""


@contextlib.contextmanager
def open_writer(path: Path) -> Iterator[RowWriter]:
    """Opens a file to write, beside its place; renames it to its place when all went well.

    Args:
        path: Ends in `.csv`, `.jsonl` or `.parquet`; what is there is replaced.
    """
    with written_beside(path) as part:
        writer = _WRITERS[path.suffix](part)
        try:
            yield writer
        finally:
            writer.close()


def require_writable(path: Path) -> None:
    """Refuses an output of an unknown format, or in a folder that is not there.

    Raises:
        DataError: The file cannot be written.
    """
    found = None
    if path.suffix not in _WRITERS:
        found = f"ends in {path.suffix or 'nothing'}"
    elif not path.parent.is_dir():
        found = "its folder is not there"
    elif path.is_dir():
        found = "is a folder"
    elif not os.access(path.parent, os.W_OK):
        found = "its folder cannot be written"
    if found is not None:
        expected = f"expected a file that ends in {', '.join(_WRITERS)}, in a folder that is there"
        raise DataError.explain(str(path), found, expected, "name another --output")


class _CsvWriter:
    """Text as it was; quotes only where they are needed."""

    def __init__(self, path: Path):
        self._path = path
        self._file = open(path, "w", encoding="utf-8", newline="")  # noqa: SIM115 - closed by close
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._begun = False

    def write(self, rows: Rows, added: Mapping[str, pa.Array]) -> None:
        names = [*rows.source.schema.names, *added]
        if not self._begun:
            # A name that begins with a byte order mark is one in quotes alone.
            marked = names[0].startswith("\ufeff")
            quoting = csv.QUOTE_ALL if marked else csv.QUOTE_MINIMAL
            csv.writer(self._file, lineterminator="\n", quoting=quoting).writerow(names)
            self._begun = True
        arrays = [*rows.source.columns, *added.values()]
        texts = [_as_text(name, array) for name, array in zip(names, arrays, strict=True)]
        self._writer.writerows(zip(*texts, strict=True))

    def close(self) -> None:
        self._file.close()


class _JsonWriter:
    """One object per line; of JSON lines the object that came in, with all its keys."""

    def __init__(self, path: Path):
        self._file = open(path, "w", encoding="utf-8")  # noqa: SIM115 - closed by close

    def write(self, rows: Rows, added: Mapping[str, pa.Array]) -> None:
        records: Any = rows.records
        if records is None:
            typed = rows.typed()
            records = _records(dict(zip(typed.schema.names, typed.columns, strict=True)))
        for record, more in zip(records, _records(added), strict=True):
            line = json.dumps({**record, **more}, ensure_ascii=False, default=_plainly)
            self._file.write(line + "\n")

    def close(self) -> None:
        self._file.close()


class _ParquetWriter:
    """Columns with the types of the first batch."""

    def __init__(self, path: Path):
        self._path = path
        self._writer: pyarrow.parquet.ParquetWriter | None = None

    def write(self, rows: Rows, added: Mapping[str, pa.Array]) -> None:
        typed = rows.typed()
        names = [*typed.schema.names, *added]
        table = pa.Table.from_arrays([*typed.columns, *added.values()], names)
        try:
            if self._writer is None:
                self._writer = pyarrow.parquet.ParquetWriter(self._path, table.schema)
            self._writer.write_table(table)
        except pa.ArrowNotImplementedError as error:
            raise DataError.explain(
                "the output",
                f"cannot be Parquet ({error})",
                "expected columns of types that Parquet has",
                "leave the column out, or name an --output that ends in .jsonl",
            ) from error

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


_WRITERS = {".csv": _CsvWriter, ".jsonl": _JsonWriter, ".parquet": _ParquetWriter}


def _as_text(name: str, array: pa.Array) -> Any:
    if is_list(array.type) or pa.types.is_struct(array.type) or pa.types.is_map(array.type):
        return [json.dumps(value, default=_plainly) for value in array.to_pylist()]
    if pa.types.is_decimal(array.type) or pa.types.is_duration(array.type):
        return ["" if value is None else str(value) for value in array.to_pylist()]
    if is_bytes(array.type) or isinstance(array, pa.ExtensionArray):
        # What is no UTF-8 as an escape, as in the quarantine; a UUID as it is written.
        texts = ("" if value is None else str(_plainly(value)) for value in array.to_pylist())
        return [text.replace("\0", "\\x00") for text in texts]  # which csv.writer refuses
    try:
        return pc.fill_null(array.cast(pa.string()), "").to_numpy(zero_copy_only=False)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise DataError.explain(
            f"column {name!r}",
            f"is {array.type}, which CSV has no way to write",
            "expected numbers, texts and times",
            "name an --output that ends in .jsonl or .parquet",
        ) from error


def _plainly(value: Any) -> Any:
    """What JSON has no word for: a decimal as a number, bytes as text, others as Python shows."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    return decode(value) if isinstance(value, bytes) else str(value)


def _records(columns: Mapping[str, pa.Array]) -> Iterator[dict[str, Any]]:
    values = [_plain(array) for array in columns.values()]
    return (dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True))


def _plain(array: pa.Array) -> list[Any]:
    if pa.types.is_floating(array.type):
        # JSON has no NaN; and as short as it can be: 0.1, not 0.10000000149.
        finite = pc.if_else(pc.is_finite(array), array, pa.scalar(None, array.type))
        texts = finite.cast(pa.string()).to_pylist()
        return [None if text is None else float(text) for text in texts]
    return array.to_pylist()
