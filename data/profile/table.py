"""Reads a whole table into columns, to be looked at: every cell, of all rows.

CSV is read as text, by all cores, since what a column is can only be told from all its cells; the
other formats have types. Called by `runners.own_data`. TensorFlow is loaded for TFRecord alone.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from data.profile.dialect import find_csv_format
from data.profile.no_table import require_table
from data.reading import columnar
from data.reading.csv_blocks import Header, read_header, unpacked
from data.reading.csv_header import CsvFormat
from data.reading.kinds import merge_kinds
from data.reading.pieces import ARROW, CSV, PARQUET, format_of, kinds_in, plan_file, read_piece
from data.reading.pieces import reading as explaining
from data.sources.files import ending_of, find_files
from data.sources.local_query import LocalQuery, open_query
from data.sources.span_patterns import has_span
from data.sources.spans import resolve_spans
from fareline.errors import DataError

_BLOCK_BYTES = 8 << 20


@dataclasses.dataclass(frozen=True)
class Table:
    """A table in memory.

    Attributes:
        columns: By name; of CSV all text, where an empty cell is null; else typed.
        rows: Number of rows.
        csv_format: Format of the CSV files; None: not CSV.
        types: Types of a typed file: what it says its columns are.
        files: Files that were read.
        bad: Rows beside them that cannot be read: of CSV, with more or fewer cells than the header.
    """

    columns: Mapping[str, pa.ChunkedArray]
    rows: int
    csv_format: CsvFormat | None
    types: Mapping[str, pa.DataType]
    files: Sequence[Path]
    bad: int = 0


def read_table(path: Path) -> Table:
    """Reads a file, the files of a folder, or the latest span of a pattern.

    Raises:
        DataError: There is no data to read.
    """
    if has_span(str(path)):
        files: Sequence[Path] = resolve_spans(str(path), None, 1).files
    elif path.is_file() and not ending_of(path):
        files = (path,)  # a CSV file of any name
    else:
        files = find_files(path)[0]
    if format_of(files[0].name) == CSV:
        return _read_csv(files)
    return _read_typed(files)


def read_answer(query: LocalQuery) -> Table:
    """Reads the answer of a query over files.

    Raises:
        DataError: The query cannot be answered.
    """
    with open_query(query) as reader:
        table = pa.Table.from_batches(list(reader), reader.schema)
    return _of_arrow(table, [Path(p) for paths in query.tables.values() for p in paths])


def _read_csv(files: Sequence[Path]) -> Table:
    for file in files:
        if not file.name.endswith(".gz"):
            require_table(file)
    csv_format = find_csv_format(files[0])
    tables, bad = [], [0]
    for file in files:
        tables.append(_read_csv_file(file, csv_format, bad))
    names = tables[0].column_names
    for file, table in zip(files, tables, strict=True):
        if set(table.column_names) != set(names):
            differ = sorted(set(table.column_names) ^ set(names))
            raise DataError.explain(
                str(file),
                f"its columns differ from those of {files[0]} by {', '.join(map(repr, differ))}",
                "expected the same columns in all files",
                "name one kind of files",
            )
    table = pa.concat_tables([each.select(names) for each in tables])
    if not table.num_rows:
        raise DataError.explain(
            str(files[0]), "holds no row", "expected at least one", "check the file"
        )
    columns = {name: table.column(i) for i, name in enumerate(names)}
    return Table(columns, table.num_rows, csv_format, {}, files, bad[0])


def _read_csv_file(file: Path, csv_format: CsvFormat, bad: list[int]) -> pa.Table:
    path = str(file)
    with explaining(path), open(file, "rb") as raw:
        header: Header = read_header(unpacked(raw, path, csv_format), path, csv_format)
    _require_named(path, header)

    def skip(row: Any) -> str:
        bad[0] += 1
        return "skip"

    names = [str(i) for i in range(len(header.names))]
    with explaining(path), open(file, "rb") as raw:
        stream = unpacked(raw, path, csv_format)
        stream.seek(header.end)
        options = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.binary()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        )
        parse = pyarrow.csv.ParseOptions(
            delimiter=csv_format.separator,
            newlines_in_values=True,
            invalid_row_handler=skip,
        )
        read = pyarrow.csv.ReadOptions(column_names=names, block_size=_BLOCK_BYTES)
        if not stream.read(1):
            return pa.table({name: pa.array([], pa.binary()) for name in header.names})
        stream.seek(header.end)
        table = pyarrow.csv.read_csv(stream, read, parse, options)
    return table.rename_columns(list(header.names))


def _require_named(path: str, header: Header) -> None:
    for name in header.names:
        if not name.strip() or any(character in name for character in "\0\n\r"):
            raise DataError.explain(
                path,
                f"has a column {name!r}",
                "expected a name of one line for each column",
                "name the column in the first line",
            )


def _read_typed(files: Sequence[Path]) -> Table:
    path = str(files[0])
    file_format = format_of(path)
    if file_format in (PARQUET, ARROW):
        with explaining(path):
            tables = [_arrow_table(str(file), file_format) for file in files]
            for table in tables:
                columnar.require_distinct(path, tuple(table.column_names))
            return _of_arrow(_joined(tables), files)
    pieces = [piece for file in files for piece in plan_file(str(file), _open)[1]]
    kinds = merge_kinds(kinds_in(piece, {}, _open) for piece in pieces)
    batches = [batch for piece in pieces for batch in read_piece(piece, kinds, _open)]
    bad = sum(len(batch.bad) for batch in batches)
    columns = {}
    for name in kinds:
        arrays = [b.columns.get(name, pa.nulls(b.rows)) for b in batches]
        known = [a.type for a in arrays if not pa.types.is_null(a.type)]
        columns[name] = pa.chunked_array([a.cast(known[0]) if known else a for a in arrays])
    rows = sum(batch.rows for batch in batches)
    types = {name: column.type for name, column in columns.items()}
    return _require_rows(Table(columns, rows, None, types, files, bad), path)


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    """All rows; a column of nothing in one file is of the type that another has."""
    schema = pa.unify_schemas([table.schema.remove_metadata() for table in tables])
    return pa.concat_tables([table.select(schema.names).cast(schema) for table in tables])


def _arrow_table(path: str, file_format: str) -> pa.Table:
    if file_format == PARQUET:
        return pyarrow.parquet.ParquetFile(path).read()
    with pa.memory_map(path) as source:
        return pa.ipc.open_file(source).read_all()


def _of_arrow(table: pa.Table, files: Sequence[Path]) -> Table:
    columns = dict(zip(table.column_names, table.columns, strict=True))
    types = {field.name: field.type for field in table.schema}
    return _require_rows(Table(columns, table.num_rows, None, types, files), str(files[0]))


def _require_rows(table: Table, path: str) -> Table:
    if not table.rows:
        raise DataError.explain(path, "holds no row", "expected at least one", "check the file")
    return table


def _open(path: str):
    return open(path, "rb")
