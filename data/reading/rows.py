"""A batch of rows to predict, with the bad ones set apart, and what rows must be like.

What `data.reading.rows_file` yields, from CSV, JSON lines and Parquet alike: columns as in the
file, for the output, and as the model takes them.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.reading.csv_header import hint_of_separator
from data.reading.missing import without_spelled
from data.reading.values import Fault, convert
from fareline.errors import DataError
from fareline.near import listed, near_names

MISSING = "missing_value"


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Requirements for rows.

    Attributes:
        kinds: Column that the model reads to `int`, `float` or `string`.
        required: Columns of these that must have a value in every row.
        given: Columns that the file's folders say, with their value in every row, as text; what the
            file itself says of them counts.
    """

    kinds: Mapping[str, str]
    required: frozenset[str] = frozenset()
    given: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class BadRow:
    """A row that cannot be predicted.

    Attributes:
        line: Where it begins, from 1; of a Parquet file the number of the row.
        fault: Reason, with `column` and message.
        row: Row, as it is in the file: its values by column, or its text.
    """

    line: int
    fault: Fault
    row: Any


@dataclasses.dataclass(frozen=True)
class Rows:
    """A batch.

    Attributes:
        source: Columns as in the file; of CSV all text.
        features: What the model reads, by column: int64, float64 or large_binary, where null is
            missing; of Parquet also large_lists of int64, float32 or large_binary.
        records: Objects of the JSON lines.
        bad: Rows of the file that are not in here.
        blank: Lines of the file without any value, which are no rows.
    """

    source: pa.RecordBatch
    features: Mapping[str, pa.Array]
    records: Sequence[Mapping[str, Any]] | None = None
    bad: Sequence[BadRow] = ()
    blank: int = 0

    def __len__(self) -> int:
        return self.source.num_rows

    def typed(self) -> pa.RecordBatch:
        """The source's columns, with those that the model reads as numbers where they are."""
        columns = [
            self.features[name]
            if name in self.features
            and _is_number(self.features[name].type)
            and not pa.types.is_boolean(column.type)
            and not pa.types.is_decimal(column.type)
            and not pa.types.is_temporal(column.type)
            else column
            for name, column in zip(self.source.schema.names, self.source.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, self.source.schema.names)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def require_columns(path: Path, names: Sequence[str], wanted: Wanted) -> None:
    """Refuses a file without a required column, without any, or with a column twice."""
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise DataError.explain(
            str(path),
            f"has two columns {twice[0]!r}",
            "expected each name once",
            "rename one of them",
        )
    names = [*names, *(name for name in wanted.given if name not in names)]
    missing = [name for name in wanted.kinds if name in wanted.required and name not in names]
    if missing:
        others = [name for name in names if name not in wanted.kinds]
        near = [m for name in missing for m in near_names(name, others)]
        raise DataError.explain(
            str(path),
            f"lacks the column{'s' * (len(missing) > 1)} {listed(map(repr, missing))}",
            "expected every column that the schema requires in SERVING",
            hint_of_separator(names, missing)
            or (f"did you mean {near[0]!r}" if near else f"it has {listed(names) or 'none'}"),
        )
    if wanted.kinds and not set(names) & set(wanted.kinds):
        pairs = _near_names(names, wanted.kinds)
        alike = ", ".join(f"{name!r} for {other!r}" for other, name in pairs.items())
        raise DataError.explain(
            str(path),
            "has none of the columns that the model reads",
            f"expected some of {listed(wanted.kinds)}",
            hint_of_separator(names, wanted.kinds)
            or (f"name {alike}" if alike else f"it has {listed(names) or 'none'}"),
        )


def _near_names(found: Sequence[str], wanted: Iterable[str]) -> dict[str, str]:
    """Columns that are there, each with one that is wanted and differs by little."""
    plain = {_plain_name(name): name for name in wanted}
    near = {}
    for name in found:
        close = near_names(_plain_name(name), plain, 1, 0.7)
        if close:
            near[name] = plain[close[0]]
    return near


def _plain_name(name: str) -> str:
    """`Trip Miles` as `trip_miles`."""
    return "_".join(re.findall(r"\w+", name.casefold()))


def sort_out(
    columns: Mapping[str, pa.Array],
    wanted: Wanted,
    faults: dict[int, Fault],
    convert: Callable[[pa.Array, str], tuple[pa.Array, dict[int, Fault]]] = convert,
    spellings: Callable[[str], Sequence[str]] = lambda _: (),
) -> dict[str, pa.Array]:
    """Converts the columns that the model reads; adds to `faults` the first of each row.

    Columns that the file lacks are null throughout. `convert` is that of `data.reading.values`, or
    of `data.reading.columnar` where columns have types. `spellings` of missing, of each column, are
    looked for in what it makes, as in training.
    """
    length = len(next(iter(columns.values()))) if columns else 0
    features = {}
    for name, kind in wanted.kinds.items():
        if name in columns:
            features[name], found = convert(columns[name], kind)
        elif name in wanted.given:
            features[name], found = _given(wanted.given[name], kind, length)
        else:
            continue
        for index, (reason, message) in found.items():
            faults.setdefault(index, Fault(reason, f"{name}: {message}"))
        features[name] = without_spelled(features[name], spellings(name))
        if name in wanted.required:
            for index in _find_missing(features[name]):
                message = f"{name}: no value; expected one in every row"
                faults.setdefault(int(index), Fault(MISSING, message))
    assert all(len(array) == length for array in features.values())
    return features


def _given(value: str, kind: str, rows: int) -> tuple[pa.Array, dict[int, Fault]]:
    """A column of one value, which is wrong in every row if it is of another kind."""
    one, faults = convert(pa.array([value], pa.large_string()), kind)
    wrong = {row: fault for row in range(rows) for fault in faults.values()}
    return one.take(pa.array(np.zeros(rows, np.int64))), wrong


def _find_missing(array: pa.Array) -> np.ndarray:
    """The rows without a value: null, or a list of none."""
    missing = array.is_null()
    if pa.types.is_large_list(array.type):
        missing = pc.fill_null(pc.equal(pc.list_value_length(array), 0), True)
    return np.flatnonzero(missing.to_numpy(zero_copy_only=False))
