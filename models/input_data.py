"""Batches of transformed examples for training and evaluation.

Called by models.trainer and models.tuner. Must not import pipeline, runners or an orchestrator.
"""

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_transform as tft

SHUFFLE_ROWS = 10_000  # rows held for shuffling: bounds memory at any data size


def read_batches(
    file_patterns: Sequence[str],
    transform_output: tft.TFTransformOutput,
    label: str,
    batch_size: int,
    shuffle_seed: int | None = None,
) -> tf.data.Dataset:
    """Reads gzipped TFRecords of transformed tf.Examples once.

    Args:
        file_patterns: Globs of files, as TFX gives them in `FnArgs`.
        transform_output: Knows the feature spec of the transformed examples.
        label: Transformed name of the label.
        batch_size: Rows per batch; the last batch may be smaller.
        shuffle_seed: Shuffles with this seed, in another order on each pass; None keeps the order.

    Returns:
        Pairs of ({name: float32 or int64 [batch, 1]}, label int64 [batch, 1]).
    """
    spec = transform_output.transformed_feature_spec()

    def parse(serialized: tf.Tensor):
        features = tf.io.parse_example(serialized, spec)
        return features, features.pop(label)

    files = sorted(path for pattern in file_patterns for path in tf.io.gfile.glob(pattern))
    rows = tf.data.TFRecordDataset(files, compression_type="GZIP")
    if shuffle_seed is not None:
        rows = rows.shuffle(SHUFFLE_ROWS, seed=shuffle_seed, reshuffle_each_iteration=True)
    return rows.batch(batch_size).map(parse, num_parallel_calls=2).prefetch(2)
