"""Comparing two flat sets of values: what differs, what is the same. Pure functions.

Called by lineage.answers.diff.diff, which collects the values.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Flat = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Change:
    """One thing that differs.

    Attributes:
        path: Name of the value, such as `training.steps`.
        a: Its value on the one side; None if it has none.
        b: On the other.
        difference: b - a, where both are numbers.
    """

    path: str
    a: Any
    b: Any
    difference: float | None = None

    def size(self, floor: float = 0.0) -> float:
        """Size of the difference, for sorting; 1 for a missing value or a non-number.

        Args:
            floor: Lowest divisor of the relative difference.
        """
        if self.difference is None:
            return 1.0
        return abs(self.difference) / max(abs(self.a), abs(self.b), floor)


@dataclasses.dataclass(frozen=True)
class Group:
    """Values of one kind.

    Attributes:
        name: Such as `data`.
        changes: Differences.
        same: Paths of what is the same.
        notes: Values that could not be compared, and the rounding.
    """

    name: str
    changes: tuple[Change, ...]
    same: tuple[str, ...]
    notes: tuple[str, ...] = ()


def compare(
    name: str,
    a: Flat,
    b: Flat,
    notes: Sequence[str] = (),
    rounded: Callable[[float], float] = float,
) -> Group:
    """Compares two flat sets of values.

    Args:
        name: Name of the group.
        a: Path to value of the one side.
        b: Second side.
        notes: Passed on.
        rounded: Applied to numbers before they are compared.
    """
    changes, same = [], []
    for path in sorted({*a, *b}):
        one, other = a.get(path), b.get(path)
        if _is_number(one) and _is_number(other):
            one, other = rounded(one), rounded(other)
            if one == other or (math.isnan(one) and math.isnan(other)):
                same.append(path)
            else:
                changes.append(Change(path, a[path], b[path], rounded(b[path] - a[path])))
        elif path in a and path in b and one == other:
            same.append(path)
        else:
            changes.append(Change(path, one, other))
    return Group(name, tuple(changes), tuple(same), tuple(notes))


def replace_texts(value: Any, replacements: Sequence[tuple[str, str]]) -> Any:
    """Replaces texts in all texts within a value, so that a different place is not a difference."""
    if isinstance(value, str):
        for old, new in replacements:
            value = value.replace(old, new)
        return value
    if isinstance(value, Mapping):
        return {key: replace_texts(inner, replacements) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [replace_texts(inner, replacements) for inner in value]
    return value


def to_decimals(digits: int) -> Callable[[float], float]:
    """Returns a rounding to so many decimals."""
    return lambda value: round(float(value), digits)


def to_significant(digits: int) -> Callable[[float], float]:
    """Returns a rounding to so many significant digits."""
    return lambda value: float(f"{float(value):.{digits}g}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
