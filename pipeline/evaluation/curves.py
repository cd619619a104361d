"""Adds up what curves are drawn from, a batch of predictions at a time.

ROC, precision and recall, calibration and the matrix at any threshold all follow from two
histograms of the score. It takes a few milliseconds for ten thousand examples, beside the
predictions that are made anyway, where TFMA's plots would bin every example of every slice once
more. Called by `pipeline.evaluation.batch_evaluation`.
"""

import numpy as np

from fareline.recorded.curves import Amounts, ModelCurves, Scores
from pipeline.evaluation.batch_metrics import Measured

BINS, BINS_OF_A_CLASS = 1000, 200
_MOST_CLASSES = 50  # a larger matrix is no picture
_MOST_AMOUNTS = 4000


class CurveSums:
    """Predictions of one model so far."""

    def __init__(self):
        self._scores: list[np.ndarray] = []
        self._matrix = np.zeros((0, 0))
        self._amounts = _Thinned()

    def add(self, batch: Measured) -> None:
        """Takes in a batch."""
        weights = np.ones(len(batch.labels)) if batch.weights is None else batch.weights
        weights = weights.astype(np.float64)
        width = batch.predictions.shape[1]
        if not self._scores:
            bins = BINS if width == 1 else BINS_OF_A_CLASS
            classes = width if width <= _MOST_CLASSES else 0
            self._scores = [np.zeros((2, bins)) for _ in range(classes)]
            self._matrix = np.zeros((classes, classes)) if width > 1 else self._matrix
        if width == 1:
            labels, predictions = batch.labels[:, 0], batch.predictions[:, 0]
            self._add_scores(0, labels == 1, predictions, weights)
            self._amounts.add(labels[weights > 0], predictions[weights > 0])
            return
        labels = batch.labels[:, 0].astype(np.int64)
        for place in range(len(self._scores)):
            self._add_scores(place, labels == place, batch.predictions[:, place], weights)
        if len(self._matrix):
            known = (labels >= 0) & (labels < width)
            cells = labels * width + batch.predictions.argmax(axis=1)
            counts = np.bincount(cells[known], weights[known], width * width)
            self._matrix += counts.reshape(width, width)

    def _add_scores(self, place: int, is_it: np.ndarray, scores: np.ndarray, weights) -> None:
        bins = self._scores[place].shape[1]
        scores = np.nan_to_num(scores.astype(np.float64))
        bins_of = np.clip(scores * bins, 0, bins - 1).astype(np.int64)
        for row, chosen in enumerate((is_it, ~is_it)):
            self._scores[place][row] += np.bincount(bins_of[chosen], weights[chosen], bins)

    def result(self, task: str) -> ModelCurves:
        """Curves of a model of this task."""
        if task == "regression":
            return ModelCurves(amounts=self._amounts.result())
        scores = [
            Scores(_trimmed(positives), _trimmed(negatives), len(positives))
            for positives, negatives in self._scores
        ]
        return ModelCurves(scores, self._matrix.tolist())


class _Thinned:
    """Every `every`-th pair of numbers, where `every` doubles whenever there are too many."""

    def __init__(self):
        self._every, self._seen = 1, 0
        self._kept = np.zeros((0, 2))

    def add(self, labels: np.ndarray, predictions: np.ndarray) -> None:
        pairs = np.stack([labels, predictions], axis=1).astype(np.float64)
        start = -self._seen % self._every
        self._kept = np.concatenate([self._kept, pairs[start :: self._every]])
        self._seen += len(pairs)
        while len(self._kept) > _MOST_AMOUNTS:
            self._kept, self._every = self._kept[::2], 2 * self._every

    def result(self) -> Amounts:
        labels, predictions = self._kept.T.tolist()
        return Amounts(labels, predictions, self._every)


def _trimmed(counts: np.ndarray) -> list[float]:
    """Without the zeros at the end."""
    return np.trim_zeros(counts, "b").tolist()
