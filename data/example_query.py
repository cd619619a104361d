"""Finds examples that meet a condition, with DuckDB, batch by batch.

Called by `cli.data.query` and `report.api`. The condition is the WHERE of a query over one batch
and cannot read other data: DuckDB's access to the file system, extensions, settings and Python's
variables is off. Imports DuckDB, and TensorFlow to read examples, on first use.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data.reading.examples import read_columns
from data.sources import locked_duckdb
from fareline.errors import UserMistake
from fareline.near import near_names

_WHERE = "the condition"
_EXPECTED = "expected SQL over the features, such as: payment_type = 'Cash' and trip_miles > 10"


@dataclasses.dataclass(frozen=True)
class Found:
    """The examples of one split that meet a condition.

    Attributes:
        count: Number of matching examples.
        of: Number of examples in the split.
        first: The first of them: feature to value, None where it is missing. A feature that has
            several values in some example of any split is a list in each.
    """

    count: int
    of: int
    first: Sequence[Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class _Layout:
    """What the examples of all splits have: their features, and which have several values."""

    names: tuple[str, ...] = ()
    lists: frozenset[str] = frozenset()


class _Several(Exception):
    """A feature turned out to have several values in an example."""


class ExampleQuery:
    """A condition for the examples of splits.

    Args:
        condition: SQL, a condition over the names of features. Features that hold text are
            VARCHAR where all of it is UTF-8, else BLOB; others BIGINT or FLOAT; NULL where missing.

    Raises:
        UserMistake: The text is not a single condition.
    """

    def __init__(self, condition: str):
        import duckdb

        try:
            # An expression, not text put into a query: a second statement is refused by the parser.
            self._condition = duckdb.SQLExpression(condition)
        except duckdb.Error as error:
            raise _explain(str(error), ()) from error

    def ask(self, splits: Mapping[str, Sequence[str]], limit: int) -> dict[str, Found]:
        """Reads splits; a second time if later examples have other types than the first ones.

        Args:
            splits: Name to TFRecord files.
            limit: Largest number of examples to return per split.

        Raises:
            UserMistake: The condition is invalid, or uses other names than these features.
            DataError: A file is damaged.
        """
        with locked_duckdb.connected() as connection:
            locked_duckdb.lock(connection)
            try:
                return self._ask(connection, splits, limit, _Layout())
            except (_Several, UserMistake):
                # A feature may be in later examples alone, or be a list in these.
                layout = _layout(path for paths in splits.values() for path in paths)
            return self._ask(connection, splits, limit, layout)

    def filter_all(self, batches: Sequence[pa.RecordBatch]) -> list[pa.Table]:
        """Those rows of each batch that meet the condition.

        Raises:
            UserMistake: The condition is invalid, or uses other names than these features.
        """
        with locked_duckdb.connected() as connection:
            locked_duckdb.lock(connection)
            return [self._filter(connection, batch) for batch in batches]

    def _ask(
        self, connection: Any, splits: Mapping[str, Sequence[str]], limit: int, layout: _Layout
    ) -> dict[str, Found]:
        answers = {}
        names: dict[str, None] = {}
        for name, paths in splits.items():
            count = of = 0
            first: list[Mapping[str, Any]] = []
            for columns in read_columns(paths):
                batch = _flatten(columns, layout)
                names.update(dict.fromkeys(batch.schema.names))
                of += batch.num_rows
                met = self._filter(connection, batch)
                count += met.num_rows
                first += met.slice(0, limit - len(first)).to_pylist()
            answers[name] = Found(count, of, first)
        # A batch lacks the features that none of its examples has.
        missing = dict.fromkeys(names)
        return {
            name: dataclasses.replace(found, first=[missing | row for row in found.first])
            for name, found in answers.items()
        }

    def _filter(self, connection: Any, batch: pa.RecordBatch) -> pa.Table:
        import duckdb
        from pyarrow.dataset import Scanner

        # Of what pyarrow 10 has, this is what today's DuckDB takes.
        scanner = Scanner.from_batches(iter([batch]), schema=batch.schema)
        try:
            return connection.from_arrow(scanner).filter(self._condition).to_arrow_table()
        except duckdb.Error as error:
            raise _explain(str(error), batch.schema.names) from error


def read_table(paths: Sequence[str], query: ExampleQuery | None = None) -> pa.Table:
    """Reads the examples of some files, each feature as one value, or as a list where it has more.

    Args:
        paths: TFRecord files.
        query: Condition for the examples; None: all examples.

    Raises:
        UserMistake: The condition is invalid, or uses other names than these features.
        DataError: A file is damaged.
    """
    layout = _layout(paths)
    batches = [_flatten(columns, layout) for columns in read_columns(paths)]
    if query is not None:
        batches = query.filter_all(batches)
    columns = {
        name: [chunk for batch in batches for chunk in _chunks(batch[name])]
        for name in layout.names
    }
    return pa.table({name: _joined(arrays) for name, arrays in columns.items()})


def _chunks(column: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _joined(arrays: Sequence[pa.Array]) -> pa.ChunkedArray:
    """Of one type: what is no text in one batch is none in any; a batch without values has none."""
    kinds = list(dict.fromkeys(a.type for a in arrays if not pa.types.is_null(a.type)))
    if len(kinds) > 1:
        several = pa.types.is_large_list(kinds[0])
        kinds = [pa.large_list(pa.large_binary()) if several else pa.large_binary()]
    kind = kinds[0] if kinds else pa.null()
    return pa.chunked_array([a if a.type == kind else a.cast(kind) for a in arrays], kind)


def _layout(paths: Iterable[str]) -> _Layout:
    names: dict[str, bool] = {}
    for columns in read_columns(paths):
        for name, array in columns.items():
            names[name] = names.get(name, False) or _has_several(array)
    return _Layout(tuple(names), frozenset(name for name, several in names.items() if several))


def _flatten(columns: Mapping[str, pa.Array], layout: _Layout) -> pa.RecordBatch:
    """Each feature as one value, but for those that are lists."""
    rows = len(next(iter(columns.values()))) if columns else 0
    arrays = {name: pa.nulls(rows) for name in layout.names}
    for name, array in columns.items():
        if name in layout.lists or pa.types.is_null(array.type):
            arrays[name] = _readable(array)
        elif _has_several(array):
            raise _Several(name)
        else:
            arrays[name] = _only_value(array)
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))


def _has_several(array: pa.Array) -> bool:
    if pa.types.is_null(array.type):
        return False
    most = pc.max(pc.list_value_length(array)).as_py()
    return most is not None and most > 1


def _only_value(array: pa.Array) -> pa.Array:
    """`[x]` as x, `[]` and null as null: without a loop over the rows."""
    has_one = pc.equal(pc.fill_null(pc.list_value_length(array), 0), 1)
    ordinals = pc.subtract(pc.cumulative_sum(has_one.cast(pa.int64())), 1)
    return _as_text(array.flatten()).take(pc.if_else(has_one, ordinals, None))


def _readable(array: pa.Array) -> pa.Array:
    if pa.types.is_null(array.type) or not pa.types.is_large_binary(array.type.value_type):
        return array
    text = _as_text(array.values)
    return pa.LargeListArray.from_arrays(_offsets(array), text)


def _offsets(array: pa.Array) -> pa.Array:
    """Where each list begins, null where the list is null."""
    whole = array.offsets
    null = pa.concat_arrays([pc.is_null(array), pa.array([False])])
    return pc.if_else(null, None, whole)


def _as_text(values: pa.Array) -> pa.Array:
    if not pa.types.is_large_binary(values.type):
        return values
    try:
        return values.cast(pa.large_string())
    except pa.ArrowInvalid:  # no UTF-8
        return values


def _explain(text: str, names: Sequence[str]) -> UserMistake:
    """Words an error of DuckDB, in one line."""
    found = text.partition("\n")[0].partition("Error: ")[2].rstrip("!.") or text
    hint = "DuckDB's documentation describes expressions"
    if unknown := re.match(r'Referenced column "(.*)" not found', found):
        near = near_names(unknown[1], names, 3, 0.5)
        found = f"{unknown[1]!r} is not a feature of these examples"
        hint = f"did you mean {' or '.join(near)}" if near else f"they have {', '.join(names)}"
    return UserMistake.explain(_WHERE, found, _EXPECTED, hint)
