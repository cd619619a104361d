"""Names that are near what somebody typed, in whatever letter case."""

import difflib
from collections.abc import Iterable


def near_names(name: str, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """Finds known names that a mistyped one may have meant.

    Args:
        name: Name, as it was typed.
        known: The names that there are.
        most: Names to return at most.
        cutoff: Least likeness, from 0 to 1, as `difflib.get_close_matches` measures it.

    Returns:
        The nearest first; a name that differs in letter case alone before all others.
    """
    as_written: dict[str, list[str]] = {}
    for each in known:
        as_written.setdefault(each.casefold(), []).append(each)
    near = difflib.get_close_matches(name.casefold(), as_written, most, cutoff)
    return [each for folded in near for each in as_written[folded]][:most]


def guess(name: str, known: Iterable[str]) -> str:
    """`did you mean X? `, which a hint begins with; empty where no known name is near."""
    near = near_names(name, known)
    return f"did you mean {near[0]}? " if near else ""
