"""Raw columns as TFX gives them, sparse or dense: functions on values, and conversion to dense.

Called by preprocessing.transform and preprocessing.example_weights. TFX may reload what imports
this: functions only.
"""

from collections.abc import Callable, Sequence

import numpy as np
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


def stack(columns: Sequence[Column], dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
    """Puts columns of numbers side by side.

    The number of TensorFlow operations does not grow with the number of columns. With a few
    operations per column, a graph of a thousand columns takes minutes to build, analyze and load.

    Args:
        columns: At least one; sparse and dense ones, integers and floats may be mixed.
        dtype: Data type of the result.

    Returns:
        The values, `dtype` [batch, columns], 0 where none is present; and whether one is present,
        bool [batch, columns].

    Raises:
        tf.errors.InvalidArgumentError: When executed: a row of a column has more than one value.
    """
    groups: dict[tuple[bool, tf.DType], list[int]] = {}
    for place, column in enumerate(columns):
        groups.setdefault((isinstance(column, tf.SparseTensor), column.dtype), []).append(place)
    parts = [
        (_stack_sparse if is_sparse else _stack_dense)([columns[place] for place in places])
        for (is_sparse, _), places in groups.items()
    ]
    values = tf.concat([tf.cast(values, dtype) for values, _ in parts], axis=1)
    present = tf.concat([present for _, present in parts], axis=1)
    if len(parts) > 1:
        order = np.argsort([place for places in groups.values() for place in places])
        values, present = tf.gather(values, order, axis=1), tf.gather(present, order, axis=1)
    shape = [None, len(columns)]
    return tf.ensure_shape(values, shape), tf.ensure_shape(present, shape)


def _stack_dense(columns: list[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Dense columns of one dtype, where every value is present."""
    values = tf.concat([_as_single(column) for column in columns], axis=1)
    return values, tf.ones_like(values, tf.bool)


def _as_single(column: tf.Tensor) -> tf.Tensor:
    return column if column.shape[1:] == [1] else tf.reshape(column, [-1, 1])


def _stack_sparse(columns: list[tf.SparseTensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Sparse columns of one dtype: one below the other as [columns * batch, 1], then dense."""
    shape = tf.stack([columns[0].dense_shape[0], tf.constant(1, tf.int64)])
    stacked = tf.SparseTensor(columns[0].indices, columns[0].values, shape)
    if len(columns) > 1:
        # Not tf.sparse.concat, which would ask each column for its width.
        stacked = tf.SparseTensor(
            *tf.raw_ops.SparseConcat(
                indices=[column.indices for column in columns],
                values=[column.values for column in columns],
                shapes=[shape] * len(columns),
                concat_dim=0,
            )
        )

    def fill(values: tf.Tensor) -> tf.Tensor:
        dense = tf.sparse.to_dense(tf.SparseTensor(stacked.indices, values, stacked.dense_shape))
        return tf.transpose(tf.reshape(dense, [len(columns), -1]))

    return fill(stacked.values), fill(tf.ones_like(stacked.values, tf.bool))
