"""The history of a schema: every version that was accepted, when, why, and its full text.

It lies next to the schema, in `history/`: `<name>.yaml`, one entry for each version, the oldest
first, for people to read; and `<name>-<version>.pbtxt`. Git is not used. Called by `cli.schema`.
"""

import dataclasses
import datetime
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import yaml

from fareline.errors import UserMistake
from fareline.files import write_text

FIRST = "as it was before its first recorded change"
BY_HAND = "changed by hand, without a review"
_LEAST_DIGITS = 4


@dataclasses.dataclass(frozen=True)
class Version:
    """A version of a schema.

    Attributes:
        version: Its number, from 1.
        date: When it was recorded, UTC, such as `2026-11-26T09:00:00Z`.
        columns: Columns that differ from the previous version.
        changes: In words.
        reason: Reason of the change.
        previous: SHA-256 of the version before; None of the first.
        sha256: SHA-256 of this one.
    """

    version: int
    date: str
    columns: Sequence[str]
    changes: Sequence[str]
    reason: str
    previous: str | None
    sha256: str


def sha256_of_text(text: str) -> str:
    """SHA-256 of a schema's file with that text, in 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_history(schema: Path) -> list[Version]:
    """Returns the recorded versions, the oldest first; none where there is no history.

    Raises:
        UserMistake: The file of the history is damaged.
    """
    path = _log_path(schema)
    if not path.is_file():
        return []
    try:
        return [Version(**entry) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
        raise UserMistake.explain(
            str(path),
            f"cannot be read ({' '.join(str(error).split())})",
            "expected the history as `fareline schema accept` writes it",
            "restore the file from a copy",
        ) from error


def require_writable(schema: Path) -> None:
    """Refuses a schema that is not this checkout's or the user's own to change.

    Raises:
        UserMistake: The schema is part of an installed package, or read-only.
    """
    installed = "site-packages" in schema.parts
    if installed or not (os.access(schema, os.W_OK) and os.access(schema.parent, os.W_OK)):
        raise UserMistake.explain(
            str(schema),
            "part of an installed package" if installed else "read-only",
            "expected a file of yours to change",
            "copy it, and name the copy in the settings, such as schema: my/schema.pbtxt",
        )


def record(
    schema: Path, text: str, columns: Sequence[str], changes: Sequence[str], reason: str
) -> Version:
    """Writes a new version of a schema, and what came before if that is not recorded yet.

    Args:
        schema: The file; it may be new.
        text: Its new content.
        columns: Columns that differ.
        changes: In words.
        reason: Reason of the change.

    Raises:
        UserMistake: Something cannot be written.
    """
    versions = read_history(schema)
    try:
        _log_path(schema).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserMistake.explain(
            str(_log_path(schema).parent),
            f"cannot be made ({error.strerror})",
            "expected a folder to write to",
            "check the permissions",
        ) from error
    if schema.is_file():
        before = schema.read_bytes().decode()  # line ends as they are
        if not versions or versions[-1].sha256 != sha256_of_text(before):
            said = BY_HAND if versions else FIRST
            versions = _append(schema, versions, before, ((), (), said))
    # The schema first: if this ends here, the next change finds it changed by hand.
    write_text(schema, text)
    return _append(schema, versions, text, (columns, changes, reason))[-1]


def _append(
    schema: Path,
    versions: Sequence[Version],
    text: str,
    told: tuple[Sequence[str], Sequence[str], str],
) -> list[Version]:
    columns, changes, reason = told
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    previous = versions[-1].sha256 if versions else None
    entry = Version(
        len(versions) + 1, now, list(columns), list(changes), reason, previous, sha256_of_text(text)
    )
    write_text(_text_path(schema, entry.version), text)
    listed = [*versions, entry]
    said = f"# Versions of {schema.name}, the oldest first. `fareline schema log` shows them.\n"
    blocks = [
        yaml.safe_dump([dataclasses.asdict(v)], sort_keys=False, allow_unicode=True, width=100)
        for v in listed
    ]
    write_text(_log_path(schema), "\n".join([said, *blocks]))
    return listed


def text_of_version(schema: Path, wanted: str) -> tuple[Version, str]:
    """Finds a version by its number, or by the first digits of its SHA-256.

    Raises:
        UserMistake: No version matches, or its text is missing or changed.
    """
    versions = read_history(schema)
    found = [v for v in versions if str(v.version) == wanted] or [
        v for v in versions if len(wanted) >= _LEAST_DIGITS and v.sha256.startswith(wanted)
    ]
    where = f"version {wanted} of {schema}"
    if not found:
        known = f"expected 1 to {len(versions)}" if versions else "expected a recorded version"
        hint = "`fareline schema log` lists them" if versions else "nothing was accepted yet"
        raise UserMistake.explain(where, "there is none", known, hint)
    path = _text_path(schema, found[-1].version)
    text = path.read_bytes().decode() if path.is_file() else ""
    if sha256_of_text(text) != found[-1].sha256:
        what = "is not what was recorded" if path.is_file() else "is gone"
        expected = f"expected SHA-256 {found[-1].sha256[:12]}…"
        raise UserMistake.explain(where, f"{path} {what}", expected, "restore it from a copy")
    return found[-1], text


def _log_path(schema: Path) -> Path:
    return schema.parent / "history" / f"{schema.stem}.yaml"


def _text_path(schema: Path, version: int) -> Path:
    return schema.parent / "history" / f"{schema.stem}-{version}.pbtxt"
