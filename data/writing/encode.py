"""Columns to serialized tf.Examples, with the encoder that TFX itself uses (C++, no TensorFlow).

Called by `runners.publishing.batch_prediction` and `data.writing.example_files`.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

# tf.Example has three kinds of values.
_FEATURE_TYPES = {pa.float64(): pa.float32()}


def encode_examples(columns: Mapping[str, pa.Array], rows: int) -> np.ndarray:
    """Encodes rows.

    Args:
        columns: By name: int64, float64 (written as float32) or large_binary, where null is
            missing; large_lists of these; or nulls, whose feature then has no kind.
        rows: Number of rows, even without any column.

    Returns:
        bytes [rows], as objects.
    """
    # Not at the top: it loads a library of 100 MB.
    from tfx_bsl.coders.example_coder import RecordBatchToExamples

    examples = np.empty(rows, object)
    if not columns:
        examples[:] = b""
        return examples
    lists = [_one_or_none(array) for array in columns.values()]
    examples[:] = RecordBatchToExamples(pa.RecordBatch.from_arrays(lists, list(columns)))
    return examples


def _one_or_none(array: pa.Array) -> pa.Array:
    """Wraps each value into a list; what is missing becomes an empty one."""
    if pa.types.is_large_list(array.type):
        return array
    if pa.types.is_null(array.type):
        return array.cast(pa.large_list(pa.large_binary()))
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(valid, dtype=np.int64)])
    values = array.drop_null()
    values = values.cast(_FEATURE_TYPES.get(values.type, values.type), safe=False)
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values)
