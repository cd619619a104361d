"""What is refused before the graph sees it: rows without a required column, and odd numbers.

The graph refuses a row without a column that it parses with a shape, and names the first one only;
what the contract requires beyond that it takes as missing. JSON has no NaN and no infinite numbers
(RFC 8259); in training, NaN is a missing value and an infinite number makes a bad row, so the graph
never gets either. TensorFlow Serving accepts both.

Called by `serving.server.predictor`, for both protocols. Must not import TFX.
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fareline.kinds import FLOAT, INT, STRING
from serving.model.servable import RefusedError, Signature

# Of a field of a message, and of an entry of a map: key and value. All are told with their length.
_FIRST, _SECOND = b"\n\x12"
# The kinds of a feature, which is one list: of texts, of float32, of int64.
_TEXTS, _FLOATS, _INTS = b"\n\x12\x1a"
# A feature that holds a value: kind and length of its list, tag and length or byte of a value.
_LEAST_BYTES = 4
# The longest feature whose lists tell their length in one byte each.
_SHORT_BYTES = 0x7F + 2
# The last two bytes of a float32 that is not finite: all bits of its exponent. Few others look so.
_MAY_BE_ODD = re.compile(rb"[\x80-\xff][\x7f\xff]")
_DTYPES = {FLOAT: tf.float32, INT: tf.int64, STRING: tf.string}
# Columns without a value, and the first odd number: its column and itself.
_Found = tuple[list[str], tuple[str, float] | None]


def require_finite(arrays: Mapping[str, np.ndarray]) -> None:
    """Refuses numbers in tensors that are not finite.

    Raises:
        RefusedError: INVALID_ARGUMENT, with the place.
    """
    for name, array in arrays.items():
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            row = np.argwhere(~np.isfinite(array))[0]
            where = name + "".join(f"[{place}]" for place in row)
            raise _not_finite(where, array[tuple(row)])


class ExampleCheck:
    """Looks at serialized tf.Examples; has TensorFlow read those whose bytes are in another form.

    Parsing a row in Python and asking for its columns takes five times as long as its bytes. What
    these leave open is read by the op that the graph has, and not by protobuf: of a feature with
    two lists the op takes the first and protobuf the last, and keys that are not UTF-8 and numbers
    of ten bytes are errors to protobuf alone.
    """

    def __init__(self, required: Collection[str], signature: Signature):
        """Prepares.

        Args:
            required: Columns of the signature that every row must have a value of.
            signature: Says what the columns are.
        """
        self._required = tuple(required)
        self._needed = [name.encode() for name in required]
        floats = [name for name, column in signature.columns.items() if column.kind == FLOAT]
        self._floats = [(name, name.encode()) for name in floats]
        self._kinds = {name: signature.columns[name].kind for name in {*required, *floats}}

    def check(self, input_name: str, rows: Sequence[bytes]) -> None:
        """Refuses rows that lack a column or hold NaN; what the graph cannot parse passes.

        Args:
            input_name: The input that the rows are in, for the message.
            rows: Serialized tf.Examples.

        Raises:
            RefusedError: INVALID_ARGUMENT, with the row, and all columns that it lacks or the one
                with the odd number.
        """
        if not self._kinds:
            return
        for number, row in enumerate(rows):
            found = self._look(row)
            if found is None:
                found = self._read(row)
            missing, odd = found
            if missing:
                raise RefusedError.lacking(f"{input_name}[{number}]", missing)
            if odd is not None:
                raise _not_finite(f"{input_name}[{number}].{odd[0]}", odd[1])

    def _look(self, row: bytes) -> _Found | None:
        """What the bytes show; None where they leave something open."""
        features = _split(row)
        if features is None:
            return None
        missing = []
        for name, key in zip(self._required, self._needed, strict=True):
            has_value = _has_value(features.get(key, b""))
            if has_value is None:
                return None
            if not has_value:
                missing.append(name)
        if missing or not _MAY_BE_ODD.search(row):
            return missing, None
        for name, key in self._floats:
            feature = features.get(key, b"")
            if not _MAY_BE_ODD.search(feature):
                continue
            if _has_value(feature) is None:
                return None
            odd = _first_odd(tf.train.Feature.FromString(feature).float_list.value)
            if odd is not None:
                return [], (name, odd)
        return [], None

    def _spec(self) -> Mapping[str, Any]:
        return {name: tf.io.VarLenFeature(_DTYPES[kind]) for name, kind in self._kinds.items()}

    def _read(self, row: bytes) -> _Found:
        """What TensorFlow reads; nothing is found where the graph will say what is wrong."""
        try:
            parsed = tf.io.parse_example([row], self._spec())
        except (tf.errors.InvalidArgumentError, UnicodeDecodeError):  # it may quote the bytes
            return [], None
        values = {name: column.values.numpy() for name, column in parsed.items()}
        missing = [name for name in self._required if not values[name].size]
        for name, _ in self._floats:
            odd = _first_odd(values[name].tolist())
            if odd is not None:
                return missing, (name, odd)
        return missing, None


def _first_odd(values: Iterable[float]) -> float | None:
    return next((value for value in values if not math.isfinite(value)), None)


def _split(row: bytes) -> Mapping[bytes, bytes] | None:
    """Column to its serialized tf.train.Feature.

    Of a row as every library writes it: one message of entries, each a key and a feature.

    Returns:
        None for any other row, which may be a tf.Example all the same.
    """
    features = {}
    try:
        place, end = _enter(row, 0, _FIRST)
        if end != len(row):
            return None
        while place < end:
            key, entry_end = _enter(row, place, _FIRST)
            key, key_end = _enter(row, key, _FIRST)
            feature, place = _enter(row, key_end, _SECOND)
            if place != entry_end:
                return None
            features[row[key:key_end]] = row[feature:place]
    except (IndexError, ValueError):
        return None
    return features if place == end else None


def _enter(row: bytes, place: int, tag: int) -> tuple[int, int]:
    """Start and end of what a field holds that is told with its length (protobuf, wire type 2)."""
    if row[place] != tag:
        raise ValueError
    length = row[place + 1]
    if length <= 0x7F:
        return place + 2, place + 2 + length
    length &= 0x7F
    for size in range(2, 6):
        length |= (row[place + size] & 0x7F) << 7 * (size - 1)
        if row[place + size] <= 0x7F:
            return place + size + 1, place + size + 1 + length
    raise ValueError


def _has_value(feature: bytes) -> bool | None:
    """Whether a feature holds a value, in one list as every library writes it.

    Returns:
        None for another form, such as two lists, or numbers that are not packed.
    """
    size = len(feature)
    if size < _LEAST_BYTES:
        return False
    if size <= _SHORT_BYTES and feature[1] == size - 2 and feature[2] == _FIRST:
        if feature[0] == _TEXTS:
            return True
        if feature[0] in (_FLOATS, _INTS) and feature[3] == size - 4:
            return size > _LEAST_BYTES
        return None
    return _has_long_value(feature)


def _has_long_value(feature: bytes) -> bool | None:
    kind = feature[0]
    if kind not in (_TEXTS, _FLOATS, _INTS):
        return None
    try:
        start, end = _enter(feature, 0, kind)
        if end != len(feature):
            return None
        first, first_end = _enter(feature, start, _FIRST)
    except (IndexError, ValueError):
        return None
    if kind == _TEXTS:
        return True
    return first < first_end if first_end == end else None


def _not_finite(where: str, value: float) -> RefusedError:
    return RefusedError.malformed(f"{where}: {value}; expected a finite number")
