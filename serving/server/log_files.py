"""The files of a log that several processes may write: each has one of its own open.

The name of an open file ends in `.open`. The file closes by a rename when it is full, when its hour
is over or when its writer ends. Readers read only closed files, which never change. The kernel's
lock on an open file ends with its writer, so the next writer closes the files of a killed one. The
files of a job end in `.job` meanwhile, and those of a killed job are removed: its answers were
never delivered.

Called by `serving.server.request_log`. Standard library only.
"""

import contextlib
import datetime
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fareline.prediction_ids import IdMaker

FILE_BYTES = 16 << 20
KEPT_FILES = 2_000  # of an hour each: 83 days
OPEN, JOB = ".open", ".job"
_PREFIX, _SUFFIX = "predictions-", ".jsonl"
_HOUR = 3600


class LogFiles:
    """Appends lines to the files of a folder."""

    def __init__(
        self,
        folder: str,
        is_job: bool = False,
        file_bytes: int = FILE_BYTES,
        kept_files: int = KEPT_FILES,
        clock: Callable[[], float] = time.time,
    ):
        """Closes what killed writers have left; opens nothing yet.

        Args:
            folder: Made if missing.
            is_job: Whether all lines stand or fall together, in one file.
            file_bytes: Size at which a file is full.
            kept_files: Number of closed files to keep; the oldest are removed.
            clock: Seconds since 1970.

        Raises:
            OSError: The folder cannot be written.
        """
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._is_job = is_job
        self._file_bytes = file_bytes
        self._kept_files = kept_files
        self._clock = clock
        self._ids = IdMaker()
        self._file: Any = None
        self._hour = 0
        self._written = 0
        close_left_files(folder)

    def write(self, lines: bytes) -> None:
        """Appends whole lines, and has the system take them.

        Raises:
            OSError: The disk does not take them.
        """
        if self._file is not None and self._written + len(lines) > self._file_bytes:
            self._close_unless_job()
        self.close_if_over()
        file = self._file or self._open()
        self._written += len(lines)
        left = memoryview(lines)
        try:
            while left:
                left = left[file.write(left) :]
        except OSError:
            self.close()  # it may end within a line, and the next one begins a file
            raise

    def seconds_left(self) -> float | None:
        """Seconds until the open file's hour is over; None without an open file."""
        if self._file is None or self._is_job:
            return None
        return max((self._hour + 1) * _HOUR - self._clock(), 0.0)

    def close_if_over(self) -> None:
        """Closes the open file if its hour is over, or the clock was set back before it."""
        if self._file is not None and self._hour != int(self._clock() // _HOUR):
            self._close_unless_job()

    def close(self) -> None:
        """Closes the open file, if there is one, for others to read."""
        if self._file is None:
            return
        file, self._file = self._file, None
        path = Path(file.name)
        try:
            file.close()
        finally:
            _close_by_name(path)
            self._remove_oldest()

    def discard(self) -> None:
        """Removes the open file, if there is one."""
        if self._file is not None:
            file, self._file = self._file, None
            os.unlink(file.name)
            file.close()

    def _close_unless_job(self) -> None:
        if not self._is_job:
            self.close()

    def _open(self) -> Any:
        self._hour = int(self._clock() // _HOUR)
        self._written = 0
        hour = datetime.datetime.fromtimestamp(self._hour * _HOUR, datetime.timezone.utc)
        end = JOB if self._is_job else OPEN
        while self._file is None:
            name = f"{_PREFIX}{hour:%Y-%m-%dT%H}-{self._ids.make()}{_SUFFIX}{end}"
            file = open(self._folder / name, "xb", buffering=0)  # noqa: SIM115 - closed by close
            # Between the two another process may have taken it for one that was left.
            if _lock(file) and os.path.exists(file.name):
                self._file = file
            else:
                file.close()
        return self._file

    def _remove_oldest(self) -> None:
        for path in closed_files(self._folder)[: -self._kept_files]:
            path.unlink(missing_ok=True)


def closed_files(folder: str | os.PathLike) -> list[Path]:
    """The files of a log that never change any more, the oldest first."""
    return sorted(Path(folder).glob(f"{_PREFIX}*{_SUFFIX}"))


def close_left_files(folder: str | os.PathLike) -> None:
    """Closes the files that killed writers have left open; removes those of killed jobs."""
    for path in sorted(Path(folder).glob(f"{_PREFIX}*{_SUFFIX}.*")):
        with contextlib.suppress(OSError), path.open("rb") as file:
            if not _lock(file) or not path.exists():
                continue
            if path.suffix == JOB:
                path.unlink()
            elif path.suffix == OPEN:
                _close_by_name(path)


def _close_by_name(path: Path) -> None:
    if path.stat().st_size:
        os.replace(path, path.with_suffix(""))
    else:
        path.unlink()


def _lock(file: Any) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
