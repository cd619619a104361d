"""Forks of a process that has imported much. Each runs a command of its own.

Used by the warm processes of replayed specifications and of single steps. These have one thread:
a fork takes only the thread that forks.
"""

import contextlib
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from fareline import collector
from fareline.scratch import remove_generated_sources

_RESET = (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP)


class Forks:
    """The running forks of this process. Each leads a session and a process group of its own."""

    def __init__(self):
        self._running: dict[int, Any] = {}
        self._wake, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake, False)
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)
        signal.set_wakeup_fd(self._wake_in, warn_on_full_buffer=False)

    def __len__(self) -> int:
        return len(self._running)

    def fileno(self) -> int:
        """Descriptor that can be read when a fork may have ended; for `select`."""
        return self._wake

    def start(self, key: Any, command: Callable[[], NoReturn]) -> int:
        """Starts a fork.

        Args:
            key: Names it, for `ended`.
            command: Called in the fork; it must end the process.

        Returns:
            Its process id.

        Raises:
            OSError: No process can be started.
        """
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                signal.set_wakeup_fd(-1)
                os.close(self._wake)
                os.close(self._wake_in)
                command()
            finally:
                os._exit(1)
        self._running[pid] = key
        return pid

    def ended(self) -> Iterator[tuple[Any, int]]:
        """Key and exit code of each fork that has ended since; negative if a signal ended it."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)
        for pid in list(self._running):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                yield self._running.pop(pid), os.waitstatus_to_exitcode(status)

    def kill(self, key: Any = None) -> None:
        """Kills a fork and what it has started, or all of them."""
        for pid, each in self._running.items():
            if key is None or each == key:
                kill(pid, signal.SIGKILL)


def kill(pid: int | None, number: int) -> None:
    """Signals a step and everything that it started; None, or what is gone, is passed over."""
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            try:
                os.killpg(pid, number)
            except ProcessLookupError:  # a fork of a moment ago has no group of its own yet
                os.kill(pid, number)


def preload(module: str) -> None:
    """Imports a module for the forks to come; one that needs it says what is wrong with it."""
    try:
        with collector.paused():
            importlib.import_module(module)
    except Exception:  # noqa: BLE001 - whoever needs it finds out
        traceback.print_exc()


def become(command: Callable[[], object], streams: Sequence[int], folder: str) -> NoReturn:
    """In a fork: does what a fresh process would do with a command, and ends.

    Args:
        command: What to call; SystemExit says the exit code, as at the end of a program.
        streams: Descriptors for stdin, stdout and stderr.
        folder: Current folder.
    """
    code = 1
    try:
        for number in _RESET:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for target, descriptor in enumerate(streams):
            os.dup2(descriptor, target)
        os.chdir(folder)
        command()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            sys.stderr.write(error.code + "\n")
    except BaseException:  # noqa: BLE001 - the last frame of a process: say it and go
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        remove_generated_sources()
        # Without the interpreter's farewell: in it TensorFlow 2.16 prints hundreds of errors.
        os._exit(code)
