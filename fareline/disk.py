"""Explains disk errors: which disk, its free space, and the remedy.

A full disk appears as an error of the library that was writing: Python's own, HDF5, pyarrow,
TensorFlow, SQLite. All except Python report the cause only in the text of the error. Standard
library only.
"""

import contextlib
import dataclasses
import errno
import os
import re
from collections.abc import Iterable, Iterator

from fareline.errors import FarelineError, message_of

_FULL, _QUOTA, _READ_ONLY, _TOO_LONG = "full", "quota", "read-only", "too long"
_NUMBERS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _QUOTA,
    errno.EROFS: _READ_ONLY,
    errno.ENAMETOOLONG: _TOO_LONG,
}
_TEXTS = {
    "no space left on device": _FULL,
    "database or disk is full": _FULL,  # SQLite
    "disk quota exceeded": _QUOTA,
    "read-only file system": _READ_ONLY,
    "readonly database": _READ_ONLY,
    "file name too long": _TOO_LONG,
}
_ERRNO = re.compile(r"\berrno:? ?(?:= )?(\d+)\b", re.I)  # HDF5: `errno = 28`; Python: `[Errno 28]`
_FILE = re.compile(
    r"filename = '([^']+)'|(?:'|\")(/[^'\"\n]+)(?:'|\")|(?:^|(?<=[\s=:]))(/[^\s:;,'\"]+)"
)
_NAME_BYTES = 255
_UNITS = ("KiB", "MiB", "GiB", "TiB")
_WORDS = {
    _FULL: ("is full", "expected room for what is written", "make room there, or use another disk"),
    _QUOTA: (
        "has no more room for this user: the quota is used up",
        "expected room for what is written",
        "make room there, or have the quota raised",
    ),
    _READ_ONLY: (
        "can only be read",
        "expected a disk that can be written",
        "mount it to be written, or use another disk",
    ),
}


class DiskError(FarelineError, OSError):
    """A disk is full, or the machine prevents writing for another reason."""


@dataclasses.dataclass(frozen=True)
class Room:
    """Free space of a disk for this user.

    Attributes:
        mount: Where it is mounted.
        free: Bytes.
        total: Bytes.
    """

    mount: str
    free: int
    total: int

    def __str__(self) -> str:
        return f"{size(self.free)} of {size(self.total)} free"


def size(count: int) -> str:
    """Formats a number of bytes."""
    if count < 1024:
        return f"{count} bytes"
    power = min((count.bit_length() - 1) // 10, len(_UNITS))
    return f"{count / 1024**power:,.1f} {_UNITS[power - 1]}"


def room_at(path: str) -> Room | None:
    """The disk that a path is on, or would be on; None if it cannot be determined."""
    place = os.path.realpath(path)
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    try:
        about = os.statvfs(place)
    except OSError:
        return None
    while not os.path.ismount(place):
        place = os.path.dirname(place)
    return Room(place, about.f_bavail * about.f_frsize, about.f_blocks * about.f_frsize)


def disk_error(
    error: BaseException, places: Iterable[str] = (), needed: int | None = None
) -> DiskError | None:
    """The DiskError for an error that a disk caused; None for any other error.

    Args:
        error: Caught error; its causes are examined as well.
        places: Places of the write, if the error names none: the one with the least free space
            counts.
        needed: Bytes that were to be written, if it is known.
    """
    for each in _chain(error):
        kind = kind_of(each)
        if kind is not None:
            return _explain(kind, _path_in(each), list(places), needed)
    return None


@contextlib.contextmanager
def naming_disk(place: str | os.PathLike) -> Iterator[None]:
    """Names the full disk and its free space in the error, before the written files are removed.

    Args:
        place: Place of the write, for errors of open files, which do not have the path.

    Raises:
        DiskError: In place of an error that a disk caused.
    """
    try:
        yield
    except Exception as error:
        told = None if isinstance(error, DiskError) else disk_error(error, [os.fspath(place)])
        if told is None:
            raise
        raise told from error


def with_room(error: BaseException, path: str | os.PathLike, needed: int | None = None) -> str:
    """The end of a sentence about a failed write: the free space.

    Args:
        error: Error, as it was caught.
        path: Path of the file to write.
        needed: Bytes that were to be written there, if it is known.

    Returns:
        Such as `, with 0 bytes of 12.0 MiB free on /mnt`; empty if free space was not the cause.
    """
    room = room_at(os.fspath(path)) if kind_of(error) in (_FULL, _QUOTA) else None
    if room is None:
        return ""
    lacking = f" and {size(needed)} needed" if needed is not None else ""
    return f", with {room}{lacking} on {room.mount}"


def too_long(name: str, folder: str) -> str | None:
    """The message for a name that is too long for a folder's disk; None if it fits."""
    try:
        most = os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        most = _NAME_BYTES
    length = len(os.fsencode(name))
    return f"a name of {length} bytes is too long ({most} at most)" if length > most else None


def kind_of(error: BaseException) -> str | None:
    """`full`, `quota`, `read-only` or `too long`; None for any other error."""
    number = getattr(error, "errno", None)
    text = message_of(error)
    if number in _NUMBERS:
        return _NUMBERS[number]
    for match in _ERRNO.finditer(text):
        if int(match[1]) in _NUMBERS:
            return _NUMBERS[int(match[1])]
    lower = text.lower()
    return next((kind for words, kind in _TEXTS.items() if words in lower), None)


def _explain(kind: str, path: str | None, places: list[str], needed: int | None) -> DiskError:
    if kind == _TOO_LONG:
        longest = max((path or "").split("/"), key=len)
        return DiskError.explain(
            path or "a file",
            f"a name of {len(os.fsencode(longest))} bytes is too long",
            f"expected names of at most {_NAME_BYTES} bytes, and short paths",
            "choose shorter names, or a folder with a shorter path",
        )
    asked = [path] if path else places
    rooms = [room for place in asked if (room := room_at(place)) is not None]
    room = min(rooms, key=lambda each: each.free, default=None)
    found, expected, hint = _WORDS[kind]
    if room is not None and kind in (_FULL, _QUOTA):
        found += f" ({room})"
    if path:
        found += f", writing {path}"
    if needed is not None and kind in (_FULL, _QUOTA):
        expected = f"expected {size(needed)} for what is written"
    where = f"the disk at {room.mount}" if room else "a disk"
    return DiskError.explain(where, found, expected, f"{hint}; finished work is kept")


def bytes_of(path: str) -> int:
    """Counts the bytes of a file, or of all files in a folder."""
    files = [os.path.join(folder, n) for folder, _, names in os.walk(path) for n in names]
    return sum(os.path.getsize(file) for file in files or [path] if os.path.isfile(file))


def _path_in(error: BaseException) -> str | None:
    """The file that was written, by the error."""
    for name in (getattr(error, "filename2", None), getattr(error, "filename", None)):
        if isinstance(name, str | bytes) and name:
            return os.fsdecode(name)
    for match in _FILE.finditer(message_of(error)):
        found = match[1] or match[2] or match[3]
        if os.path.isabs(found) and os.path.isdir(os.path.dirname(found)):
            return found
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from, or while it was handled."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
