"""Finds the raw columns of the network's inputs in the transform graph.

The graph takes every column of the schema; a request must carry those alone that an input of the
network depends on. Found in the graph and not in the settings, so that a preprocessing_fn of one's
own may read what it likes. Called by `models.signatures`.
"""

from collections.abc import Iterable

import tensorflow as tf
from tensorflow_transform import tf2_utils
from tensorflow_transform.saved.saved_transform_io_v2 import SavedModelLoader


def find_needed_columns(loader: SavedModelLoader, outputs: Iterable[str]) -> frozenset[str] | None:
    """Finds the raw columns that transformed features depend on.

    Args:
        loader: The transform graph.
        outputs: Names of transformed features.

    Returns:
        Names of raw columns; None if the graph does not name them, as in TensorFlow 1.
    """
    if loader.load_v2_in_compat:
        return None
    wanted = [loader.structured_outputs[name] for name in outputs]
    tensors = tf.nest.flatten(wanted, expand_composites=True)
    reached = _walk_up(tensors)
    columns = tf2_utils.get_structured_inputs_from_func_graph(tensors[0].graph)
    return frozenset(
        name
        for name, column in columns.items()
        if any(part.op in reached for part in tf.nest.flatten(column, expand_composites=True))
    )


def _walk_up(tensors: Iterable[tf.Tensor]) -> set[tf.Operation]:
    """All operations that tensors depend on, by value or by order."""
    reached: set[tf.Operation] = set()
    waiting = [tensor.op for tensor in tensors]
    while waiting:
        operation = waiting.pop()
        if operation not in reached:
            reached.add(operation)
            waiting.extend(tensor.op for tensor in operation.inputs)
            waiting.extend(operation.control_inputs)
    return reached
