"""Batches of transformed examples for training and evaluation, and statistics of their labels.

Called by models.trainer and models.tuner. Must not import pipeline, runners or an orchestrator.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from fareline.near import listed
from models.heads import Head, choose_head
from preprocessing.labels import Amount, Label
from preprocessing.weighting import EXAMPLE_WEIGHT, parse_weighting

EVAL_BATCH_SIZE = 2048
SHUFFLE_ROWS = 10_000  # rows held for shuffling: bounds memory at any data size
_SURVEY_ROWS = 4096


@dataclasses.dataclass(frozen=True)
class LabelSurvey:
    """Statistics of the labels of a split.

    Attributes:
        rows: All rows.
        labelled: Those that have a label.
        kept: Those of them that training learns from, where examples are weighed; None: all.
        mean: Mean of an amount, after the logarithm if there is one; 0 for classes.
        deviation: Its standard deviation.
    """

    rows: int
    labelled: int
    mean: float = 0.0
    deviation: float = 0.0
    kept: int | None = None


def read_for_fit(
    fn_args,
    transform_output: tft.TFTransformOutput,
    label: Label,
    head: Head,
    passes: int | None = 1,
) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Reads the two splits as Trainer and Tuner feed them to Keras.

    Args:
        fn_args: `tfx.components.FnArgs`, with `train_files`, `eval_files` and the `training`,
            `seed` and, if there is one, `weighting` of `custom_config`.
        transform_output: Knows the feature spec of the transformed examples.
        label: The rule.
        head: Says what the network learns from a label.
        passes: Over the training data; None for passes without end.

    Returns:
        The passes over the training data, each in another order, with weights where the settings
        weigh examples. The orders depend on `seed` alone: a second iteration has the same
        orders. And the validation data in order, never weighed: what early stopping and the search
        watch is measured on the data as it is, as the Evaluator does.
    """
    config = fn_args.custom_config
    names = {"label": label.output, "weight": label.weight_output}

    @tf.autograph.experimental.do_not_convert
    def to_target(inputs: dict[str, tf.Tensor], value: tf.Tensor, *weights: tf.Tensor):
        return inputs, head.to_target(value), *weights

    @tf.autograph.experimental.do_not_convert
    def read_pass(seed: tf.Tensor) -> tf.data.Dataset:
        batches = read_batches(
            fn_args.train_files,
            transform_output,
            batch_size=config["training"]["batch_size"],
            shuffle_seed=seed,
            example_weight=example_weight_of(fn_args),
            **names,
        )
        return batches.map(to_target)

    # TensorFlow's own reshuffling goes on where the iterator before has stopped, and how far that
    # one had read ahead is a matter of threads: a trial would depend on the one before it.
    first = config["seed"]
    seeds = tf.data.Dataset.range(first, tf.int64.max if passes is None else first + passes)
    validate = read_batches(
        fn_args.eval_files, transform_output, batch_size=EVAL_BATCH_SIZE, **names
    )
    return seeds.flat_map(read_pass).prefetch(2), validate.map(to_target).cache()


def prepare_head(
    fn_args, transform_output: tft.TFTransformOutput, label: Label
) -> tuple[Head, dict[str, LabelSurvey]]:
    """Chooses the head for the training labels, after a look at them where the rule needs one.

    Args:
        fn_args: `tfx.components.FnArgs`, with `train_files` and `eval_files`.
        transform_output: Knows the feature spec of the transformed examples.
        label: The rule.

    Returns:
        The head, and what was seen of the splits `train` and `validate`; nothing where every row
        has a label, the labels are classes and nothing is weighed, which spares the pass over the
        data.

    Raises:
        ValueError: No row of a split has a label, or none of the training weighs more than 0.
    """
    weight = example_weight_of(fn_args)
    if label.weight_output is None and not isinstance(label, Amount) and weight is None:
        return choose_head(label), {}
    seen = {
        "train": survey_labels(fn_args.train_files, transform_output, label, weight),
        "validate": survey_labels(fn_args.eval_files, transform_output, label),
    }
    return choose_head(label, seen["train"].mean, seen["train"].deviation), seen


def example_weight_of(fn_args) -> str | None:
    """Transformed name of the weight of examples, if the settings weigh any."""
    weighting = parse_weighting(fn_args.custom_config.get("weighting"))
    return None if weighting is None else EXAMPLE_WEIGHT


def read_batches(
    file_patterns: Sequence[str],
    transform_output: tft.TFTransformOutput,
    label: str,
    batch_size: int,
    shuffle_seed: int | tf.Tensor | None = None,
    weight: str | None = None,
    example_weight: str | None = None,
) -> tf.data.Dataset:
    """Reads gzipped TFRecords of transformed tf.Examples once.

    Args:
        file_patterns: Globs of files, as TFX gives them in `FnArgs`.
        transform_output: Knows the feature spec of the transformed examples.
        label: Transformed name of the label.
        batch_size: Rows per batch; the last batch may be smaller.
        shuffle_seed: Shuffles with this seed, the same order each time; None keeps the order.
        weight: Transformed name of the weight, if there is one: rows of weight 0 have no label and
            are left out.
        example_weight: Transformed name of the weight that an example has in training, if it is to
            have one: rows of weight 0 are left out.

    Returns:
        Pairs of ({name: float32 or int64 [batch, 1]}, label int64 or float32 [batch, 1]), or
        triples with the weights, float32 [batch].
    """
    spec = _spec_with(transform_output, label, weight, example_weight)
    if example_weight is None:
        spec.pop(EXAMPLE_WEIGHT, None)  # it is no feature
    weights = [name for name in (weight, example_weight) if name is not None]

    @tf.autograph.experimental.do_not_convert
    def parse(serialized: tf.Tensor):
        features = tf.io.parse_example(serialized, spec)
        if weights:
            kept = tf.reduce_all([features[name][:, 0] > 0 for name in weights], axis=0)
            features = {name: tf.boolean_mask(x, kept) for name, x in features.items()}
        features.pop(weight, None)
        if example_weight is None:
            return features, features.pop(label)
        counts = features.pop(example_weight)[:, 0]
        return features, features.pop(label), counts

    rows = _read_records(file_patterns)
    if shuffle_seed is not None:
        rows = rows.shuffle(SHUFFLE_ROWS, seed=shuffle_seed, reshuffle_each_iteration=False)
    batches = rows.batch(batch_size).map(parse, num_parallel_calls=2)
    if weights:
        # Whole batches again: one might have lost all its rows, and the loss of none is NaN.
        batches = batches.rebatch(batch_size)
    return batches.prefetch(2)


def survey_labels(
    file_patterns: Sequence[str],
    transform_output: tft.TFTransformOutput,
    label: Label,
    example_weight: str | None = None,
) -> LabelSurvey:
    """Reads the labels of a split once, in little memory.

    Args:
        file_patterns: Globs of files, as TFX gives them in `FnArgs`.
        transform_output: Knows the feature spec of the transformed examples.
        label: The rule.
        example_weight: Transformed name of the weight that an example has in training, if it is to
            have one.

    Raises:
        ValueError: No row has a label, or none of them weighs more than 0.
    """
    names = [name for name in (label.output, label.weight_output, example_weight) if name]
    known = _spec_with(transform_output, *names)
    rows = labelled = kept = 0
    mean = squares = 0.0  # squares: of the differences from the mean
    for serialized in _read_records(file_patterns).batch(_SURVEY_ROWS):
        parsed = tf.io.parse_example(serialized, {name: known[name] for name in names})
        values = parsed[label.output].numpy().ravel().astype(np.float64)
        rows += len(values)
        weights = (
            parsed[example_weight].numpy().ravel() if example_weight else np.zeros(len(values))
        )
        if label.weight_output:
            has_label = parsed[label.weight_output].numpy().ravel() > 0
            values, weights = values[has_label], weights[has_label]
        kept += int((weights > 0).sum())
        if isinstance(label, Amount) and len(values):
            values = np.log1p(values) if label.log else values
            # Chan's way to merge means and variances: no difference of two large sums.
            difference, total = values.mean() - mean, labelled + len(values)
            squares += values.var() * len(values)
            squares += difference**2 * labelled * len(values) / total
            mean += difference * len(values) / total
        labelled += len(values)
    if not labelled:
        raise ValueError(
            f"{', '.join(file_patterns)}: none of {rows} rows has a label; expected some. "
            f"Hint: compare the rule for {label.column} in the settings with the data."
        )
    if example_weight and not kept:
        raise ValueError(
            f"{', '.join(file_patterns)}: none of {labelled} rows with a label weighs more than 0; "
            "expected some to learn from. Hint: compare weighting in the settings with the data."
        )
    deviation = math.sqrt(squares / labelled)
    return LabelSurvey(rows, labelled, float(mean), deviation, kept if example_weight else None)


def _spec_with(transform_output: tft.TFTransformOutput, *names: str | None) -> dict[str, Any]:
    """The feature spec of the transformed examples, in which these names are."""
    spec = dict(transform_output.transformed_feature_spec())
    for name in names:
        if name is not None and name not in spec:
            raise ValueError(
                f"preprocessing_fn: has not returned {name}; expected the label or weight of the "
                f"settings beside {listed(sorted(spec))}. Hint: return it under that name."
            )
    return spec


def _read_records(file_patterns: Sequence[str]) -> tf.data.Dataset:
    files = sorted(path for pattern in file_patterns for path in tf.io.gfile.glob(pattern))
    return tf.data.TFRecordDataset(files, compression_type="GZIP")
