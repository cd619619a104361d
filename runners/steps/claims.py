"""Locks for one process at a time: a node of a run, pushing, and the store of a workspace.

The locks are the kernel's, so that a killed process leaves none behind. Nothing waits for ever.
"""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import filelock

from fareline.errors import TryLater

STORE_SECONDS = 300.0  # an access takes milliseconds, and the reading of an outcome seconds
_POLL_SECONDS = 0.02


class StoreLock:
    """As `threading.RLock`, held by one thread of one process at a time: SQLite has one writer.

    Args:
        path: Path of the file that is locked.
        seconds: Time to wait for other processes.
    """

    def __init__(self, path: Path, seconds: float = STORE_SECONDS):
        self._threads = threading.RLock()
        self._processes = filelock.FileLock(
            path, timeout=seconds, thread_local=False, poll_interval=_POLL_SECONDS
        )

    def acquire(self) -> None:
        """Waits until the lock is free.

        Raises:
            TryLater: Another process has held it too long.
        """
        self._threads.acquire()
        try:
            self._processes.acquire()
        except filelock.Timeout as error:
            self._threads.release()
            raise TryLater.explain(
                self._processes.lock_file,
                f"another process has held it for {self._processes.timeout:.0f} s",
                "expected a moment for each access to the store",
                "look for a step that hangs, and run this one again",
            ) from error

    def release(self) -> None:
        """Lets go of it."""
        self._processes.release()
        self._threads.release()

    def __enter__(self) -> "StoreLock":
        self.acquire()
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


@contextlib.contextmanager
def claimed(path: Path, where: str, seconds: float = 0) -> Iterator[None]:
    """Holds what one process at a time may work on.

    Args:
        path: Path of the file that is locked; its folder is made.
        where: Name of the lock, for the message.
        seconds: Time to wait for the lock.

    Raises:
        TryLater: Another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path, timeout=seconds, thread_local=False)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise TryLater.explain(
            where,
            "another process is at work on it",
            "expected one at a time",
            "wait for it to end, and run this again if it failed",
        ) from error
    try:
        yield
    finally:
        lock.release()
