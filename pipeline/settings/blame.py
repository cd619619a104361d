"""Finds the source of a wrong value: the settings file or a `--set`.

Called by `pipeline.settings.load` and, through `Settings.wrong`, by `pipeline.rules`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from fareline.errors import SettingsError


def wrong_settings(path: Path, overridden: Sequence[str], problems: Iterable[str]) -> SettingsError:
    """One line per problem, headed by where the value came from.

    Args:
        path: Path of the settings file.
        overridden: Keys that `--set` changed, in order.
        problems: Lines that begin with the dotted key of what is wrong, and a colon.
    """
    return SettingsError("\n".join(_headed(path, overridden, line) for line in problems))


def headed_by(override: str | None, path: Path, where: str, rest: str) -> str:
    """A line about a value.

    Args:
        override: Key that `--set` changed; None: the file is to blame.
        path: Path of the settings file.
        where: Dotted key of what is wrong; empty: the settings as a whole.
        rest: Rest of the line.
    """
    if override is None:
        return f"{path}: {where}: {rest}"
    return (
        f"--set {override}: {rest}" if override == where else f"--set {override}: {where}: {rest}"
    )


def is_within(where: str, key: str) -> bool:
    """Whether a setting is the one of this key, or in its section."""
    return where == key or where.startswith(f"{key}.")


def _headed(path: Path, overridden: Sequence[str], line: str) -> str:
    where, _, rest = line.partition(": ")
    found = [key for key in overridden if is_within(where, key)]
    return headed_by(found[-1] if found else None, path, where, rest)
