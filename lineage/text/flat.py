"""Nested values as one level of dotted paths."""

import math
from collections.abc import Mapping
from typing import Any


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, by dotted path; lists of plain values stay lists.

    A list of mappings is numbered: `slices.0.column`.
    """
    if isinstance(value, Mapping) and value:
        pairs = [(str(key), value[key]) for key in value]
    elif isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
        pairs = [(str(index), entry) for index, entry in enumerate(value)]
    else:
        return {prefix: value} if prefix else {}
    flat: dict[str, Any] = {}
    for key, inner in pairs:
        flat |= flatten(inner, f"{prefix}.{key}" if prefix else key)
    return flat


def number(value: Any) -> float | None:
    """Returns a metric's value; None if it is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
