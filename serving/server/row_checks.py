"""What is refused before the graph sees it: rows without a required column, and odd numbers.

The graph refuses a row without a column that it parses with a shape, and names the first one only;
what the contract requires beyond that it takes as missing. JSON has no NaN and no infinite numbers
(RFC 8259); in training, NaN is a missing value and an infinite number makes a bad row, so the graph
never gets either. TensorFlow Serving accepts both.

Called by `serving.server.predictor`, for both protocols. Must not import TFX.
"""

import math
import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from serving.model.servable import RefusedError, Signature

# Of a field of a message, and of an entry of a map: key and value. All are told with their length.
_FIRST, _SECOND = b"\n\x12"
# A feature that holds a value has a kind, the length of its list, and a byte at least.
_LEAST_BYTES = 3
# The list of one empty text looks like an empty list of numbers.
_MAY_BE_EMPTY = 4
# The last two bytes of a float32 that is not finite: all bits of its exponent. Few others look so.
_MAY_BE_ODD = re.compile(rb"[\x80-\xff][\x7f\xff]")


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
    """Looks at serialized tf.Examples; parses only what their bytes leave open.

    Parsing a row in Python and asking for its columns takes five times as long as its bytes.
    """

    def __init__(self, required: Collection[str], signature: Signature):
        """Prepares.

        Args:
            required: Columns that every row must have a value of.
            signature: Says what the columns are.
        """
        self._required = tuple(required)
        self._needed = [name.encode() for name in required]
        self._floats = [
            (name, name.encode())
            for name in (each.name for each in signature.columns.values() if each.kind == "float")
        ]

    def check(self, input_name: str, rows: Sequence[bytes]) -> None:
        """Refuses rows that lack a column or hold NaN; what is no tf.Example passes.

        Args:
            input_name: The input that the rows are in, for the message.
            rows: Serialized tf.Examples.

        Raises:
            RefusedError: INVALID_ARGUMENT, with the row, and all columns that it lacks or the one
                with the odd number.
        """
        for number, row in enumerate(rows):
            try:
                features = _split(row)
                missing = [
                    name
                    for name, key in zip(self._required, self._needed, strict=True)
                    if not _has_value(features.get(key, b""))
                ]
                if missing:
                    raise RefusedError.lacking(f"{input_name}[{number}]", missing)
                if _MAY_BE_ODD.search(row):
                    self._check_floats(f"{input_name}[{number}]", features)
            except (DecodeError, SystemError):
                return  # the graph says what is wrong with it

    def _check_floats(self, where: str, features: Mapping[bytes, bytes]) -> None:
        for name, key in self._floats:
            feature = features.get(key)
            if feature is None or not _MAY_BE_ODD.search(feature):
                continue
            values = tf.train.Feature.FromString(feature).float_list.value
            odd = next((value for value in values if not math.isfinite(value)), None)
            if odd is not None:
                raise _not_finite(f"{where}.{name}", odd)


def _split(row: bytes) -> Mapping[bytes, bytes]:
    """Column to its serialized tf.train.Feature."""
    return _split_plainly(row) or {
        name.encode(): feature.SerializeToString()
        for name, feature in tf.train.Example.FromString(row).features.feature.items()
    }


def _split_plainly(row: bytes) -> Mapping[bytes, bytes] | None:
    """Of a row as every library writes it: one message of entries, each a key and a feature.

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


def _has_value(feature: bytes) -> bool:
    if len(feature) < _LEAST_BYTES:
        return False
    if len(feature) > _MAY_BE_EMPTY:
        return True
    parsed = tf.train.Feature.FromString(feature)
    kind = parsed.WhichOneof("kind")
    return bool(kind and getattr(parsed, kind).value)


def _not_finite(where: str, value: float) -> RefusedError:
    return RefusedError.malformed(f"{where}: {value}; expected a finite number")
