"""Printing an answer: as JSON, or drawn for a reader."""

import io
import json
import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


UNCUT_WIDTH = 200  # of a table that goes into a pipe, which has no width: nothing is cut off


def answer(as_json: bool, content: Any, draw: Callable[["Console"], None]) -> None:
    """Prints an answer on stdout: as JSON, or drawn for a reader."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A locale without arrows gets question marks, not a failure.
        sys.stdout.reconfigure(errors="replace")
    if as_json:
        # Escaped where a terminal might obey it, or the locale lacks a letter; NaN is null.
        escape = sys.stdout.isatty() or sys.stdout.encoding.lower() != "utf-8"
        json.dump(_without_nan(content), sys.stdout, indent=1, ensure_ascii=escape, allow_nan=False)
        sys.stdout.write("\n")
        return
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=UNCUT_WIDTH, highlight=False)
    draw(console)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
