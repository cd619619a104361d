"""A query over files of this machine, answered by DuckDB in Arrow batches.

Each table is some Parquet or CSV files; the query can read these and nothing else: file system,
extensions, settings and Python's variables are locked away from it. DuckDB runs on one thread, so
that the rows come in the same order every time, and puts on disk what its memory does not hold.
Called by `data.sources.query` and `pipeline.ingest.beam_query`. Imports DuckDB when asked.
"""

import contextlib
import dataclasses
import re
import string
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from data.reading.batches import Batch
from data.reading.column_types import held_kinds
from data.reading.columnar import require_distinct, to_batch, types_of
from data.reading.csv_blocks import read_header, unpacked
from data.reading.csv_header import COMMAS, CsvFormat, require_no_keys
from data.reading.kinds import kind_of_key
from data.reading.packed import require_whole
from data.reading.pieces import PARQUET, format_of, reading, without_spellings
from data.sources import locked_duckdb
from data.sources.hive import Keys
from fareline.errors import DataError
from fareline.kinds import INT
from fareline.scratch import scratch_folder

QUERY = "query"  # the source of its rows, where others have the path of a file
_ROWS_OF_A_BATCH = 65_536
_MEMORY = "1GB"
_FILE_COLUMN = "fareline_source_file"
_LOWER = {ord(upper): upper.lower() for upper in string.ascii_uppercase}
_ORDER = "expected the same columns in the same order in all files of a table"


@dataclasses.dataclass(frozen=True)
class LocalQuery:
    """A query, and what it may read.

    Attributes:
        text: One SELECT.
        tables: Name, with a schema before it or without, to paths of this machine.
        text_columns: Columns of CSV files that are text, whatever they look like.
        where: The setting that the query stands in.
        csv_format: Format of CSV files.
        keys: File to the columns that its folders say.
    """

    text: str
    tables: Mapping[str, Sequence[str]]
    text_columns: Collection[str] = ()
    where: str = "data.source.sql.query"
    csv_format: CsvFormat = COMMAS
    keys: Mapping[str, Keys] = dataclasses.field(default_factory=dict)


@contextlib.contextmanager
def open_query(query: LocalQuery) -> Iterator[pa.RecordBatchReader]:
    """Starts to answer a query.

    Args:
        query: Query to answer.

    Yields:
        Its rows, in batches, as they are made.

    Raises:
        DataError: The query is not one SELECT, or DuckDB cannot answer it: with line and column.
    """
    with _connected(query) as connection:
        with explaining(query):
            _require_one_select(query, connection)
            answer = connection.execute(query.text)
            whole = [kind == "HUGEINT" for _, kind, *_ in answer.description]
            reader = answer.to_arrow_reader(_ROWS_OF_A_BATCH)
        require_distinct(query.where, tuple(reader.schema.names))
        yield _with_int64(query, reader, whole)


def read_query(query: LocalQuery, kinds: Mapping[str, str]) -> Iterator[Batch]:
    """Reads the rows of a query.

    Args:
        query: Query to answer.
        kinds: Kinds of columns that a schema describes; see `data.reading.batches`. Others are what
            DuckDB says.

    Raises:
        DataError: See `open_query`; or a column of `kinds` has a type that no example can hold.
    """
    with open_query(query) as reader:
        kinds = {**kinds_of_answer(reader.schema), **kinds}
        first = 1
        for batch in reader:
            yield without_spellings(to_batch(QUERY, batch, first, kinds), query.csv_format)
            first += batch.num_rows


def kinds_of_answer(schema: pa.Schema) -> dict[str, str]:
    """Kinds of the columns, without columns that no example can hold."""
    return held_kinds({field.name: field.type for field in schema})


def count_rows(query: LocalQuery) -> dict[str, int]:
    """Number of rows of each file of the query's tables."""
    counted = {path: 0 for paths in query.tables.values() for path in paths}
    with _connected(query) as connection:
        for paths in query.tables.values():
            reader = _reader(connection, paths, query, _FILE_COLUMN)
            rows = connection.execute(
                f"SELECT {_FILE_COLUMN}, count(*) FROM {reader} GROUP BY {_FILE_COLUMN}"
            )
            counted.update(rows.fetchall())
    return counted


@contextlib.contextmanager
def _connected(query: LocalQuery) -> Iterator[Any]:
    """A database that holds the tables and can reach nothing else, and cannot be told to."""
    with scratch_folder("fareline-query-") as folder:
        limits = {"memory_limit": _text(_MEMORY), "temp_directory": _text(folder)}
        with locked_duckdb.connected(limits) as connection:
            connection.execute("SELECT setseed(0)")  # random() is the same every time
            for name, paths in query.tables.items():
                _add_table(query, connection, name, paths)
            allowed = [path for paths in query.tables.values() for path in paths]
            connection.execute(f"SET allowed_paths = {_list(allowed)}")
            locked_duckdb.lock(connection)
            yield connection


def _add_table(query: LocalQuery, connection: Any, name: str, paths: Sequence[str]) -> None:
    schema, _, table = name.rpartition(".")
    if schema:
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    named = f'"{schema}"."{table}"' if schema else f'"{table}"'
    with _explaining_files(name, paths):
        columns = _key_columns(query, paths)
        reader = _reader(connection, paths, query, _FILE_COLUMN if columns else "")
        chosen = f"* EXCLUDE ({_FILE_COLUMN}), {columns}" if columns else "*"
        connection.execute(f"CREATE VIEW {named} AS SELECT {chosen} FROM {reader}")


def _key_columns(query: LocalQuery, paths: Sequence[str]) -> str:
    """SQL of the columns that folders say, by each row's file; empty if they say none."""
    columns = []
    for name in query.keys.get(paths[0], ()):
        values = [query.keys[path].get(name) for path in paths]
        kinds = {kind_of_key(value) for value in values if value is not None}
        made = "BIGINT" if kinds == {INT} and name not in query.text_columns else "VARCHAR"
        listed = ", ".join("NULL" if value is None else _text(value) for value in values)
        texts = f"map_extract(map({_list(paths)}, [{listed}]), {_FILE_COLUMN})[1]"
        quoted = name.replace('"', '""')
        columns.append(f'CAST({texts} AS {made}) AS "{quoted}"')
    return ", ".join(columns)


def _reader(connection: Any, paths: Sequence[str], query: LocalQuery, file_column: str = "") -> str:
    """The table function that reads some files."""
    more = f", filename = '{file_column}'" if file_column else ""
    if format_of(paths[0]) == PARQUET:
        for path in paths:
            with reading(path):
                names = tuple(types_of(path, PARQUET, _open))
            _require_distinct_in_sql(path, names, query)
        return f"read_parquet({_list(paths)}, hive_partitioning = false{more})"
    names = _csv_names(paths, query.csv_format)
    _require_distinct_in_sql(paths[0], names, query)
    dialect = (
        f"{_list(paths)}, delim = {_text(query.csv_format.separator)}, quote = '\"', "
        f"escape = '\"', header = true, decimal_separator = {_text(query.csv_format.decimal)}"
    )
    texts = [name for name in names if name in query.text_columns]
    typed = f", types = {_struct(dict.fromkeys(texts, 'VARCHAR'))}" if texts else ""
    # What columns are say all their values, as with other CSV sources, and not the first ones.
    looked_at = connection.execute(
        f"SELECT * FROM read_csv({dialect}, sample_size = -1, hive_partitioning = false, "
        f"auto_type_candidates = ['BIGINT', 'DOUBLE', 'VARCHAR']{typed}) LIMIT 0"
    )
    columns = {
        name: str(kind) for name, (_, kind, *_) in zip(names, looked_at.description, strict=True)
    }
    return (
        f"read_csv({dialect}, auto_detect = false, hive_partitioning = false, "
        f"columns = {_struct(columns)}{more})"
    )


def _csv_names(paths: Sequence[str], csv_format: CsvFormat) -> tuple[str, ...]:
    found = []
    for path in paths:
        with reading(path), open(path, "rb") as stream:
            require_whole(path, _open)
            found.append(read_header(unpacked(stream, path), path, csv_format).names)
        if found[-1] != found[0]:
            raise DataError.explain(
                path,
                f"its header differs from that of {paths[0]}",
                _ORDER,
                "make tables of their own of them, and join these in the query",
            )
    return found[0]


def _open(path: str):
    return open(path, "rb")


def _require_distinct_in_sql(path: str, names: Sequence[str], query: LocalQuery) -> None:
    """Refuses columns that are one to DuckDB, which passes over the case of A to Z, or none."""
    known: dict[str, str] = {}
    keys = query.keys.get(path, {})
    require_no_keys(path, names, keys)
    if "" in names:
        raise DataError.explain(
            path,
            "has a column without a name",
            "expected a name for each column, as SQL has it",
            "name it, or read the file with data.source.files",
        )
    for name in (*names, *keys):
        other = known.setdefault(name.translate(_LOWER), name)
        if other != name:
            raise DataError.explain(
                path,
                f"has the columns {other!r} and {name!r}",
                "expected names that differ by more than the case of letters, as SQL has it",
                "rename one of them, or read the file with data.source.files",
            )


def _require_one_select(query: LocalQuery, connection: Any) -> None:
    kinds = [statement.type.name for statement in connection.extract_statements(query.text)]
    if kinds != ["SELECT"]:
        found = f"found {' and '.join(kinds)}" if kinds else "is empty"
        raise DataError.explain(
            query.where, found, "expected one SELECT", "write one query, without anything else"
        )


def _with_int64(
    query: LocalQuery, reader: pa.RecordBatchReader, whole: Sequence[bool]
) -> pa.RecordBatchReader:
    """What DuckDB counts in 128 bits, such as sums of integers, in 64, as BigQuery does."""
    fields = [
        pa.field(field.name, pa.int64()) if is_whole else field
        for field, is_whole in zip(reader.schema, whole, strict=True)
    ]
    schema = pa.schema(fields)

    def batches() -> Iterator[pa.RecordBatch]:
        with explaining(query):
            for batch in reader:
                columns = [
                    array.cast(pa.int64()) if is_whole else array
                    for array, is_whole in zip(batch.columns, whole, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches()) if any(whole) else reader


@contextlib.contextmanager
def explaining(query: LocalQuery) -> Iterator[None]:
    """Turns what DuckDB says of a query into one line, with the place in the query."""
    import duckdb

    try:
        yield
    except DataError:
        raise
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise explain(query, str(error)) from error


def explain(query: LocalQuery, text: str) -> DataError:
    """Words an error of DuckDB."""
    found, *others = [line for line in text.split("\n\n")[0].splitlines() if line.strip()]
    found = found.strip().rstrip("!.")
    found = re.sub(r"^(\w+ )+Error: ", "", found)
    tables = f"the tables are {', '.join(query.tables)}"
    expected, hint = "expected a query that DuckDB can answer", tables
    if "file system operations are disabled" in found:
        found = found.partition(" - ")[0]
        expected = f"expected a query of the tables alone, and {tables}"
        hint = f"name the file in {query.where.rpartition('.')[0]}.files"
    elif others and others[0].startswith("Candidate bindings: "):
        names = others[0].removeprefix("Candidate bindings: ").replace('"', "").split(", ")
        hint = f"did you mean {' or '.join(names[:2])}"
    elif others and others[0].startswith("Did you mean ") and "Table with name" not in found:
        hint = f"did you mean {others[0].removeprefix('Did you mean ').strip('?').strip(chr(34))}"
    return DataError.explain(f"{query.where}{_place(text)}", found, expected, hint)


def _place(text: str) -> str:
    """`, line 2, column 3`, where DuckDB says so."""
    match = re.search(r"^(LINE (\d+): )(.*)\n( *)\^", text, re.MULTILINE)
    if match is None:
        return ""
    column = len(match[4]) - len(match[1]) + 1
    cut = match[3].startswith("...")
    return f", line {match[2]}" + ("" if cut else f", column {column}")


@contextlib.contextmanager
def _explaining_files(table: str, paths: Sequence[str]) -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        # DuckDB says in which line, shows its text, and then says what is wrong there.
        told = str(error).partition("\n\n")[0].splitlines()
        found = ": ".join(line for line in told if not line.startswith("Original Line:"))
        is_other = "utf-8 encoded" in found
        raise DataError.explain(
            f"table {table}",
            f"{paths[0]}{' and others' if len(paths) > 1 else ''} cannot be read "
            f"({found.rstrip('.')})",
            "expected Parquet or CSV files" + " in UTF-8" * is_other,
            "convert the file, for example with iconv" if is_other else "check the files",
        ) from error


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _struct(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_text(name)}: {_text(kind)}" for name, kind in values.items()) + "}"
