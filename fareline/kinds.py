"""Kinds of the values in an example: their names, and the numbers that fit.

One place for those who read rows, hold a request against a model or write a schema; every package
may use it. Imports nothing of the project.
"""

from typing import Any

INT, FLOAT, STRING = "int", "float", "string"
FLOAT32_MAX = (2 - 2**-23) * 2.0**127
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def as_number(value: Any) -> Any:
    """A truth value as the integer that examples hold of it; anything else as it is.

    The one rule for the values of JSON, in files and in requests. Arrow's booleans are converted
    so by `data.reading.column_types`.
    """
    return int(value) if isinstance(value, bool) else value


def fits_int64(value: int | float) -> bool:
    """Whether a whole number fits into an example."""
    return INT64_MIN <= value <= INT64_MAX
