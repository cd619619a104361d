"""Kinds of the values in an example: their names, and the numbers that fit.

Used by all modules that read rows, check requests or write schemas. Imports nothing of the project.
"""

from typing import Any

INT, FLOAT, STRING = "int", "float", "string"
FLOAT32_MAX = (2 - 2**-23) * 2.0**127
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def as_number(value: Any) -> Any:
    """A boolean as the integer that examples have for it; other values unchanged.

    This rule applies to JSON values in files and in requests. `data.reading.column_types` applies
    it to Arrow's booleans.
    """
    return int(value) if isinstance(value, bool) else value


def fits_int64(value: int | float) -> bool:
    """Whether a whole number fits into an example."""
    return INT64_MIN <= value <= INT64_MAX
