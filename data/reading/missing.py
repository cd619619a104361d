"""Spellings of missing, such as `?` or -999, that settings name: what is spelled so becomes null.

A cell is compared as text, without blanks around it, and a number as a number, so that -999 and
-999.0 are the same. Called by all readers of this folder. Imports numpy and
pyarrow alone.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fareline.kinds import FLOAT32_MAX, fits_int64


def without_spelled(array: pa.Array, spellings: Sequence[str]) -> pa.Array:
    """The values, null where they are a spelling of missing.

    Args:
        array: Binary or text cells, or numbers. Others stay as they are.
        spellings: Spellings of this column.
    """
    if not spellings or array.null_count == len(array):
        return array
    of, kind = pa.types, array.type
    if of.is_large_list(kind):
        return _without_lists(array, spellings)
    if of.is_integer(kind) or of.is_floating(kind):
        return _without_numbers(array, spellings)
    texts = of.is_string(kind) or of.is_large_string(kind)
    if not (texts or of.is_binary(kind) or of.is_large_binary(kind)):
        return array
    cells = array if texts else _as_text(array)
    if cells is None:
        return array
    plain = pc.utf8_trim_whitespace(cells)
    wanted = pa.array(sorted({text.strip() for text in spellings}), plain.type)
    spelled = pc.fill_null(pc.is_in(plain, value_set=wanted), False)
    return pc.if_else(spelled, pa.scalar(None, kind), array)


def are_spelled(spellings: Sequence[str]) -> Callable[[Any], bool]:
    """Recognizes single values that are a spelling of missing."""
    texts, numbers = {text.strip() for text in spellings}, set(_numbers(spellings))

    def is_missing(value: Any) -> bool:
        if isinstance(value, str):
            return bool(texts) and value.strip() in texts
        return isinstance(value, int | float) and value in numbers

    return is_missing


def _as_text(array: pa.Array) -> pa.Array | None:
    try:
        return array.cast(
            pa.large_string() if pa.types.is_large_binary(array.type) else pa.string()
        )
    except pa.ArrowInvalid:  # no UTF-8, which is said elsewhere; each value for itself
        values = [v if v is None else v.decode(errors="replace") for v in array.to_pylist()]
        return pa.array(values, pa.large_string())


def _without_numbers(array: pa.Array, spellings: Sequence[str]) -> pa.Array:
    for number in _numbers(spellings):
        if pa.types.is_integer(array.type):
            if not (float(number).is_integer() and fits_int64(float(number))):
                continue
            other = pa.scalar(int(number), pa.int64())
        else:
            other = pa.scalar(number, pa.float64())
        same = pc.equal(array.cast(other.type), other)
        array = pc.if_else(pc.fill_null(same, False), pa.scalar(None, array.type), array)
    return array


def _without_lists(array: pa.Array, spellings: Sequence[str]) -> pa.Array:
    """Of lists those that hold one value, which is a spelling, are of none."""
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    flat = array.flatten()
    gone = without_spelled(flat, spellings).is_null().to_numpy(zero_copy_only=False)
    single = lengths == 1
    places = np.cumsum(lengths) - 1
    wrong = np.zeros(len(array), bool)
    wrong[single] = gone[places[single]]
    return pc.if_else(pa.array(wrong), pa.scalar(None, array.type), array)


def _numbers(spellings: Sequence[str]) -> list[float]:
    """The numbers among spellings; a fraction also as float32, in which a file may hold it."""
    found = []
    for text in spellings:
        try:
            number = float(text.strip().replace(",", "."))
        except ValueError:
            continue
        found.append(number)
        if not number.is_integer() and abs(number) <= FLOAT32_MAX:
            found.append(float(np.float32(number)))
    return found
