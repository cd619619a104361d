"""Lets a run know that a worker of its Beam engine has ended, where the engine does not say so.

Prism starts worker processes and writes into its own log that one has been killed, but the job goes
on for ever. So each worker holds a lock in a folder of the pipeline for as long as it lives, and
the pipeline looks at the locks while it waits. Imports no Beam.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fareline.scratch import scratch_folder

_VARIABLE = "_FARELINE_WORKERS"
_LOOK_SECONDS = 1.0
_COME_SECONDS = 180.0  # Prism itself gives up one that lives and does not come, after 60 s


def hold_lock_of_worker() -> None:
    """Holds a lock until this process ends, if a pipeline on this machine wants to know of that."""
    folder = os.environ.get(_VARIABLE)
    if folder and os.path.isdir(folder):
        path = os.path.join(folder, str(os.getpid()))
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)  # stays open
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def tell_why(reason: str) -> None:
    """Leaves the reason for which this worker ends, a line, for the run that waits for it."""
    folder = os.environ.get(_VARIABLE)
    if folder and os.path.isdir(folder):
        Path(folder, str(os.getpid())).write_text(reason, encoding="utf-8")


class Workers:
    """Knows which worker processes of one pipeline have ended.

    Attributes:
        lost: Whether one had ended while the pipeline was not done, or none ever came.
        reason: What the one that had ended said of it; empty: nothing.
    """

    def __init__(self) -> None:
        self._kept = contextlib.ExitStack()
        self._folder = Path(self._kept.enter_context(scratch_folder("fareline-workers-")))
        self.lost = False
        self.reason = ""

    def variables(self) -> Mapping[str, str]:
        """Environment of the workers."""
        return {_VARIABLE: str(self._folder)}

    def cancel_without(self, result: Any) -> None:
        """Cancels a pipeline as soon as a worker has ended.

        Args:
            result: What `beam.Pipeline.run` returned; its wait then ends with a RuntimeError.
        """
        threading.Thread(target=self._watch, args=(result,), name="workers", daemon=True).start()

    def forget(self) -> None:
        """Ends the watch; there is no need to know more."""
        self._kept.close()

    def _watch(self, result: Any) -> None:
        # Twice: a worker may be about to lock, and those of a pipeline that is done are ended.
        seen: set[str] = set()
        latest = time.monotonic() + _COME_SECONDS
        while self._folder.is_dir():
            ended = self._ended()
            none_came = time.monotonic() > latest and not any(self._came())
            if ended & seen or none_came:
                self.reason = "".join(self._reason(name) for name in sorted(ended & seen)[:1])
                self.lost = True
                result.cancel()
                return
            seen = ended
            time.sleep(_LOOK_SECONDS)

    def _reason(self, name: str) -> str:
        with contextlib.suppress(OSError):  # the pipeline has ended
            return (self._folder / name).read_text(encoding="utf-8")
        return ""

    def _ended(self) -> set[str]:
        return {path.name for path in self._came() if not _is_held(path)}

    def _came(self) -> Iterator[Path]:
        """Locks of the workers that have come; the folder has one of its own beside them."""
        return self._folder.glob("[0-9]*")


def _is_held(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:  # the pipeline has ended
        return True
    return False
