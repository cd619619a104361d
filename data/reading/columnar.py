"""Reads Parquet and Arrow (Feather) files into batches, and into rows to predict.

Their columns have types already: `data.reading.column_types` says what becomes of each. Called by
`data.reading.pieces` and `data.reading.rows_file`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from data.reading.batches import UNKNOWN, Batch
from data.reading.column_types import (
    held_kinds,
    is_beyond_int64,
    is_list,
    is_text,
    kind_of_type,
    plain_array,
    plain_form,
)
from data.reading.csv_header import COMMAS, CsvFormat, require_possible_names, spellings_of
from data.reading.rows import BadRow, Rows, Wanted, require_columns, sort_out
from data.reading.values import TYPES, Fault, convert, decode
from fareline.errors import DataError
from fareline.kinds import FLOAT, INT, STRING

_ROWS_OF_A_PIECE = 250_000
_ROWS_OF_A_BATCH = 65_536
Open = Callable[[str], BinaryIO]


def plan(
    path: str, file_format: str, open_file: Open
) -> list[tuple[tuple[str, ...], int, int, int]]:
    """Names, first and last group of rows, and first row (from 1), of each piece."""
    with open_file(path) as stream:
        file, sizes = _open(stream, file_format)
        names = tuple(_schema(file).names)
        require_distinct(path, names)
        pieces, start, first, rows = [], 0, 1, 0
        for group, size in enumerate(sizes):
            rows += size
            if rows >= _ROWS_OF_A_PIECE or group == len(sizes) - 1:
                pieces.append((names, start, group + 1, first))
                start, first, rows = group + 1, first + rows, 0
    return pieces or [(names, 0, 0, 1)]


def _open(stream: BinaryIO, file_format: str) -> tuple[Any, list[int]]:
    source = pa.PythonFile(stream, mode="r")
    if file_format == "parquet":
        file = pyarrow.parquet.ParquetFile(source)
        return file, [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    file = pa.ipc.open_file(source)
    return file, [file.get_batch(i).num_rows for i in range(file.num_record_batches)]


def require_distinct(path: str, names: tuple[str, ...]) -> None:
    """Refuses two columns of one name, and names that cannot be.

    Raises:
        DataError: There are.
    """
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError.explain(
            path, f"has two columns {repeated[0]!r}", "expected each name once", "rename one"
        )
    require_possible_names(path, names)


def kinds(
    path: str,
    file_format: str,
    known: Mapping[str, str],
    open_file: Open,
    groups: tuple[int, int | None] = (0, None),
) -> dict[str, str]:
    """Types of the columns that `known` lacks, without columns that no example can hold."""
    with open_file(path) as stream:
        file, sizes = _open(stream, file_format)
        types = {field.name: field.type for field in _schema(file)}
        found = held_kinds({name: kind for name, kind in types.items() if name not in known})
        large = [name for name in found if _is_uint64(types[name])]
        for batch in _batches(file, groups, sizes, large) if large else ():
            for name in large:  # an integer that examples cannot hold is a number that they can
                if is_beyond_int64(batch[name]):
                    found[name] = FLOAT
    return found


def types_of(path: str, file_format: str, open_file: Open) -> dict[str, pa.DataType]:
    """The types of the columns of a file.

    Raises:
        DataError: Two of them have one name, or one has a name that cannot be.
    """
    with open_file(path) as stream:
        schema = _schema(_open(stream, file_format)[0])
    require_distinct(path, tuple(schema.names))
    return {field.name: field.type for field in schema}


def _schema(file: Any) -> pa.Schema:
    return file.schema_arrow if hasattr(file, "schema_arrow") else file.schema


def _is_uint64(kind: pa.DataType) -> bool:
    return pa.types.is_uint64(kind.value_type if is_list(kind) else kind)


def _batches(
    file: Any, groups: tuple[int, int | None], sizes: list[int], names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Some groups of rows, of these columns; others are not even decoded where that can be."""
    start, stop = groups
    for group in range(start, len(sizes) if stop is None else stop):
        if hasattr(file, "schema_arrow"):
            every = list(names) == file.schema_arrow.names
            columns = None if every else list(names)
            yield from file.iter_batches(_ROWS_OF_A_BATCH, row_groups=[group], columns=columns)
        else:
            table = pa.Table.from_batches([file.get_batch(group)])
            yield from table.to_batches(max_chunksize=_ROWS_OF_A_BATCH)


def read(
    path: str,
    file_format: str,
    groups: tuple[int, int | None],
    first_row: int,
    kinds: Mapping[str, str],
    open_file: Open,
) -> Iterator[Batch]:
    """Reads groups of rows; see `data.reading.pieces.read_piece`."""
    with open_file(path) as stream:
        file, sizes = _open(stream, file_format)
        names = [name for name in _schema(file).names if name in kinds]
        for batch in _batches(file, groups, sizes, names):
            yield to_batch(path, batch, first_row, kinds)
            first_row += batch.num_rows


def first_rows(path: str, file_format: str, rows: int) -> dict[str, pa.Array]:
    """The first values of each column that examples can hold; of a file on this machine."""
    with open(path, "rb") as stream:
        file, sizes = _open(stream, file_format)
        names = list(held_kinds({field.name: field.type for field in _schema(file)}))
        batch = next(_batches(file, (0, min(1, len(sizes))), sizes, names), None)
        return {} if batch is None else {name: batch[name].slice(0, rows) for name in names}


def to_batch(path: str, batch: pa.RecordBatch, first_row: int, kinds: Mapping[str, str]) -> Batch:
    """Converts typed columns (see `data.reading.batches`); sets apart rows that do not fit.

    Columns that have no kind are those that nothing uses and that no example can hold.
    """
    columns: dict[str, pa.Array] = {}
    faults: dict[int, Fault] = {}
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        if name not in kinds:
            continue
        if array.null_count == len(array):  # of what type the nothing is says nothing
            array = pa.nulls(len(array))
        if pa.types.is_null(array.type):
            columns[name] = array if kinds[name] == UNKNOWN else array.cast(TYPES[kinds[name]])
            continue
        require_fitting(path, name, array.type, kinds[name])
        columns[name], found = convert_column(array, kinds[name])
        for index, (reason, message) in found.items():
            faults.setdefault(index, Fault(reason, f"{name}: {message}"))
    if not faults:
        return Batch(path, columns, batch.num_rows)
    good = np.ones(batch.num_rows, bool)
    good[list(faults)] = False
    bad = [BadRow(first_row + i, fault, _row(batch, i)) for i, fault in sorted(faults.items())]
    kept = Batch(path, columns, batch.num_rows).take(pa.array(good))
    return Batch(path, kept.columns, kept.rows, bad)


def read_rows(
    path: Path, file_format: str, wanted: Wanted, csv_format: CsvFormat = COMMAS
) -> Iterator[Rows]:
    """Reads rows to predict; see `data.reading.rows_file.open_rows`."""
    with open(path, "rb") as stream:
        file, sizes = _open(stream, file_format)
        names, first = _schema(file).names, 1
        require_columns(path, names, wanted)
        for batch in _batches(file, (0, None), sizes, names):
            if batch.num_rows:
                _require_wanted_types(str(path), batch, wanted)
                yield _to_rows(batch, wanted, first, csv_format)
            first += batch.num_rows


def _require_wanted_types(path: str, batch: pa.RecordBatch, wanted: Wanted) -> None:
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        # Of what type the nothing is says nothing, as where the model was trained.
        if name not in wanted.kinds or array.null_count == len(array):
            continue
        if not fits(path, name, array.type, wanted.kinds[name]):
            expected = {INT: "an integer", FLOAT: "a number"}.get(wanted.kinds[name], "text")
            raise DataError.explain(
                path,
                f"column {name!r} is {array.type}",
                f"expected {expected}",
                "write the column with that type",
            )


def _to_rows(batch: pa.RecordBatch, wanted: Wanted, first: int, csv_format: CsvFormat) -> Rows:
    columns = {
        name: plain_form(array)
        for name, array in zip(batch.schema.names, batch.columns, strict=True)
    }
    faults: dict[int, Fault] = {}
    for name, array in columns.items():
        # Of a text column nobody but the writer has looked at the bytes.
        if name not in wanted.kinds and is_text(array.type):
            for index, (reason, message) in convert(array.cast(pa.binary()), "text")[1].items():
                faults.setdefault(index, Fault(reason, f"{name}: {message}"))
    features = sort_out(columns, wanted, faults, convert_column, partial(spellings_of, csv_format))
    good = np.ones(batch.num_rows, bool)
    good[list(faults)] = False
    keep = pa.array(good)
    source = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    bad = [BadRow(first + i, fault, _row(source, i)) for i, fault in sorted(faults.items())]
    features = {name: array.filter(keep) for name, array in features.items()}
    return Rows(source.filter(keep), features, bad=bad)


def fits(path: str, name: str, found: pa.DataType, kind: str) -> bool:
    """Whether a column of this type can become a kind; a column of nothing can become any.

    Raises:
        DataError: Examples can hold nothing of it.
    """
    own = kind_of_type(path, name, found)
    return own in (UNKNOWN, kind) or {own, kind} == {INT, FLOAT}


def require_fitting(path: str, name: str, found: pa.DataType, kind: str) -> None:
    """Refuses a column whose type cannot become a kind.

    Raises:
        DataError: The type does not fit the kind.
    """
    if not fits(path, name, found, kind):
        expected = {INT: "integers", FLOAT: "numbers"}.get(kind, "text")
        raise DataError.explain(
            path,
            f"column {name!r} is {found}",
            f"expected {expected}, as other files or the schema have it",
            "write the column with that type",
        )


def convert_column(array: pa.Array, kind: str) -> tuple[pa.Array, dict[int, Fault]]:
    """Converts a typed column to what an example holds: see `data.reading.batches`.

    Args:
        array: Array of a type that `fits`.
        kind: To what.

    Returns:
        The column, and what is wrong with it, by row.
    """
    if array.null_count == len(array):
        return pa.nulls(len(array), TYPES[kind]), {}
    array = plain_array(array, kind)
    if not is_list(array.type):
        if kind == STRING and not is_text(array.type):
            return array.cast(pa.large_binary()), {}  # bytes as they are: an image, say
        return convert(array, kind)
    inner, faults = convert_column(array.flatten(), kind)
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
    rows = np.repeat(np.arange(len(array)), lengths)
    if inner.null_count > len(faults):
        empty = set(np.flatnonzero(inner.is_null().to_numpy(zero_copy_only=False)).tolist())
        for index in empty - set(faults):
            faults[index] = Fault("missing_value", "nothing within a list; expected a value")
    ends = np.concatenate([[0], np.cumsum(lengths)])
    wanted = inner.cast(pa.float32(), safe=False) if kind == FLOAT else inner
    made = pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), wanted)
    return made, {int(rows[index]): fault for index, fault in faults.items()}


def _row(batch: pa.RecordBatch, index: int) -> dict[str, object]:
    row = {}
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        value = array[index]
        if is_text(array.type) and value.is_valid:
            value = value.cast(pa.binary())
        value = value.as_py()
        row[name] = decode(value) if isinstance(value, bytes) else value
    return row
