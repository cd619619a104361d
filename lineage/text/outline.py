"""Values of a store made readable: JSON inside of texts decoded, and nested values as an outline.

Called by the modules behind `lineage show`.
"""

import json
import math
from collections.abc import Iterator
from typing import Any

from lineage.text.harmless import plain

MOST_ITEMS = 10
MOST_LINES = 60
NOT_RECORDED = "not recorded"
_DEEPEST = 30


def decoded(value: Any, depth: int = 0) -> Any:
    """Returns a value in which texts that are JSON objects or lists are decoded.

    Numbers that JSON has not (NaN), and what is nested more deeply than any settings are, come out
    as text.

    Args:
        value: Value of a property.
        depth: Depth of the value in its container.
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return decoded(json.loads(value), depth)
        except (ValueError, RecursionError):
            return value
    if isinstance(value, dict | list) and depth == _DEEPEST:
        return json.dumps(value)
    if isinstance(value, dict):
        return {str(name): decoded(part, depth + 1) for name, part in value.items()}
    if isinstance(value, list):
        return [decoded(part, depth + 1) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def line_of(value: Any) -> str | None:
    """A value on one line; None if it needs an outline."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return NOT_RECORDED
    if isinstance(value, float):
        return plain(f"{value:.6g}")
    if isinstance(value, list) and not any(isinstance(part, dict | list) for part in value):
        shown = ", ".join(plain(part) for part in value[:MOST_ITEMS])
        return shown + _more(len(value), " (--json)") if value else "none"
    if isinstance(value, dict | list):
        return None if value else "none"
    return plain(value)


def outline(value: Any) -> list[str]:
    """A nested value as indented lines, as in YAML; long lists and outlines are cut and say so."""
    lines = []
    for line in _lines(value, ""):
        if len(lines) == MOST_LINES:
            lines.append("… and more (--json has all)")
            break
        lines.append(line)
    return lines


def _lines(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            line = line_of(part)
            yield f"{indent}{plain(name)}:{'' if line is None else f' {line}'}"
            if line is None:
                yield from _lines(part, f"{indent}  ")
    elif isinstance(value, list):
        for part in value[:MOST_ITEMS]:
            inner = list(_lines(part, f"{indent}  ")) or [f"{indent}  none"]
            yield f"{indent}- {inner[0].strip()}"
            yield from inner[1:]
        if len(value) > MOST_ITEMS:
            yield f"{indent}{_more(len(value), ' (--json)').strip()}"
    else:
        yield f"{indent}{line_of(value)}"


def _more(count: int, hint: str) -> str:
    return f" … and {count - MOST_ITEMS:,} more{hint}" if count > MOST_ITEMS else ""
