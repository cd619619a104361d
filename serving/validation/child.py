"""A child process that is always cleaned up, and that ends with this process.

Called by `serving.validation.process` and `serving.validation.warm`; `serving.validation.guard`
runs between this process and the child. Must not import TFX or TensorFlow.
"""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import psutil

from fareline.errors import FarelineError

CANNOT_RUN = 127
_GUARD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guard.py")
_GUARD_SECONDS = 10.0
_WATCH_SECONDS = 0.02
_TAIL_LINES = 12


class ServerStartError(FarelineError, OSError):
    """No model server can be started on this machine; no model is at fault."""


class Child:
    """A running program; `stop()` ends it with all its processes.

    Attributes:
        pid: The program's process id.
        over_memory: Whether it was killed because it took more memory than it may.
    """

    def __init__(
        self,
        command: list[str],
        log_path: str,
        cwd: str,
        memory_bytes: int | None = None,
        pass_fds: Sequence[int] = (),
    ):
        """Starts the command.

        Args:
            command: Program and arguments; the program is looked for on PATH.
            log_path: File for all that it writes; replaced.
            cwd: Folder to run it in.
            memory_bytes: It is killed as soon as it holds more than this.
            pass_fds: Open files of this process that the program gets, under the same numbers.

        Raises:
            ServerStartError: The guard cannot be started.
        """
        self._log_path = log_path
        self._peak_bytes = 0
        self.over_memory = False
        try:
            with open(log_path, "wb") as log:
                self._guard = subprocess.Popen(
                    [sys.executable, "-I", "-S", _GUARD, str(os.getpid()), *command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=cwd,
                    start_new_session=True,
                    pass_fds=pass_fds,
                )
        except OSError as err:
            raise ServerStartError.explain(
                command[0], str(err), "expected to start a process", "see what this machine lacks"
            ) from err
        ready, _, _ = select.select([self._guard.stdout], [], [], _GUARD_SECONDS)
        line = self._guard.stdout.readline() if ready else b""
        if not line:
            self._guard.kill()
            raise ServerStartError.explain(
                command[0],
                f"its watchdog did not start ({self.log_tail()})",
                "expected a pid",
                f"run {sys.executable} {_GUARD} by hand",
            )
        self.pid = int(line)
        if memory_bytes is not None:
            self._start_watch(memory_bytes)

    def hand_over(self, log_path: str, memory_bytes: int | None) -> None:
        """Gives a program that was started in advance what a fresh one gets from the constructor.

        Args:
            log_path: File that the program writes to from now on; replaced.
            memory_bytes: Memory bytes, as for the constructor: the peak counts from the program's
                start.
        """
        with open(log_path, "wb"):
            self._log_path = log_path
        if memory_bytes is not None:
            self._start_watch(memory_bytes)

    def _start_watch(self, memory_bytes: int) -> None:
        # Not at the end: what grows without limit would take the machine down first.
        threading.Thread(target=self._watch, args=(memory_bytes,), daemon=True).start()

    def _watch(self, memory_bytes: int) -> None:
        while self._guard.poll() is None:
            if self.peak_memory_bytes > memory_bytes:
                self.over_memory = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
                return
            time.sleep(_WATCH_SECONDS)

    def stop(self) -> None:
        """Ends the program: SIGTERM, SIGKILL two seconds later. Returns when it is gone."""
        _ = self.peak_memory_bytes  # While there is something to read.
        self._guard.stdin.close()
        try:
            self._guard.wait(_GUARD_SECONDS)
        except subprocess.TimeoutExpired:
            for group in (self.pid, self._guard.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)
            self._guard.wait(_GUARD_SECONDS)
        self._guard.stdout.close()

    @property
    def exit_code(self) -> int | None:
        """The exit code, 128 + n for signal n, `CANNOT_RUN` if never run; None while it runs."""
        return self._guard.poll()

    @property
    def exit_reason(self) -> str:
        """State of the ended process: `exit code 3`, `killed by SIGSEGV`."""
        try:
            return f"killed by {signal.Signals(self.exit_code - 128).name}"
        except ValueError:
            return f"exit code {self.exit_code}"

    @property
    def peak_memory_bytes(self) -> int:
        """The largest resident memory so far, in bytes; the last known one after the end.

        The kernel's own high-water mark (VmHWM) on Linux; elsewhere the largest that was seen.
        """
        with contextlib.suppress(OSError, psutil.Error):
            self._peak_bytes = max(self._peak_bytes, _resident_peak(self.pid))
        return self._peak_bytes

    @property
    def memory_bytes(self) -> int:
        """The resident memory now, in bytes; 0 if it is gone."""
        try:
            return psutil.Process(self.pid).memory_info().rss
        except psutil.Error:
            return 0

    def log_tail(self) -> str:
        """Returns the last lines that the program wrote."""
        with open(self._log_path, errors="replace") as reader:
            return "\n".join(reader.read().splitlines()[-_TAIL_LINES:])


def _resident_peak(pid: int) -> int:
    if os.path.exists("/proc/self/status"):
        with open(f"/proc/{pid}/status") as status:
            peak = re.search(r"^VmHWM:\s+(\d+) kB", status.read(), re.MULTILINE)
        return int(peak.group(1)) * 1024 if peak else 0
    return psutil.Process(pid).memory_info().rss
