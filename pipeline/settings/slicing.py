"""Slices by a column, by a bucketed number, by several crossed: their names, and back.

TFMA slices by the values of a feature. A bucketed number becomes a feature of its own, named
`trip_miles [1, 5, 10]`, which pipeline.slice_extractor computes from that name alone: the
EvalConfig says everything, wherever it travels. In reports it is `trip_miles=1 to below 5`.
A slice that a function of the user computes (`code.slices`) is named `shift [own.slices.shift]`,
and `shift=night` in reports.

Called by pipeline.settings.evaluation, pipeline.evaluation.eval_config and
pipeline.evaluation.verdict. Standard library only.
"""

import bisect
import dataclasses
import itertools
import json
import re
from collections.abc import Iterable, Sequence

OVERALL = "overall"
# Empty brackets follow a column whose own name looks like a bucketed number.
_BUCKETED = re.compile(r"(?P<column>.+) (?P<boundaries>\[[^\[\]]*\])", re.DOTALL)
_BETWEEN = ", "


@dataclasses.dataclass(frozen=True)
class FeatureKey:
    """What examples are sliced by.

    Attributes:
        column: The raw column, or the name of the user's function.
        boundaries: Boundaries of the buckets of a number; empty if it is sliced by its values.
        function: Dotted path of the user's function; None: the column itself is meant.
    """

    column: str
    boundaries: tuple[float, ...] = ()
    function: str | None = None

    @property
    def is_computed(self) -> bool:
        """Whether the feature is not a column as it is."""
        return bool(self.boundaries) or self.function is not None


def feature_key(column: str, boundaries: Sequence[float] = (), function: str | None = None) -> str:
    """The name of a feature to slice by, as it stands in the EvalConfig."""
    if function is not None:
        return f"{column} [{function}]"
    if not boundaries and not _BUCKETED.fullmatch(column):
        return column
    return f"{column} [{_BETWEEN.join(map(_number, boundaries))}]"


def parse_feature_key(key: str) -> FeatureKey:
    """What the name of a feature says; the counterpart of `feature_key`."""
    match = _BUCKETED.fullmatch(key)
    if not match:
        return FeatureKey(key)
    inside = match["boundaries"]
    if inside[1:2].isidentifier():
        return FeatureKey(match["column"], function=inside[1:-1])
    return FeatureKey(match["column"], tuple(json.loads(inside)))


def bucket_name(value: float, boundaries: Sequence[float]) -> str:
    """The bucket that a number falls into; a boundary belongs to the bucket above it."""
    index = bisect.bisect_right(boundaries, value)
    if index == 0:
        return f"below {_number(boundaries[0])}"
    if index == len(boundaries):
        return f"{_number(boundaries[-1])} or more"
    return f"{_number(boundaries[index - 1])} to below {_number(boundaries[index])}"


def slice_name(values: Iterable[tuple[str, object]]) -> str:
    """The name of a slice in reports and settings, from pairs of column and value."""
    return _BETWEEN.join(f"{column}={value}" for column, value in sorted(values)) or OVERALL


def group_name(columns: Iterable[str]) -> str:
    """The name of all slices by the same columns."""
    return _BETWEEN.join(sorted(columns))


def is_name_of(name: str, columns: Iterable[str]) -> bool:
    """Whether a name is that of slices by these columns: of all of them, or of one."""
    ordered = sorted(columns)
    one = _BETWEEN.join(f"{re.escape(column)}=.+" for column in ordered)
    return is_group_of(name, ordered) or re.fullmatch(one, name, re.DOTALL) is not None


def is_group_of(name: str, columns: Sequence[str]) -> bool:
    """Whether a name is that of all slices by these columns, in any order."""
    # Not taken apart, since a column's own name may hold what stands between two.
    return sorted(name) == sorted(group_name(columns)) and any(
        name == _BETWEEN.join(order) for order in itertools.permutations(columns)
    )


def _number(value: float) -> str:
    return repr(int(value)) if float(value).is_integer() else repr(float(value))
