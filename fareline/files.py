"""Writes files atomically: a reader finds the old content or the new content, never a part.

Every package uses this module if a file may be read, or the process stopped, during the write.
Imports only the errors and the messages about disks from the project.
"""

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fareline.disk import naming_disk, too_long, with_room
from fareline.errors import UserMistake

_HINT = "check the path and its permissions"
_FOLDER = "expected an existing folder that you may write to"
_ROOM = "expected room for it"
_NAME_BYTES = 200  # a name has 255 at most, and ours is longer than that of the file


class NotWritten(UserMistake, OSError):
    """A file cannot be written; its earlier content is unchanged."""


@contextlib.contextmanager
def written_beside(path: str | os.PathLike) -> Iterator[Path]:
    """Gives a path to write to, which becomes `path` if the block ends well.

    If the block fails, the temporary file is removed and `path` does not change. The content is on
    the disk before the rename, and its permissions are those of a new file. Several threads and
    processes may write the same file: the last one wins. If the path is a link, its target is
    replaced. A pipe or a device is written directly.

    Raises:
        OSError: The file cannot be written: the path is a folder, its folder is missing, or the
            disk is full. For a full disk, the message names the disk.
    """
    with _beside(path) as part, naming_disk(path):
        yield part


@contextlib.contextmanager
def _beside(path: str | os.PathLike) -> Iterator[Path]:
    place = Path(os.path.realpath(path))
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if place.exists() and not place.is_file():
        yield place
        return
    name = os.fsdecode(os.fsencode(place.name)[:_NAME_BYTES])
    part = place.with_name(f".{name}.part-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        yield part
        with open(part, "rb") as written:
            os.fsync(written.fileno())
        os.replace(part, place)
    finally:
        part.unlink(missing_ok=True)


def require_place(path: str | os.PathLike, hint: str, makes_folders: bool = False) -> None:
    """Refuses a file that could not be written, before the work begins.

    Args:
        path: Path of the file.
        hint: Advice for the message.
        makes_folders: Whether folders that are missing above it will be made.

    Raises:
        NotWritten: There is no folder for it, a folder is in its place, or its name is too long.
    """
    place = Path(path)
    folder = place.absolute().parent
    while makes_folders and not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        found = "is not a folder" if os.path.lexists(folder) else "no such folder"
        where = place.parent if not makes_folders else folder
        raise NotWritten.explain(str(where), found, "expected one", f"make it first; or {hint}")
    if os.path.isdir(place):  # Path's raises if the name is too long
        raise NotWritten.explain(str(place), "is a folder", "expected a file", hint)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NotWritten.explain(str(folder), "cannot be written", _FOLDER, hint)
    if error := too_long(place.name, os.fspath(folder)):
        raise NotWritten.explain(str(place), error, "expected a shorter one", hint)


def write_bytes(path: str | os.PathLike, content: bytes, hint: str = _HINT) -> None:
    """Writes a file whole or not at all; see `written_beside`.

    Args:
        path: Path of the file; the folder is there already.
        content: Content of the file.
        hint: Advice for the message if the file cannot be written.

    Raises:
        NotWritten: The file cannot be written.
    """
    try:
        with _beside(path) as part:
            part.write_bytes(content)
    except OSError as error:
        room = with_room(error, path, len(content))
        raise NotWritten.explain(
            str(path),
            f"cannot be written ({error.strerror}){room}",
            _ROOM if room else "expected a file" if os.path.isdir(path) else _FOLDER,
            f"make room there; or {hint}" if room else hint,
        ) from error


def write_text(path: str | os.PathLike, text: str, hint: str = _HINT) -> None:
    """Like `write_bytes`, for a text in UTF-8; line ends stay as they are."""
    write_bytes(path, text.encode(), hint)


def write_json(path: str | os.PathLike, content: Any, indent: int | None = None) -> None:
    """Like `write_bytes`, for plain JSON values."""
    write_text(path, json.dumps(content, indent=indent))


def from_here(path: str | os.PathLike) -> str:
    """A path as typed in the current folder: relative if it is below the folder."""
    shown, here = Path(path), Path.cwd()
    return str(shown.relative_to(here) if shown.is_relative_to(here) else path)


def sync_folder(folder: str | os.PathLike) -> None:
    """Writes a folder's entries through to the disk, so that a rename outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
