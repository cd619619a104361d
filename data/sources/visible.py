"""Separates data files that match a pattern from files that other programs leave beside them.

As with Arrow, Spark and DuckDB, what begins with `.` or `_` is none: `._part.csv`, `_SUCCESS`,
`_metadata`, `_temporary/`. Nor is a file without a byte, where others have some. Called by the
modules that look for source files. Imports the standard library alone.
"""

from collections.abc import Callable, Iterable

_HIDDEN = (".", "_")
_MAGIC = ("*", "?", "[")


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is passed over."""
    return name.startswith(_HIDDEN)


def visible(paths: Iterable[str], pattern: str) -> list[str]:
    """The paths that are data; hidden files count only if the pattern names them.

    Args:
        paths: Paths that match the pattern.
        pattern: A glob, of which the end of each path is what its last parts match.
    """
    wanted = pattern.split("/")
    return [path for path in paths if not _is_passed_over(path.split("/"), wanted)]


def _is_passed_over(parts: list[str], wanted: list[str]) -> bool:
    pairs = zip(reversed(parts), reversed(wanted), strict=False)
    return any(is_hidden(part) and glob.startswith(_MAGIC) for part, glob in pairs)


def with_content(paths: Iterable[str], size_of: Callable[[str], int]) -> list[str]:
    """The paths of files that hold a byte; all of them where none does."""
    found = list(paths)
    if len(found) < 2:
        return found
    return [path for path in found if size_of(path)] or found
