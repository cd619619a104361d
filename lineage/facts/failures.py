"""Failure of an execution: the recorded traceback, its last line, and the relevant frame.

TFX keeps an ExecutionResult in a property of the execution; runs on this machine put the traceback
there (`runners.local.failures`), stock TFX sometimes its own.
"""

import dataclasses
import re
from typing import Any

from fareline.packages import CHECKOUT, PACKAGES
from lineage.graph.elements import Execution
from lineage.text.outline import decoded

RESULT = "__execution_result__"  # Source: tfx.orchestration.portable.mlmd.execution_lib
_FRAME = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)', re.M)
# Errors of ours say all themselves; of others the class is worth a word, its module is not.
_OUR_CLASS = re.compile(rf"^(?:{'|'.join(PACKAGES)})(?:\.\w+)+: (?=\S)")
_MODULE = re.compile(r"^(?:[a-z_]\w*\.)+(?=[A-Z]\w*(?::|$))")
_HEAD = "Traceback (most recent call last):"
# Code of others: what is installed, and Python's own; and what starts a node, whatever is in it.
_OF_OTHERS = re.compile(
    r"[/\\](site-packages|dist-packages|lib[/\\]python3[^/\\]*)[/\\]|^<|__autograph_generated"
    r"|^apache_beam[/\\]|\.p(?:yx|xi)$"  # compiled, whose frames name the sources
    rf"|^{re.escape(str(CHECKOUT))}/runners/local/launching\.py$"
)


@dataclasses.dataclass(frozen=True)
class Failure:
    """The failure of an execution.

    Attributes:
        error: Type and message, in one line; of an error of ours the message.
        place: Place of the last call in the user's code or in ours, such as `models/trainer.py:57,
            in run_fn`; None without one.
        text: The whole record, including the traceback.
    """

    error: str
    place: str | None
    text: str


def failure_of(execution: Execution) -> Failure | None:
    """The known failure of a failed execution; None without a record.

    TFX keeps nothing of a process that was killed.
    """
    if execution.state != "failed":
        return None
    result = decoded(execution.properties.get(RESULT))
    if isinstance(result, dict):
        result = result.get("resultMessage") or result.get("code") or result
    return read_failure(str(result)) if result else None


def read_failure(text: str) -> Failure:
    """Reads the text of a traceback, or any other text, whose first line counts then."""
    line = _last_line(text)
    if line is None:
        return Failure("no reason was kept", place_in(text), text)
    message = _OUR_CLASS.sub("", line)
    return Failure(message if message != line else _MODULE.sub("", line), place_in(text), text)


def place_in(text: str) -> str | None:
    """The last frame of a traceback that is neither Python's nor of an installed package."""
    frames = _frames_in(text)
    return _shown(frames[-1]) if frames else None


def users_place_in(text: str) -> str | None:
    """The last frame of a traceback that is in the user's own code (`code` in the settings)."""
    root = f"{CHECKOUT}/"
    frames = [frame for frame in _frames_in(text) if not frame["file"].startswith(root)]
    frames = [frame for frame in frames if frame["function"] != "<module>"]  # starts of programs
    return _shown(frames[-1]) if frames else None


def _frames_in(text: str) -> list[re.Match]:
    return [frame for frame in _FRAME.finditer(text) if not _OF_OTHERS.search(frame["file"])]


def _shown(frame: re.Match) -> str:
    file = frame["file"].removeprefix(f"{CHECKOUT}/")
    return f"{file}:{frame['line']}, in {frame['function']}"


def _last_line(text: str) -> str | None:
    """The last line of a traceback that begins at its margin, which names the exception."""
    _, head, frames = text.rpartition(_HEAD)
    lines = [line for line in (frames if head else text).splitlines() if line.strip()]
    named = [line for line in lines if not line.startswith((" ", "\t"))] if head else lines
    return named[0].strip() if named else None


def as_json(execution: Execution, failure: Failure) -> dict[str, Any]:
    """Keys: node, execution, error, place."""
    return {
        "node": execution.place.node,
        "execution": execution.key,
        "error": failure.error,
        "place": failure.place,
    }
