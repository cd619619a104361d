"""NaN and infinite numbers in a request, which are refused, as a plain row's are.

JSON has neither (RFC 8259). In training, NaN is a missing value and an infinite number makes a bad
row, so the graph never gets either. TensorFlow Serving accepts both. Called by
`serving.server.predictor`, for both protocols. Must not import TFX.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from serving.model.servable import RefusedError, Signature

# The last two bytes of a float32 that is not finite: all bits of its exponent. Few others look so.
_MAY_BE = re.compile(rb"[\x80-\xff][\x7f\xff]")


def require_finite(arrays: Mapping[str, np.ndarray], signature: Signature) -> None:
    """Refuses numbers that are not finite, in tensors and in the columns of serialized tf.Examples.

    Raises:
        RefusedError: INVALID_ARGUMENT, with the row and the column.
    """
    for name, array in arrays.items():
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            row = np.argwhere(~np.isfinite(array))[0]
            where = name + "".join(f"[{place}]" for place in row)
            raise _refused(where, array[tuple(row)])
    if signature.examples_input is not None:
        floats = [column.name for column in signature.columns.values() if column.kind == "float"]
        _check_examples(signature.examples_input, arrays[signature.examples_input], floats)


def _check_examples(input_name: str, rows: Sequence[bytes], columns: Sequence[str]) -> None:
    """Parses the rows whose bytes may hold such a number: parsing takes ten times as long."""
    for number, row in enumerate(rows):
        if not _MAY_BE.search(row):
            continue
        try:
            features = tf.train.Example.FromString(row).features.feature
        except (DecodeError, SystemError):
            return  # the graph says what is wrong with it
        for name in columns:
            values = features[name].float_list.value if name in features else ()
            odd = next((value for value in values if not np.isfinite(value)), None)
            if odd is not None:
                raise _refused(f"{input_name}[{number}].{name}", odd)


def _refused(where: str, value: float) -> RefusedError:
    return RefusedError.malformed(f"{where}: {value}; expected a finite number")
