"""One column of rows to predict: its values for the model, or the faults.

Arrow converts whole arrays; where it refuses one, it converts the values that are written plainly,
and Python's own `int` and `float` say what each of the others is, in one pass. Called by
the readers of this folder. Imports pyarrow, and no TensorFlow.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fareline.kinds import FLOAT, FLOAT32_MAX, INT, STRING, fits_int64

# What a model's column of a kind is made of; text where it is no bytes but must be shown.
TYPES = {INT: pa.int64(), FLOAT: pa.float64(), STRING: pa.large_binary(), "text": pa.large_string()}
_EXACT = 2**53  # below it a float64 holds every integer
# Cells of a number column that are truth values, as pandas, JSON and SQL write them.
TRUTHS = {"true": 1, "True": 1, "TRUE": 1, "false": 0, "False": 0, "FALSE": 0}
_ASCII = r"^[\x00-\x7f]*$"
_PLAIN = {
    INT: r"^[ \t]*-?[0-9]{1,18}[ \t]*$",
    FLOAT: r"^[ \t]*-?[0-9]{1,15}(\.[0-9]{1,20})?[ \t]*$",
    STRING: _ASCII,
    "text": _ASCII,
}


class Fault(NamedTuple):
    """Why a value cannot be used.

    Attributes:
        reason: One of `not_utf8`, `not_a_number`, `not_an_integer`, `not_finite`, `out_of_range`,
            `wrong_type`.
        message: The finding and the expectation.
    """

    reason: str
    message: str


def convert(array: pa.Array, kind: str) -> tuple[pa.Array, dict[int, Fault]]:
    """Converts a column to what a model takes.

    Args:
        array: Binary, text or numbers. A number without a digit is missing.
        kind: `int`, `float`, `string`; or `text`, which is UTF-8 and for reading by people.

    Returns:
        int64, float64, large_binary or large_string; null where a value is missing or at fault. And
        what is wrong, by index.
    """
    try:
        return _FAST[kind](array), {}
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _convert_by_value(array, kind)


def _convert_by_value(array: pa.Array, kind: str) -> tuple[pa.Array, dict[int, Fault]]:
    plain = _find_plain(array, kind)
    there = array.is_valid().to_numpy(zero_copy_only=False)
    odd = np.flatnonzero(there & ~plain)
    if plain.any():
        good = _FAST[kind](pc.if_else(pa.array(plain), array, pa.scalar(None, array.type)))
    else:
        good = pa.nulls(len(array), TYPES[kind])
    checked: dict[Any, tuple[Any, Fault | None]] = {}
    faults: dict[int, Fault] = {}
    values = []
    for index, value in zip(odd.tolist(), array.take(pa.array(odd)).to_pylist(), strict=True):
        key = repr(value) if isinstance(value, float) else value  # -0.0 is not shown as 0.0
        if key not in checked:
            checked[key] = check_value(_decode(value), kind)
        found, fault = checked[key]
        if fault is not None:
            faults[index] = fault
        values.append(found.encode() if kind == STRING and isinstance(found, str) else found)
    positions = np.arange(len(array))
    positions[odd] = len(array) + np.arange(len(odd))
    both = pa.concat_arrays([good, pa.array(values, TYPES[kind])])
    return both.take(pa.array(positions)), faults


def _find_plain(array: pa.Array, kind: str) -> np.ndarray:
    """Which values Arrow converts for certain, and as Python would: bool [rows]."""
    of = pa.types
    plain = None
    if _is_text(array.type):
        plain = pc.match_substring_regex(array.cast(pa.large_binary()), _PLAIN[kind])
    elif kind == INT and of.is_floating(array.type):
        whole = pc.equal(pc.floor(array), array)
        plain = pc.and_(whole, pc.less(pc.abs(array.cast(pa.float64())), _EXACT))
    elif kind == FLOAT and of.is_floating(array.type):
        plain = pc.less_equal(pc.abs(array.cast(pa.float64())), FLOAT32_MAX)
    elif kind in (INT, FLOAT) and of.is_integer(array.type) and not of.is_uint64(array.type):
        return array.is_valid().to_numpy(zero_copy_only=False)
    if plain is None:
        return np.zeros(len(array), bool)
    return pc.fill_null(plain, False).to_numpy(zero_copy_only=False)


def check_value(value: Any, kind: str) -> tuple[Any, Fault | None]:
    """Reads one value; returns the value, or None and the fault."""
    if value is None:
        return None, None
    if isinstance(value, _Undecoded):
        return None, Fault("not_utf8", f"{value!s:.40}: expected UTF-8")
    return _CHECKS[kind](value)


class _Undecoded(str):
    """Bytes that are no UTF-8, with an escape for each that is not."""

    __slots__ = ()


def decode(value: bytes) -> str:
    """Decodes bytes; what is no UTF-8 becomes an escape such as `\\xff`."""
    return value.decode(errors="backslashreplace")


def _decode(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return _Undecoded(decode(value))


def _check_int(value: Any) -> tuple[int | None, Fault | None]:
    found = value
    if isinstance(value, str):
        if not (text := value.strip()):
            return None, None
        try:
            found = TRUTHS[text] if text in TRUTHS else int(text) if "_" not in text else text
        except ValueError:
            found, _ = _parse_float(text)
    if isinstance(found, float):
        if math.isnan(found) and not isinstance(value, str):
            return None, None  # pandas' way to say that an integer is missing
        found = int(found) if found.is_integer() else None
    if not isinstance(found, int) or isinstance(found, bool):
        return None, _fault(value, "not_an_integer", "an integer")
    if not fits_int64(found):
        return None, Fault("out_of_range", f"{value!s:.40}: expected an integer of 64 bits")
    return found, None


def _check_float(value: Any) -> tuple[float | None, Fault | None]:
    found = value
    if isinstance(value, str):
        if not value.strip():
            return None, None
        found, fault = _parse_float(value)
        if fault is not None:
            return None, fault
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None, _fault(value, "not_a_number", "a number")
    if not isinstance(value, str) and isinstance(found, float) and math.isnan(found):
        return None, None
    if not abs(found) <= FLOAT32_MAX:
        return None, Fault("not_finite", f"{value!s:.40}: expected a finite number of 32 bits")
    return float(found), None


def _parse_float(text: str) -> tuple[float | None, Fault | None]:
    if (truth := TRUTHS.get(text.strip())) is not None:
        return float(truth), None
    try:
        if "_" not in text:  # Python would read 1_000
            return float(text), None
    except ValueError:
        pass
    return None, _fault(text, "not_a_number", "a number")


def _check_text(value: Any) -> tuple[str | None, Fault | None]:
    if not isinstance(value, str):
        return None, _fault(value, "wrong_type", "text")
    return value, None


def _fault(value: Any, reason: str, expected: str) -> Fault:
    of = value if isinstance(value, str) else f"{value!r} ({type(value).__name__})"
    return Fault(
        reason if isinstance(value, str) else "wrong_type", f"{of:.40}: expected {expected}"
    )


def _is_text(kind: pa.DataType) -> bool:
    of = pa.types
    return (
        of.is_string(kind) or of.is_large_string(kind) or of.is_binary(kind)
        or of.is_large_binary(kind)
    )  # fmt: skip


def _text(array: pa.Array) -> pa.Array:
    return array.cast(pa.large_binary()).cast(pa.large_string())  # which checks the UTF-8


def _number_text(array: pa.Array) -> pa.Array:
    found = pc.utf8_trim_whitespace(_text(array))
    return pc.if_else(pc.equal(found, ""), pa.scalar(None, found.type), found)


def _int(array: pa.Array) -> pa.Array:
    if _is_text(array.type):
        text = _number_text(array)
        if pc.any(pc.match_substring(text, "x", ignore_case=True)).as_py():
            raise pa.ArrowInvalid("Arrow would read 0x10")
        try:
            return text.cast(pa.int64())
        except pa.ArrowInvalid:
            array = text.cast(pa.float64())
        if pc.any(pc.greater_equal(pc.abs(array), _EXACT)).as_py():
            raise pa.ArrowInvalid("as a float it may have been rounded")
    elif pa.types.is_floating(array.type):
        array = _nan_is_missing(array)
    return array.cast(pa.int64())


def _float(array: pa.Array) -> pa.Array:
    if _is_text(array.type):
        array = _number_text(array).cast(pa.float64())
    else:
        array = array.cast(pa.float64())
        array = _nan_is_missing(array)
    # Of NaN no comparison is true, and what is missing does not count.
    if not pc.all(pc.less_equal(pc.abs(array), FLOAT32_MAX)).as_py() and array.null_count < len(
        array
    ):
        raise pa.ArrowInvalid("not finite")
    return array


def _nan_is_missing(array: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)


_FAST: dict[str, Callable[[pa.Array], pa.Array]] = {
    INT: _int,
    FLOAT: _float,
    STRING: lambda array: _text(array).cast(pa.large_binary()),
    "text": _text,
}
_CHECKS: dict[str, Callable[[Any], tuple[Any, Fault | None]]] = {
    INT: _check_int,
    FLOAT: _check_float,
    STRING: _check_text,
    "text": _check_text,
}
