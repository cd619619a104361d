"""Commands of Fareline that a loop starts, one at a time, each in a process of its own.

So TensorFlow is loaded and gone again, and whatever a run does to its process, the loop goes on.
"""

import dataclasses
import json
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fareline.start import command_for
from runners.stopping import end_child

_LOOK_SECONDS = 0.2
_TOLD = "fareline: "


class Stopped(Exception):
    """The loop is to end, and what was under way has been stopped."""


@dataclasses.dataclass(frozen=True)
class Answered:
    """The answer of a command.

    Attributes:
        code: Its exit code.
        content: Its answer; None if it gave none.
        said: The last line of its messages, without `fareline: `; how it ended if it gave neither
            an answer nor a message.
    """

    code: int
    content: dict[str, Any] | None
    said: str


class Children:
    """Starts commands.

    Args:
        log: File that gets the messages of the last one.
        stop: Set when the loop is to end.
    """

    def __init__(self, log: Path, stop: threading.Event):
        self._log = log
        self._stop = stop

    def run(self, *words: str) -> Answered:
        """Runs a command with `--json` to its end.

        Args:
            words: After `fareline`.

        Raises:
            Stopped: The loop is to end.
        """
        if self._stop.is_set():
            raise Stopped
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                command_for("cli.app", *words, "--json"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the loop, which tells it
            )
            out = self._wait(process)
        code, content = process.returncode, _parse(out)
        said = _last_line(self._log)
        return Answered(code, content, said or ("" if content is not None else _ended(code)))

    def _wait(self, process: subprocess.Popen) -> bytes:
        while True:
            try:
                return process.communicate(timeout=_LOOK_SECONDS)[0]
            except subprocess.TimeoutExpired:
                if self._stop.is_set():
                    end_child(process)
                    raise Stopped from None


def _parse(out: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(out)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code} and without a message"
    return f"was ended by signal {-code}"


def _last_line(log: Path) -> str:
    lines: Sequence[str] = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line for line in lines if line.startswith(_TOLD)] or [*filter(str.strip, lines)]
    return said[-1].removeprefix(_TOLD) if said else ""
