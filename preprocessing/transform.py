"""preprocessing_fn: what TensorFlow Transform computes over the whole data, and serving repeats.

TFX calls it by the dotted path `preprocessing.transform.preprocessing_fn`, in a Beam worker or a
container. May import this room and TensorFlow, never pipeline or runners. TFX may reload this
module: constants and functions only.
"""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from preprocessing.columns import Column, on_values, to_dense
from preprocessing.example_weights import weigh_examples
from preprocessing.features import Categories, Numeric, parse_features
from preprocessing.labels import (
    CLASS,
    ERROR,
    ROUNDING,
    Amount,
    Classes,
    Flag,
    Label,
    Share,
    parse_label,
)
from preprocessing.weighting import parse_weighting


def preprocessing_fn(
    inputs: Mapping[str, Column], custom_config: Mapping[str, Any]
) -> dict[str, tf.Tensor]:
    """Maps raw columns to transformed features by the kinds in the settings.

    Args:
        inputs: Raw columns, one value per row or none: sparse [batch, 1] or dense [batch, 1].
        custom_config: `features`, `label` and `task` of the settings; where examples are weighed
            `weighting` as well, and `seed`, if it down-samples.

    Returns:
        `*_scaled_xf` float32 [batch, 1]; `*_bucket_xf`, `*_vocab_xf`, `*_category_xf` int64
        [batch, 1]; the label, and its weight if rows may lack one (preprocessing.labels); the
        weight of the example, if the settings weigh any (preprocessing.weighting). Missing values
        follow the rule of their kind (preprocessing.features).
    """
    features = parse_features(custom_config["features"])
    label = parse_label(custom_config["label"], custom_config["task"])
    outputs = {f.output: scale_number(inputs[f.column], f) for f in features.numeric}
    to_index = {"bucket": bucketize, "vocab": look_up, "category": take_category}
    for feature in features.categories:
        outputs[feature.output] = to_index[feature.kind](inputs[feature.column], feature)
    outputs |= make_label(inputs, label)
    weighting = parse_weighting(custom_config.get("weighting"))
    if weighting is not None:
        outputs |= weigh_examples(inputs, outputs, label, weighting, custom_config.get("seed", 0))
    return outputs


def scale_number(column: Column, feature: Numeric) -> tf.Tensor:
    """Z-score of the present values; missing becomes 0, the mean. float32 [batch, 1]."""
    values = on_values(column, lambda x: tf.cast(x, tf.float32))
    if feature.log:
        values = on_values(values, lambda x: tf.math.log1p(tf.maximum(x, 0.0)))
    return to_dense(tft.scale_to_z_score(values), 0.0)


def bucketize(column: Column, feature: Categories) -> tf.Tensor:
    """Quantile bucket of a number, 1 … size; 0 if missing. int64 [batch, 1]."""
    values = on_values(column, lambda x: tf.cast(x, tf.float32))
    return _as_index(tft.bucketize(values, feature.size))


def look_up(column: Column, feature: Categories) -> tf.Tensor:
    """Rank among the most frequent values, from 1; hash bucket beyond; 0 if missing.

    Where the data holds fewer than `size` distinct values the out-of-vocabulary indices follow
    the last entry directly. int64 [batch, 1].
    """
    return _as_index(
        tft.compute_and_apply_vocabulary(
            column,
            top_k=feature.size,
            num_oov_buckets=feature.oov_buckets,
            vocab_filename=feature.column,
        )
    )


def take_category(column: Column, feature: Categories) -> tf.Tensor:
    """The integer itself plus 1; size + 1 outside 0 … size - 1; 0 if missing. int64 [batch, 1]."""
    outside = tf.constant(feature.size, tf.int64)

    def clip(x: tf.Tensor) -> tf.Tensor:
        x = tf.cast(x, tf.int64)
        return tf.where((x >= 0) & (x < outside), x, outside)

    return _as_index(on_values(column, clip))


def make_label(inputs: Mapping[str, Column], label: Label) -> dict[str, tf.Tensor]:
    """The label, and the weight of each row where rows may lack one.

    Args:
        inputs: Raw columns.
        label: The rule.

    Returns:
        `label.output`, int64 or float32 [batch, 1], and `label.weight_output`, 1 or 0 as float32
        [batch, 1]. Where the weight is 0 the label is 0, which means nothing: NaN, which would say
        so, stays NaN in a sum however small its weight.
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
    """1 where column > times × reference, else 0; a missing amount counts as 0. int64 [batch, 1].

    tf.Examples hold float32: 165 of the taxi trips tip exactly 20 %, and rounding alone would call
    8 of them more. What exceeds the bound by less than `ROUNDING` of it counts as equal.
    """
    value, reference = (
        to_dense(on_values(inputs[name], lambda x: tf.cast(x, tf.float32)), 0.0)
        for name in label.columns
    )
    bound = tf.constant(label.times, tf.float32) * reference
    return tf.cast(value - bound > ROUNDING * tf.abs(bound), tf.int64)


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
    """Fails where the label is made and a row lacks one; in serving, no label is made."""
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
