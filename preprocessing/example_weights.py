"""The weight of each example in training, as TensorFlow Transform computes it.

Called by preprocessing.transform; preprocessing.weighting describes the parts. TFX may reload what
imports this: constants and functions only.
"""

from collections.abc import Mapping

import tensorflow as tf
import tensorflow_transform as tft

from preprocessing.columns import Column, on_values, to_dense
from preprocessing.labels import Label
from preprocessing.weighting import BALANCED, EXAMPLE_WEIGHT, MISSING_WEIGHT, Weighting

# Places of the hash that says who is kept; a share is one of so many.
_PLACES = 1 << 31


def weigh_examples(
    inputs: Mapping[str, Column],
    labels: Mapping[str, tf.Tensor],
    label: Label,
    weighting: Weighting,
    seed: int,
) -> dict[str, tf.Tensor]:
    """The weight of each example; 0 excludes an example from the training.

    Args:
        inputs: Raw columns.
        labels: Labels from `preprocessing.transform.make_label`.
        label: The rule.
        weighting: Rules for the weight of an example.
        seed: Seed of the choice of kept examples.

    Returns:
        `{EXAMPLE_WEIGHT: float32 [batch, 1]}`.
    """
    index = labels[label.output]
    weights = tf.ones_like(index, tf.float32)
    if weighting.classes == BALANCED:
        labelled = labels[label.weight_output] if label.weight_output else None
        weights *= tf.gather(balance(index, labelled, len(label.names)), index)
    elif weighting.classes:
        weights *= _by_name(weighting.classes, label, index)
    if weighting.column:
        weights *= read_weights(inputs[weighting.column], weighting.column)
    if weighting.down_sample:
        share = _by_name(weighting.down_sample, label, index, tf.float64)
        place = tf.cast(hash_rows(inputs, seed), tf.float64)
        kept = place < share * _PLACES
        weights *= tf.where(kept, tf.cast(1.0 / share, tf.float32), tf.zeros_like(weights))
    return {EXAMPLE_WEIGHT: weights}


def balance(index: tf.Tensor, labelled: tf.Tensor | None, classes: int) -> tf.Tensor:
    """The rows over k × those of the class, of all analyzed rows with a label; k classes occur.

    Source: G. King and L. Zeng, "Logistic Regression in Rare Events Data", 2001; the rule that
    scikit-learn calls `balanced`.

    Args:
        index: Class of each row, int64 [batch, 1].
        labelled: 1 where a row has a label, float32 [batch, 1]; None: every row.
        classes: Number of classes.

    Returns:
        float32 [classes]; of a class that does not occur, which no row asks for, anything.
    """
    ones = tf.one_hot(index[:, 0], classes, dtype=tf.int64)
    if labelled is not None:
        ones *= tf.cast(labelled, tf.int64)
    counts = tf.reshape(tft.sum(ones, reduce_instance_dims=False), [classes])
    occurring = tf.math.count_nonzero(counts)
    fair = tf.cast(tf.reduce_sum(counts), tf.float64) / tf.cast(occurring, tf.float64)
    return tf.cast(fair / tf.cast(tf.maximum(counts, 1), tf.float64), tf.float32)


def read_weights(column: Column, name: str) -> tf.Tensor:
    """The weights in a column, float32 [batch, 1]; 1 where it is empty.

    Raises:
        ValueError: The column holds text.
        tf.errors.InvalidArgumentError: When executed: a weight is negative, or not finite.
    """
    if column.dtype == tf.string:
        raise ValueError(
            f"weighting.column: {name} holds text; expected numbers. Hint: weigh by another column."
        )
    weights = to_dense(on_values(column, lambda x: tf.cast(x, tf.float32)), MISSING_WEIGHT)
    valid = tf.math.is_finite(weights) & (weights >= 0)
    message = (
        f"weighting.column: {name} holds values that are not weights; expected numbers of at "
        "least 0. Found"
    )
    hint = "Hint: correct the rows; an empty cell weighs 1."
    wrong = tf.boolean_mask(weights, ~valid)
    check = tf.debugging.Assert(tf.reduce_all(valid), [message, wrong, hint], summarize=5)
    with tf.control_dependencies([check]):
        return tf.identity(weights)


def hash_rows(inputs: Mapping[str, Column], seed: int) -> tf.Tensor:
    """A number for each row, int64 [batch, 1], which depends only on the seed and the values.

    All columns are used, not only features, so rows that differ only in an identifier are chosen
    independently. Floats are hashed by their bits, because their text might differ between
    versions.

    Returns:
        0 … 2³¹ - 1, spread evenly over different rows; of equal rows the same.
    """
    texts = [_text_of(inputs[name]) for name in sorted(inputs)]
    first = tf.fill(tf.shape(texts[0]), str(int(seed)))
    rows = tf.strings.join([first, *texts], separator="\x1e")
    return tf.strings.to_hash_bucket_fast(rows, _PLACES)[:, None]


def _text_of(column: Column) -> tf.Tensor:
    """All values of each row, each with its end marked, string [batch]; empty where there is none.

    Marked, not separated: sparse rows of one batch are padded to its longest.
    """

    def mark(values: tf.Tensor) -> tf.Tensor:
        if values.dtype == tf.float32:
            values = tf.bitcast(values, tf.int32)
        if values.dtype != tf.string:
            values = tf.strings.as_string(values)
        return tf.strings.join([values, tf.fill(tf.shape(values), "\x1f")])

    texts = on_values(column, mark)
    if isinstance(texts, tf.SparseTensor):
        texts = tf.sparse.to_dense(texts, "")
    texts = tf.expand_dims(texts, -1)  # so that there is something to join in a column of scalars
    return tf.strings.reduce_join(texts, axis=list(range(1, texts.shape.rank)))


def _by_name(
    values: Mapping[str, float], label: Label, index: tf.Tensor, dtype: tf.DType = tf.float32
) -> tf.Tensor:
    """The value of each row's label, 1 where it has none, [batch, 1]."""
    return tf.gather(tf.constant([values.get(name, 1.0) for name in label.names], dtype), index)
