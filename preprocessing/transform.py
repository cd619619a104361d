"""preprocessing_fn: the computation of TensorFlow Transform, which serving repeats.

TFX calls it by the dotted path `preprocessing.transform.preprocessing_fn`, in a Beam worker or a
container. May import this package and TensorFlow, never pipeline or runners. TFX may reload this
module, so it has only constants and functions.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from preprocessing.boundaries import quantile_boundaries
from preprocessing.columns import Column, on_values, stack, to_dense
from preprocessing.example_weights import weigh_examples
from preprocessing.features import MISSING_INDEX, Categories, Numeric, parse_features
from preprocessing.labels import (
    CLASS,
    ERROR,
    Amount,
    Classes,
    Flag,
    Label,
    Share,
    parse_label,
)
from preprocessing.moments import mean_and_deviation
from preprocessing.weighting import parse_weighting


def preprocessing_fn(
    inputs: Mapping[str, Column], custom_config: Mapping[str, Any]
) -> dict[str, tf.Tensor]:
    """Maps raw columns to transformed features by the kinds in the settings.

    Args:
        inputs: Raw columns, one value per row or none: sparse [batch, 1] or dense [batch, 1].
        custom_config: `features`, `label` and `task` of the settings. With weights also
            `weighting`, and `seed` if it down-samples.

    Returns:
        `*_scaled_xf` float32 [batch, 1]; `*_bucket_xf`, `*_vocab_xf`, `*_category_xf` int64
        [batch, 1]; the label, and its weight if rows may lack a label (preprocessing.labels); the
        weight of the example, if there are weights (preprocessing.weighting). Missing values
        follow the rule of their kind (preprocessing.features).
    """
    features = parse_features(custom_config["features"])
    label = parse_label(custom_config["label"], custom_config["task"])
    outputs = scale_numbers(inputs, features.numeric)
    outputs |= bucketize(inputs, [f for f in features.categories if f.kind == "bucket"])
    to_index = {"vocab": look_up, "category": take_category}
    for feature in features.categories:
        if feature.kind in to_index:
            outputs[feature.output] = to_index[feature.kind](inputs[feature.column], feature)
    outputs |= make_label(inputs, label)
    weighting = parse_weighting(custom_config.get("weighting"))
    if weighting is not None:
        outputs |= weigh_examples(inputs, outputs, label, weighting, custom_config.get("seed", 0))
    return outputs


def scale_numbers(
    inputs: Mapping[str, Column], features: Sequence[Numeric]
) -> dict[str, tf.Tensor]:
    """Z-scores of the present values; missing becomes 0, the mean.

    All columns are one matrix with one analyzer: TensorFlow Transform's time grows with the square
    of the number of analyzers. Computed in float64 and cast at the end: in float32 the last bits
    depend on the batch size, which Beam chooses by time.

    Args:
        inputs: Raw columns.
        features: Columns to scale, with their options.

    Returns:
        float32 [batch, 1] for each.
    """
    if not features:
        return {}
    features = sorted(features, key=lambda f: f.log)
    values, present = stack([inputs[f.column] for f in features], tf.float64)
    plain = sum(not f.log for f in features)
    if plain < len(features):
        logs = tf.math.log1p(tf.maximum(values[:, plain:], 0.0))
        values = tf.concat([values[:, :plain], logs], axis=1)
    mean, deviation = mean_and_deviation(_only(present, values))
    # A column of one value only is not scaled, as in tft.scale_to_z_score.
    scores = (values - mean) / tf.where(deviation > 0, deviation, 1.0)
    scores = tf.where(present, tf.cast(scores, tf.float32), 0.0)
    return _to_columns(scores, features)


def bucketize(inputs: Mapping[str, Column], features: Sequence[Categories]) -> dict[str, tf.Tensor]:
    """Quantile bucket of a number, 1 … size; 0 if missing.

    Args:
        inputs: Raw columns.
        features: Columns, with the number of buckets of each.

    Returns:
        int64 [batch, 1] for each.
    """
    if not features:
        return {}
    values, present = stack([inputs[f.column] for f in features], tf.float32)
    sizes = [f.size for f in features]
    boundaries = quantile_boundaries(_only(present, values), sizes)
    indices = tf.transpose(tf.searchsorted(boundaries, tf.transpose(values), "right", tf.int64))
    # Infinity and NaN are in the last bucket, and no further.
    indices = tf.minimum(indices, tf.constant([size - 1 for size in sizes], tf.int64)) + 1
    missing = tf.constant(MISSING_INDEX, tf.int64)
    return _to_columns(tf.where(present, indices, missing), features)


def _only(present: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """The values with NaN, which analyzers leave out, where none is present."""
    return tf.where(present, values, tf.constant(math.nan, values.dtype))


def _to_columns(
    matrix: tf.Tensor, features: Sequence[Numeric | Categories]
) -> dict[str, tf.Tensor]:
    """[batch, columns] to [batch, 1] by transformed name."""
    columns = tf.split(matrix, len(features), axis=1)
    return {f.output: column for f, column in zip(features, columns, strict=True)}


def look_up(column: Column, feature: Categories) -> tf.Tensor:
    """Rank among the most frequent values, from 1; hash bucket beyond; 0 if missing.

    Whole numbers as floats count as integers: pandas writes integers with missing values so.
    If the data has fewer than `size` distinct values, the out-of-vocabulary indices follow
    the last entry directly. int64 [batch, 1].
    """
    return _as_index(
        tft.compute_and_apply_vocabulary(
            _as_entries(column),
            top_k=feature.size,
            num_oov_buckets=feature.oov_buckets,
            vocab_filename=feature.file_name,
        )
    )


def _as_entries(column: Column) -> Column:
    """What stands in a vocabulary for each value: text in one line, or an integer."""
    if column.dtype == tf.string:
        return on_values(column, _escape_line_ends)
    return on_values(column, _as_text) if column.dtype.is_floating else column


def _escape_line_ends(values: tf.Tensor) -> tf.Tensor:
    """A vocabulary has one value per line, and leaves out, in silence, what has several lines."""
    for pattern, rewrite in ((r"\\", r"\\\\"), (r"\n", r"\\n"), (r"\r", r"\\r")):
        values = tf.strings.regex_replace(values, pattern, rewrite)
    return values


def _as_text(values: tf.Tensor) -> tf.Tensor:
    integers = tf.cast(values, tf.int64)
    whole = tf.equal(tf.cast(integers, values.dtype), values)
    return tf.where(whole, tf.strings.as_string(integers), tf.strings.as_string(values))


def take_category(column: Column, feature: Categories) -> tf.Tensor:
    """The integer itself plus 1; size + 1 outside 0 … size - 1; 0 if missing. int64 [batch, 1]."""
    outside = tf.constant(feature.size, tf.int64)

    def clip(x: tf.Tensor) -> tf.Tensor:
        integer = tf.cast(x, tf.int64)
        known = (integer >= 0) & (integer < outside) & tf.equal(tf.cast(integer, x.dtype), x)
        return tf.where(known, integer, outside)

    return _as_index(on_values(column, clip))


def make_label(inputs: Mapping[str, Column], label: Label) -> dict[str, tf.Tensor]:
    """The label, and the weight of each row if rows may lack a label.

    Args:
        inputs: Raw columns.
        label: The rule.

    Returns:
        `label.output`, int64 or float32 [batch, 1], and `label.weight_output`, 1 or 0 as float32
        [batch, 1]. Where the weight is 0, the label is 0 and has no meaning. It is not NaN,
        because NaN stays NaN in a sum for every weight.
    """
    if isinstance(label, Share):
        return {label.output: exceeds_share(inputs, label)}
    column = inputs[label.column]
    present = to_dense(on_values(column, lambda x: tf.ones_like(x, tf.int64)), 0) > 0
    values = to_dense(column, "" if column.dtype == tf.string else 0)
    rule = {Flag: _match_flag, Classes: _match_class, Amount: _take_amount}[type(label)]
    result, fits = rule(values, label)
    valid = present & fits
    result = tf.where(valid, result, tf.zeros_like(result))
    if label.other == ERROR:
        return {label.output: _require_label(result, valid, values, label)}
    return {label.output: result, label.weight_output: tf.cast(valid, tf.float32)}


def exceeds_share(inputs: Mapping[str, Column], label: Share) -> tf.Tensor:
    """`Share.exceeds` as int64 [batch, 1]; a missing amount counts as 0."""
    value, reference = (
        to_dense(on_values(inputs[name], lambda x: tf.cast(x, tf.float32)), 0.0)
        for name in label.columns
    )
    return tf.cast(label.exceeds(value, reference), tf.int64)


def _match_flag(values: tf.Tensor, label: Flag) -> tuple[tf.Tensor, tf.Tensor]:
    positive = tf.equal(values, tf.constant(label.positive, values.dtype))
    if label.negative is None:
        fits = tf.ones_like(positive)
    else:
        fits = positive | tf.equal(values, tf.constant(label.negative, values.dtype))
    return tf.cast(positive, tf.int64), fits


def _match_class(values: tf.Tensor, label: Classes) -> tuple[tf.Tensor, tf.Tensor]:
    matches = tf.equal(values, tf.constant([label.values], values.dtype))  # [batch, classes]
    index = tf.argmax(tf.cast(matches, tf.int64), axis=1)[:, None]
    known = tf.reduce_any(matches, axis=1, keepdims=True)
    if label.other != CLASS:
        return index, known
    return tf.where(known, index, tf.constant(len(label.values), tf.int64)), tf.ones_like(known)


def _take_amount(values: tf.Tensor, label: Amount) -> tuple[tf.Tensor, tf.Tensor]:
    amount = tf.cast(values, tf.float32)
    fits = tf.math.is_finite(amount)
    return amount, fits & (amount >= 0) if label.log else fits


def _require_label(
    result: tf.Tensor, valid: tf.Tensor, values: tf.Tensor, label: Label
) -> tf.Tensor:
    """Fails where a row lacks a label; in serving, models.signatures gives every row one."""
    message = (
        f"label.column: {label.column} is empty or no label by its rule in some rows, which hold "
        "(first five; empty as 0 or nothing)"
    )
    hint = "Hint: correct the rows or the rule; label.other: drop leaves them out."
    wrong = tf.boolean_mask(values, ~valid)
    check = tf.debugging.Assert(tf.reduce_all(valid), [message, wrong, hint], summarize=5)
    with tf.control_dependencies([check]):
        return tf.identity(result)


def _as_index(column: Column) -> tf.Tensor:
    """Moves indices up by one, so that 0 is free for missing."""
    return to_dense(on_values(column, lambda x: tf.cast(x, tf.int64) + 1), 0)
