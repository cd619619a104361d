"""A raw column as TFX gives it, sparse or dense: working on its values, and making it dense.

Called by preprocessing.transform and preprocessing.example_weights. TFX may reload what imports
this: functions only.
"""

from collections.abc import Callable

import tensorflow as tf

Column = tf.Tensor | tf.SparseTensor


def on_values(column: Column, function: Callable[[tf.Tensor], tf.Tensor]) -> Column:
    """Applies an elementwise function to the values that are present."""
    if isinstance(column, tf.SparseTensor):
        return tf.SparseTensor(column.indices, function(column.values), column.dense_shape)
    return function(column)


def to_dense(column: Column, default: float | int | str) -> tf.Tensor:
    """Dense [batch, 1] with `default` where no value is present."""
    if isinstance(column, tf.SparseTensor):
        shape = tf.stack([column.dense_shape[0], tf.constant(1, tf.int64)])
        column = tf.SparseTensor(column.indices, column.values, shape)
        column = tf.sparse.to_dense(column, tf.constant(default, column.dtype))
    return tf.reshape(column, [-1, 1])
