"""Reads a Parquet file in batches of rows. Called by `data.reading.rows_file`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from data.reading.columnar import convert_column, fits, is_text
from data.reading.rows import BadRow, Rows, Wanted, require_columns, sort_out
from data.reading.values import FLOAT, INT, Fault, convert, decode
from fareline.errors import DataError

_ROWS = 16_384  # in a batch
_EXPECTED = {INT: "an integer", FLOAT: "a number"}


def read_parquet(path: Path, wanted: Wanted) -> Iterator[Rows]:
    """Reads a Parquet file in batches; see `data.reading.rows_file.open_rows`."""
    with pyarrow.parquet.ParquetFile(path) as file:
        require_columns(path, file.schema_arrow.names, wanted)
        first = 1
        for batch in file.iter_batches(_ROWS):
            if batch.num_rows:
                _require_types(path, batch, wanted)
                yield _read_batch(batch, wanted, first)
            first += batch.num_rows


def _require_types(path: Path, batch: pa.RecordBatch, wanted: Wanted) -> None:
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        # Of what type the nothing is says nothing, as where the model was trained.
        if name not in wanted.kinds or array.null_count == len(array):
            continue
        kind = wanted.kinds[name]
        if not fits(str(path), name, array.type, kind):
            raise DataError.explain(
                str(path),
                f"column {name!r} is {array.type}",
                f"expected {_EXPECTED.get(kind, 'text')}",
                "write the column with that type",
            )


def _read_batch(batch: pa.RecordBatch, wanted: Wanted, first: int) -> Rows:
    columns = {
        name: array.dictionary_decode() if isinstance(array, pa.DictionaryArray) else array
        for name, array in zip(batch.schema.names, batch.columns, strict=True)
    }
    faults: dict[int, Fault] = {}
    for name, array in columns.items():
        # Of a text column nobody but the writer has looked at the bytes.
        if name not in wanted.kinds and is_text(array.type):
            for index, (reason, message) in convert(array.cast(pa.binary()), "text")[1].items():
                faults.setdefault(index, Fault(reason, f"{name}: {message}"))
    features = sort_out(columns, wanted, faults, convert_column)
    good = np.ones(batch.num_rows, bool)
    good[list(faults)] = False
    keep = pa.array(good)
    bad = [BadRow(first + i, fault, _row(columns, i)) for i, fault in sorted(faults.items())]
    source = pa.RecordBatch.from_arrays(list(columns.values()), list(columns)).filter(keep)
    return Rows(source, {n: a.filter(keep) for n, a in features.items()}, bad=bad)


def _row(columns: dict[str, pa.Array], index: int) -> dict[str, object]:
    row = {}
    for name, array in columns.items():
        value = array[index]
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            value = value.cast(pa.binary()) if value.is_valid else value
        value = value.as_py()
        row[name] = decode(value) if isinstance(value, bytes) else value
    return row
