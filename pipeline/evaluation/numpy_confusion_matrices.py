"""Confusion matrices of TFMA at its 10,000 thresholds, computed by NumPy.

TFMA turns the histogram of predictions into one confusion matrix per threshold in loops of Python,
for every slice, model and class. Here the same sums are cumulative sums over arrays, added in the
same order. `install` puts both functions in place of TFMA's; where TFMA is not as expected, it
leaves TFMA's own in place. Called by the Evaluator and by `pipeline.evaluation.batch_evaluation`.
"""

from __future__ import annotations

import numpy as np
from absl import logging
from tensorflow_model_analysis.metrics import binary_confusion_matrices, calibration_histogram

from pipeline.evaluation import tfma_internals

# By `getattr`: a TFMA without one of them keeps its own way.
_rebin_of_tfma = getattr(calibration_histogram, "rebin", None)
_matrices_of_tfma = getattr(
    binary_confusion_matrices, "_histogram_to_binary_confusion_matrices", None
)


def install() -> bool:
    """Puts `rebin` and `to_matrices` in place of TFMA's functions, once per process.

    Returns:
        Whether they are in place. If not, the log says which name of TFMA is not as expected.
    """
    if getattr(calibration_histogram, "rebin", None) is rebin:
        return True
    difference = tfma_internals.first_difference(tfma_internals.CONFUSION_MATRICES)
    if difference is None and not hasattr(binary_confusion_matrices, "_EPSILON"):
        difference = "TFMA has no metrics.binary_confusion_matrices._EPSILON"
    if difference is not None:
        logging.warning("Evaluator: %s; confusion matrices are computed by TFMA.", difference)
        return False
    calibration_histogram.rebin = rebin
    binary_confusion_matrices._histogram_to_binary_confusion_matrices = to_matrices
    return True


class RebinnedHistogram:
    """A histogram over thresholds as three arrays, float64 [thresholds]; also a list of buckets."""

    def __init__(self, labels: np.ndarray, predictions: np.ndarray, examples: np.ndarray):
        """Holds the weighted sums of each bucket; those of an empty one are zeros."""
        self.labels = labels
        self.predictions = predictions
        self.examples = examples

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> calibration_histogram.Bucket:
        """The bucket as TFMA has it, for callers other than `to_matrices`."""
        sums = (self.labels[index], self.predictions[index], self.examples[index])
        return calibration_histogram.Bucket(index, *map(float, sums))


def rebin(
    thresholds: list[float],
    histogram: calibration_histogram.Histogram,
    num_buckets: int = calibration_histogram.DEFAULT_NUM_BUCKETS,
    left: float = 0.0,
    right: float = 1.0,
) -> RebinnedHistogram:
    """Sums the buckets of a histogram between thresholds.

    Args:
        thresholds: Sorted; bucket i of the result is [thresholds[i], thresholds[i + 1]).
        histogram: TFMA's buckets, sorted by id.
        num_buckets: Num buckets of the histogram, without the two for what is below `left` and
            above `right`.
        left: The smallest prediction of the first bucket.
        right: The end of the last bucket.
    """
    ids = np.array([bucket.bucket_id for bucket in histogram], np.float64)
    starts = (ids - 1) / num_buckets * (right - left) + left
    starts = np.where(ids == 0, -np.inf, np.where(ids >= num_buckets + 1, np.inf, starts))
    places = np.searchsorted(np.array(thresholds[1:], np.float64), starts, side="right")
    sums = (
        [bucket.weighted_labels for bucket in histogram],
        [bucket.weighted_predictions for bucket in histogram],
        [bucket.weighted_examples for bucket in histogram],
    )
    # Of no rows at all NumPy counts in integers.
    return RebinnedHistogram(
        *(np.bincount(places, each, len(thresholds)).astype(np.float64) for each in sums)
    )


def to_matrices(
    thresholds: list[float], histogram: RebinnedHistogram | calibration_histogram.Histogram
) -> binary_confusion_matrices.Matrices:
    """Computes the confusion matrix at each threshold.

    Args:
        thresholds: Sorted.
        histogram: From `rebin`. A histogram that was not rebinned is left to TFMA.
    """
    if not isinstance(histogram, RebinnedHistogram):
        return _matrices_of_tfma(thresholds, histogram)
    positives = histogram.labels
    negatives = histogram.examples - histogram.labels
    tp, fp = (np.cumsum(each[::-1])[::-1] for each in (positives, negatives))
    fn, tn = (np.concatenate(([0.0], np.cumsum(each)[:-1])) for each in (positives, negatives))
    # `rebin` was given one more threshold in front, below zero.
    offset = 1 if (thresholds[0] >= 0 or len(thresholds) == 1) and len(histogram) > 1 else 0
    tp, fp, tn, fn = (each[offset : offset + len(thresholds)].copy() for each in (tp, fp, tn, fn))
    above = np.array(thresholds) >= 1.0 + binary_confusion_matrices._EPSILON
    if above.any():
        # TFMA goes through the thresholds in order and reads tp[0] after it may have reset it.
        all_positives, all_negatives = (0.0, 0.0) if above[0] else (tp[0], fp[0])
        tp[above] = fp[above] = 0.0
        fn[above], tn[above] = all_positives, all_negatives
    return binary_confusion_matrices.Matrices(
        thresholds, tp.tolist(), tn.tolist(), fp.tolist(), fn.tolist()
    )
