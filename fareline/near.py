"""Names in messages: names similar to a typed one, and lists of the known names."""

import difflib
from collections.abc import Iterable

_LONGEST_NAME, _LONGEST_LIST = 100, 700  # characters


def near_names(name: str, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """Finds known names that are similar to a mistyped name.

    Args:
        name: Name, as it was typed.
        known: The names that there are.
        most: Names to return at most.
        cutoff: Lowest similarity, from 0 to 1, as `difflib.get_close_matches` measures it.

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


def listed(names: Iterable[str]) -> str:
    """Lists names for a message, with a limit: `a, b, c and 597 more`."""
    shown: list[str] = []
    left, rest = _LONGEST_LIST, 0
    for name in names:
        short = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
        left -= len(short) + 2
        if rest or (left < 0 and shown):
            rest += 1
        else:
            shown.append(short)
    return ", ".join(shown) + (f" and {rest:,} more" if rest else "")
