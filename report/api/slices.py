"""Finds the rows of a slice of an evaluation, from the slice's name alone.

Names are those of `pipeline.settings.slicing`: `payment_type=Cash`, `trip_miles=1 to below 5`,
several of them with a comma between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fareline.errors import UserMistake

if TYPE_CHECKING:
    import pandas as pd

OVERALL = "overall"
_NUMBER = r"-?[\d.]+(?:e[+-]?\d+)?"
_BUCKET = re.compile(
    rf"below (?P<below>{_NUMBER})|(?P<low>{_NUMBER}) or more|(?P<from>{_NUMBER}) to below "
    rf"(?P<to>{_NUMBER})"
)


def in_slice(table: pd.DataFrame, name: str) -> pd.Series:
    """Selects the rows of a table that belong to a slice.

    Args:
        table: Table of the columns that the slice is by.
        name: Name of the slice.

    Raises:
        UserMistake: The slice uses columns that the table does not have.
    """
    import pandas as pd

    inside = pd.Series(True, table.index)
    if name == OVERALL:
        return inside
    for column, value in _parts(name, table):
        inside &= _is(table[column], value)
    return inside


def _parts(name: str, table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Column and value of each part; a column's name or a value may hold what divides parts."""
    rest = name
    while rest:
        known = [c for c in map(str, table.columns) if rest.startswith(f"{c}=")]
        if not known:
            raise UserMistake.explain(
                name,
                "is not a slice of these rows",
                f"expected COLUMN=VALUE, of the columns {', '.join(map(str, table.columns))}",
                "run.slices has the names of all",
            )
        column = max(known, key=len)
        value = rest[len(column) + 1 :]
        nexts = [
            match.start()
            for match in re.finditer(", ", value)
            if any(value.startswith(f"{c}=", match.end()) for c in map(str, table.columns))
        ]
        end = nexts[0] if nexts else len(value)
        yield column, value[:end]
        rest = value[end + 2 :]


def _is(values: pd.Series, wanted: str) -> pd.Series:
    from pandas.api.types import is_numeric_dtype

    if not is_numeric_dtype(values):
        return values.astype(str) == wanted
    bucket = _BUCKET.fullmatch(wanted)
    if bucket is None:
        return values == float(wanted) if re.fullmatch(_NUMBER, wanted) else values.isna()
    if bucket["below"]:
        return values < float(bucket["below"])
    if bucket["low"]:
        return values >= float(bucket["low"])
    return (values >= float(bucket["from"])) & (values < float(bucket["to"]))
