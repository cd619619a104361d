"""Printing an answer: as JSON, or for a reader. No other module of `cli` writes on stdout."""

import io
import json
import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cli.again import completed

if TYPE_CHECKING:
    from rich.console import Console


UNCUT_WIDTH = 200  # of a table that goes into a pipe, which has no width: nothing is cut off


def answer(
    as_json: bool,
    content: Any,
    draw: Callable[["Console"], None] | str,
    indent: int | None = 1,
) -> None:
    """Prints an answer on stdout.

    Args:
        as_json: For a program; otherwise for a reader.
        content: Content as plain JSON values; NaN becomes null.
        draw: Prints it for a reader; a text is printed as it is.
        indent: Indent of the JSON; None: one line.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A locale without arrows gets question marks, not a failure.
        sys.stdout.reconfigure(errors="replace")
    if as_json:
        say(_json_text(content, indent))
        return
    if isinstance(draw, str):
        say(completed(draw))
        return
    draw(_console())


def _console() -> "Console":
    """For stdout; the commands that its lines name are completed by what this one was told."""
    from rich.console import Console

    class Pasteable(Console):
        def print(self, *objects: Any, **settings: Any) -> None:
            said = (completed(each) if isinstance(each, str) else each for each in objects)
            super().print(*said, **settings)

    console = Pasteable(highlight=False)
    return console if console.is_terminal else Pasteable(width=UNCUT_WIDTH, highlight=False)


def _json_text(content: Any, indent: int | None) -> str:
    """JSON, escaped where a terminal might obey it, or the locale lacks a letter; NaN is null."""
    escape = sys.stdout.isatty() or (sys.stdout.encoding or "").lower() != "utf-8"
    shown = _without_nan(content)
    return json.dumps(shown, indent=indent, ensure_ascii=escape, allow_nan=False)


def say(line: str) -> None:
    """Prints a line on stdout, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
