"""Kinds of the values in an example: their names, and the numbers that fit.

One place for those who read rows, hold a request against a model or write a schema; every package
may use it. Imports nothing.
"""

INT, FLOAT, STRING = "int", "float", "string"
FLOAT32_MAX = (2 - 2**-23) * 2.0**127
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def fits_int64(value: int | float) -> bool:
    """Whether a whole number fits into an example."""
    return INT64_MIN <= value <= INT64_MAX
