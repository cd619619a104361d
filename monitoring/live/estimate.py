"""The AUC of a window: by labels, and, before there are labels, the AUC expected from the scores.

The estimate is confidence-based: a score is calibrated on rows whose labels are known, and each row
then counts as positive with that probability. It stays valid for another mix of requests, as long
as rows with the same features have the same chance of a label. It cannot detect a change of
concept, where this chance changes.

Called by `monitoring.live.watch`. Must not import TFX.
"""

import dataclasses
import math
import warnings
from collections.abc import Sequence

import numpy as np
from scipy import special, stats
from sklearn.isotonic import IsotonicRegression

LEAST_LABELS = 10  # of either value, for an AUC to mean anything
_LEAST_TO_CALIBRATE = 300  # rows of a slice; fewer are calibrated as all rows together
_RESAMPLED = 20  # calibrations, for how uncertain the calibration is
_MOST_RESAMPLED = 20_000  # rows; more say the same about the calibration, in more time
_SURE = 0.95


@dataclasses.dataclass(frozen=True)
class Value:
    """A figure with its standard error.

    Attributes:
        value: The AUC.
        error: Its standard error.
    """

    value: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval, within 0 and 1."""
        reach = stats.norm.ppf((1 + _SURE) / 2) * self.error
        return max(0.0, self.value - reach), min(1.0, self.value + reach)

    def as_logit(self) -> "Value":
        """The logit of the AUC, with its standard error.

        An AUC that is high by chance has a standard error that is too small: differences of AUCs of
        500 rows pass a bound of 3.3 standard errors by chance twice as often as normal numbers do.
        Differences of logits do not.
        """
        inside = min(max(self.value, self.error), 1 - self.error)  # of 0 and 1 there is no logit
        return Value(float(special.logit(inside)), self.error / (inside * (1 - inside)))


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """The area under the ROC curve; ties count half.

    Args:
        scores: float [rows].
        positive: float [rows], how much of each row is positive: 0 or 1, or a chance.

    Returns:
        NaN if there are no positives, or no negatives.
    """
    return float(_aucs(scores, positive[None])[0])


def measured_auc(scores: np.ndarray, labels: np.ndarray) -> Value | None:
    """The AUC by labels, with DeLong's standard error.

    Args:
        scores: float [rows].
        labels: 0 or 1 [rows].

    Returns:
        None with fewer than `LEAST_LABELS` of either label.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988.
    """
    ones, zeros = scores[labels == 1], scores[labels == 0]
    if min(len(ones), len(zeros)) < LEAST_LABELS:
        return None
    together = stats.rankdata(np.concatenate([ones, zeros]))
    of_ones = (together[: len(ones)] - stats.rankdata(ones)) / len(zeros)
    of_zeros = 1 - (together[len(ones) :] - stats.rankdata(zeros)) / len(ones)
    variance = of_ones.var(ddof=1) / len(ones) + of_zeros.var(ddof=1) / len(zeros)
    return Value(float(of_ones.mean()), _error(float(variance), len(ones), len(zeros)))


def _error(variance: float, ones: float, zeros: float) -> float:
    """A standard error, above 0: where scores separate all rows, a pair could still differ."""
    return math.sqrt(max(variance, 1 / (ones * zeros)))


class Calibration:
    """Turns scores of a slice into chances, as rows with known labels say.

    Args:
        scores: float [rows], of the slice.
        labels: 0 or 1 [rows].
        seed: Seed of the resampling for the interval.
    """

    def __init__(self, scores: np.ndarray, labels: np.ndarray, seed: int = 0):
        random = np.random.Generator(np.random.PCG64(seed))
        rows = [np.arange(len(scores))]
        rows += [random.integers(0, len(scores), len(scores)) for _ in range(_RESAMPLED)]
        self._fitted = [_fit(scores[chosen], labels[chosen]) for chosen in rows]

    def estimate(self, scores: np.ndarray, seed: int = 0) -> Value | None:
        """The expected AUC of rows without labels.

        Args:
            scores: float [rows].
            seed: Seed of the sample of rows, if there are very many.

        Returns:
            None if too few rows of either label are expected.
        """
        chances = _chances(self._fitted[0], scores)
        ones, zeros = float(chances.sum()), float((1 - chances).sum())
        if min(ones, zeros) < LEAST_LABELS:
            return None
        found = auc(scores, chances)
        by_labels = _variance_by_labels(scores, chances, found)
        if len(scores) > _MOST_RESAMPLED:
            random = np.random.Generator(np.random.PCG64(seed))
            scores = scores[random.choice(len(scores), _MOST_RESAMPLED, replace=False)]
        others = _aucs(scores, np.array([_chances(fit, scores) for fit in self._fitted[1:]]))
        return Value(found, _error(by_labels + float(np.nanvar(others)), ones, zeros))

    def expected(self, scores: np.ndarray) -> tuple[float, float]:
        """How many negative and how many positive rows these scores, float [rows], let expect."""
        ones = float(_chances(self._fitted[0], scores).sum())
        return len(scores) - ones, ones


def calibrations(
    scores: np.ndarray, labels: np.ndarray, slices: Sequence[np.ndarray], seed: int = 0
) -> list[Calibration]:
    """Calibrates each slice on its own rows, or on all if it has few.

    Args:
        scores: float [rows], of the reference.
        labels: 0 or 1 [rows].
        slices: For each slice which rows are in it, bool [rows].
        seed: See `Calibration`.
    """
    whole: Calibration | None = None
    found = []
    for rows in slices:
        of_slice = labels[rows]
        few = len(of_slice) < _LEAST_TO_CALIBRATE
        if few or min(of_slice.sum(), (1 - of_slice).sum()) < LEAST_LABELS:
            whole = whole or Calibration(scores, labels, seed)
            found.append(whole)
        else:
            found.append(Calibration(scores[rows], of_slice, seed))
    return found


def _fit(scores: np.ndarray, labels: np.ndarray) -> IsotonicRegression:
    # In a slice a higher score may mean a smaller chance.
    fit = IsotonicRegression(y_min=0, y_max=1, increasing="auto", out_of_bounds="clip")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the interval of the direction holds both
        return fit.fit(scores, labels)


def _chances(fit: IsotonicRegression, scores: np.ndarray) -> np.ndarray:
    """What `fit.predict` answers, without its checks of every array."""
    return np.interp(scores, fit.X_thresholds_, fit.y_thresholds_)


def _aucs(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """The AUC by each row of `positive`, float [labellings, rows]; see `auc`."""
    order = np.argsort(scores, kind="stable")
    starts, sizes = _ties(scores[order])
    of_positive = np.add.reduceat(positive[:, order], starts, axis=1)
    of_negative = sizes - of_positive
    below = np.cumsum(of_negative, axis=1) - of_negative
    # Each row is both in part, and a row is no pair with itself.
    itself = (positive * (1 - positive)).sum(1)
    pairs = positive.sum(1) * (1 - positive).sum(1) - itself
    won = (of_positive * (below + of_negative / 2)).sum(1) - itself / 2
    return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _variance_by_labels(scores: np.ndarray, chances: np.ndarray, found: float) -> float:
    """The variance of the AUC of labels that are drawn by these chances, to the first order.

    A row that becomes positive wins against the negatives below it and no longer loses against the
    positives above it; the number of pairs changes as well.
    """
    order = np.argsort(scores, kind="stable")
    starts, sizes = _ties(scores[order])
    sure = chances[order]
    of_positive = np.add.reduceat(sure, starts)
    of_negative = sizes - of_positive
    ones, zeros = of_positive.sum(), of_negative.sum()
    negatives_below = np.cumsum(of_negative) - of_negative / 2
    positives_above = ones - np.cumsum(of_positive) + of_positive / 2
    won = np.repeat(negatives_below - positives_above, sizes) - (1 - 2 * sure) / 2  # not by itself
    effect = (won - found * (zeros - ones - (1 - 2 * sure))) / (ones * zeros)
    return float((sure * (1 - sure) * effect**2).sum())


def _ties(ascending: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each group of equal values begins, and how many are in it."""
    starts = np.flatnonzero(np.r_[True, ascending[1:] != ascending[:-1]])
    return starts, np.diff(np.r_[starts, len(ascending)])
