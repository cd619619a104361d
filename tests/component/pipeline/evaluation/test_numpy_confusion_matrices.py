"""TFMA's confusion matrices by NumPy, against TFMA's own on random histograms."""

import numpy as np
import pytest
from tensorflow_model_analysis.metrics import binary_confusion_matrices, calibration_histogram

from pipeline.evaluation import numpy_confusion_matrices, tfma_internals

TFMA_REBIN = numpy_confusion_matrices._rebin_of_tfma
TFMA_MATRICES = numpy_confusion_matrices._matrices_of_tfma
EPSILON = 1e-7
THRESHOLDS = {
    "as AUC has them": [-EPSILON, *(i / 9999 for i in range(1, 9999)), 1.0 + EPSILON],
    "one": [0.5],
    "zero": [0.0],
    "below zero": [-1.0],
    "a few": [0.0, 0.1, 0.25, 0.9],
    "up to one": [0.3, 1.0],
    "above one": [0.2, 1.0 + EPSILON, 2.0],
    "only above one": [1.5],
}


def random_histogram(rows, seed):
    """Buckets as TFMA's combiner leaves them: sorted by id, without empty ones."""
    rng = np.random.default_rng(seed)
    scores = rng.choice([rng.random(rows), rng.integers(-1, 3, rows) / 1.0])
    labels = rng.choice([rng.integers(0, 2, rows), rng.random(rows)])
    weights = rng.choice([np.ones(rows), rng.random(rows) * 3])
    count = calibration_histogram.DEFAULT_NUM_BUCKETS
    ids = np.clip(scores * count + 1, 0, count + 1).astype(int)
    return [
        calibration_histogram.Bucket(
            int(i),
            float((labels * weights)[ids == i].sum()),
            float((scores * weights)[ids == i].sum()),
            float(weights[ids == i].sum()),
        )
        for i in np.unique(ids)
    ]


def with_fences(thresholds):
    """What TFMA makes of thresholds before it asks for a histogram over them."""
    fences = [t + EPSILON if t != 0 else t for t in thresholds]
    if thresholds[0] >= 0:
        fences = [-EPSILON, *fences]
    return [*fences, 1.0 + EPSILON] if thresholds[-1] < 1.0 else fences


@pytest.mark.parametrize("thresholds", THRESHOLDS.values(), ids=THRESHOLDS)
@pytest.mark.parametrize("rows", [0, 1, 2, 50, 3000])
def test_matrices_are_those_of_tfma(rows, thresholds):
    for seed in range(4):
        histogram = random_histogram(rows, seed)
        fences = with_fences(thresholds)
        ours = numpy_confusion_matrices.rebin(fences, histogram)
        theirs = TFMA_REBIN(fences, histogram)
        assert len(ours) == len(theirs) == len(fences)
        for mine, other in zip(ours, theirs, strict=True):
            assert mine == other  # sums in the same order: equal to the last bit
        found = numpy_confusion_matrices.to_matrices(thresholds, ours)
        expected = TFMA_MATRICES(thresholds, theirs)
        assert type(found) is type(expected)
        assert found == expected
        assert {type(value) for column in found[1:] for value in column} <= {float}


def test_a_histogram_that_was_not_rebinned_is_left_to_tfma():
    histogram = random_histogram(50, 1)
    found = numpy_confusion_matrices.to_matrices([-1.0], histogram)
    assert found == TFMA_MATRICES([-1.0], histogram)


def test_both_are_installed(monkeypatch):
    monkeypatch.setattr(calibration_histogram, "rebin", TFMA_REBIN)
    name = "_histogram_to_binary_confusion_matrices"
    monkeypatch.setattr(binary_confusion_matrices, name, TFMA_MATRICES)
    assert numpy_confusion_matrices.install()
    assert calibration_histogram.rebin is numpy_confusion_matrices.rebin
    assert getattr(binary_confusion_matrices, name) is numpy_confusion_matrices.to_matrices
    assert numpy_confusion_matrices.install()  # twice is no harm


def other_rebin(thresholds, histogram, buckets):
    """A `rebin` of a TFMA that is not there yet."""


@pytest.mark.parametrize(
    ("module", "name", "value", "message"),
    [
        (
            binary_confusion_matrices,
            "_histogram_to_binary_confusion_matrices",
            None,
            "TFMA has no metrics.binary_confusion_matrices._histogram_to_binary_confusion_matrices",
        ),
        (
            calibration_histogram,
            "rebin",
            other_rebin,
            "TFMA's metrics.calibration_histogram.rebin takes (thresholds, histogram, buckets); "
            "expected (thresholds, histogram, num_buckets, left, right)",
        ),
    ],
)
def test_another_tfma_keeps_its_own_and_the_log_says_so(monkeypatch, module, name, value, message):
    monkeypatch.setattr(calibration_histogram, "rebin", TFMA_REBIN)
    matrices = "_histogram_to_binary_confusion_matrices"
    monkeypatch.setattr(binary_confusion_matrices, matrices, TFMA_MATRICES)
    if value is None:
        monkeypatch.delattr(module, name)
    else:
        monkeypatch.setattr(module, name, value)
    lines = []
    monkeypatch.setattr(
        numpy_confusion_matrices.logging, "warning", lambda text, *args: lines.append(text % args)
    )
    assert tfma_internals.first_difference(tfma_internals.CONFUSION_MATRICES) == message
    assert not numpy_confusion_matrices.install()
    assert lines == [f"Evaluator: {message}; confusion matrices are computed by TFMA."]
    assert calibration_histogram.rebin is not numpy_confusion_matrices.rebin
