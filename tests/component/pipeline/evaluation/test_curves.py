"""What Evaluator keeps for curves: sums of batches against NumPy over all examples at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.batch_metrics import Measured
from pipeline.evaluation.curves import BINS, BINS_OF_A_CLASS, CurveSums

LARGEST = 4000


def add_in_parts(labels, predictions, weights, sizes):
    """The sums over batches of these sizes, over and over."""
    sums, start, place = CurveSums(), 0, 0
    while start < len(labels):
        end = start + sizes[place % len(sizes)]
        part = slice(start, end)
        sums.add(
            Measured(
                labels[part][:, np.newaxis],
                predictions[part],
                None if weights is None else weights[part],
            )
        )
        start, place = end, place + 1
    return sums


def histogram(scores, weights, bins):
    return np.histogram(scores, bins, (0, 1), weights=weights)[0]


def filled(counts, bins):
    return np.array([*counts, *[0.0] * (bins - len(counts))])


def test_scores_of_a_binary_model():
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, 5000)
    # In the middle of bins: on their edges float32 and float64 round differently.
    predictions = ((random.integers(0, BINS, 5000) + 0.5) / BINS).astype(np.float32)
    weights = random.integers(0, 3, 5000).astype(np.float32)
    found = add_in_parts(labels, predictions[:, np.newaxis], weights, [999, 7]).result("binary")
    [scores] = found.scores
    for counts, chosen in ((scores.positives, labels == 1), (scores.negatives, labels == 0)):
        expected = histogram(predictions[chosen], weights[chosen], BINS)
        assert (filled(counts, BINS) == expected).all()
    assert scores.bins == BINS
    assert found.amounts is None and found.matrix == []


def test_the_ends_of_the_scores_and_what_is_no_number():
    predictions = np.array([0.0, 1.0, 1.0001, -0.0001, np.nan], np.float32)[:, np.newaxis]
    found = add_in_parts(np.ones(5), predictions, None, [5]).result("binary")
    positives = filled(found.scores[0].positives, BINS)
    assert (positives[0], positives[-1], positives.sum()) == (3, 2, 5)


def test_classes_against_the_others_and_their_matrix():
    random = np.random.default_rng(4)
    labels = random.integers(0, 3, 2000)
    predictions = random.dirichlet([1, 2, 3], 2000).astype(np.float32)
    found = add_in_parts(labels, predictions, None, [512]).result("multiclass")
    expected = np.zeros((3, 3))
    np.add.at(expected, (labels, predictions.argmax(axis=1)), 1)
    assert found.matrix == expected.tolist()
    assert [s.bins for s in found.scores] == [BINS_OF_A_CLASS] * 3
    for place, scores in enumerate(found.scores):
        assert sum(scores.positives) == (labels == place).sum()
        assert sum(scores.negatives) == (labels != place).sum()


def test_more_classes_than_a_picture_shows():
    predictions = np.full((4, 51), 1 / 51, np.float32)
    found = add_in_parts(np.zeros(4), predictions, None, [4]).result("multiclass")
    assert found.scores == [] and found.matrix == []


@settings(max_examples=25, deadline=None)
@given(count=st.integers(0, 20_000), sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=4))
def test_amounts_are_the_same_however_they_are_divided(count, sizes):
    sizes = [max(size, count // 40) for size in sizes]  # a few batches are enough
    labels = np.arange(count, dtype=np.float64)
    predictions = (labels + 0.5)[:, np.newaxis]
    amounts = add_in_parts(labels, predictions, None, sizes).result("regression").amounts
    if count == 0:
        assert amounts.labels == []
        return
    every = amounts.every
    assert amounts.labels == labels[::every].tolist()
    assert amounts.predictions == (labels[::every] + 0.5).tolist()
    assert len(amounts.labels) <= LARGEST
    assert every == 1 or len(amounts.labels) > LARGEST / 2


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_no_example_at_all(task):
    found = CurveSums().result(task)
    assert found.scores == []
