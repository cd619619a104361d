"""Converts answers of a model to columns of a table. Imports no TensorFlow.

Called by `runners.publishing.batch_prediction` and `report.api`.
"""

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa

PREDICTION = "prediction"


def name_outputs(outputs: Mapping[str, np.ndarray]) -> dict[str, pa.Array]:
    """`prediction`, or `prediction_NAME` where the model has several outputs."""
    columns = map(_column, outputs.values())
    return dict(zip(column_names(outputs), columns, strict=True))


def column_names(outputs: Collection[str]) -> list[str]:
    """The names of the columns for these outputs."""
    if len(outputs) == 1:
        return [PREDICTION]
    return [f"{PREDICTION}_{name}" for name in outputs]


def _column(array: np.ndarray) -> pa.Array:
    """[rows] or [rows, 1] to a column of values, [rows, n] to one of lists."""
    flat = array.reshape(len(array), -1)
    if flat.dtype == object:  # bytes
        flat = np.vectorize(lambda each: each.decode(errors="replace"), otypes=[object])(flat)
    if flat.shape[1] == 1:
        return pa.array(flat[:, 0])
    offsets = pa.array(np.arange(len(flat) + 1) * flat.shape[1], pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(flat.reshape(-1)))
