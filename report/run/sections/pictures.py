"""From the histograms that Evaluator recorded to curves: thresholds, calibration, distributions."""

import itertools
from collections.abc import Sequence

from fareline.recorded.curves import ModelCurves, Scores
from report.run.document import Calibration, ModelPicture, Operating

_THRESHOLDS = 200  # parts of the threshold that moves
_CALIBRATION_BINS = 10
_DISTRIBUTION_BINS = 40


def picture_of(curves: ModelCurves, classes: Sequence[str]) -> ModelPicture:
    """Data for the pictures of one model.

    Args:
        curves: Curves, as recorded.
        classes: Names, where there are several.
    """
    names = list(classes) if len(classes) == len(curves.scores) else [""] * len(curves.scores)
    amounts = curves.amounts
    return ModelPicture(
        operating=[_operating(n, s) for n, s in zip(names, curves.scores, strict=True)],
        calibration=[_calibration(n, s) for n, s in zip(names, curves.scores, strict=True)],
        positives=[_shares(s.positives, s.bins) for s in curves.scores],
        negatives=[_shares(s.negatives, s.bins) for s in curves.scores],
        matrix=curves.matrix,
        labels=amounts.labels if amounts else [],
        predictions=amounts.predictions if amounts else [],
        every=amounts.every if amounts else 1,
    )


def _filled(counts: Sequence[float], bins: int) -> list[float]:
    return [*counts, *[0.0] * (bins - len(counts))]


def _sums(counts: Sequence[float], bins: int, parts: int) -> list[float]:
    """Sums over as many equal parts of the bins."""
    filled, width = _filled(counts, bins), bins // parts
    return [sum(filled[i * width : (i + 1) * width]) for i in range(parts)]


def _operating(name: str, scores: Scores) -> Operating:
    positives = _sums(scores.positives, scores.bins, _THRESHOLDS)
    negatives = _sums(scores.negatives, scores.bins, _THRESHOLDS)
    return Operating(
        name=name,
        thresholds=[part / _THRESHOLDS for part in range(_THRESHOLDS + 1)],
        true_positives=_from_above(positives),
        false_positives=_from_above(negatives),
        positives=sum(positives),
        negatives=sum(negatives),
    )


def _from_above(counts: Sequence[float]) -> list[float]:
    """What lies at or above the lower end of each bin, and above the last: nothing."""
    return [*reversed([0.0, *itertools.accumulate(reversed(counts))])]


def _calibration(name: str, scores: Scores) -> Calibration:
    """The score of a bin of the record stands for those in it: off by half of a bin at most."""
    positives, negatives = (
        _filled(counts, scores.bins) for counts in (scores.positives, scores.negatives)
    )
    width = scores.bins // _CALIBRATION_BINS
    means, rates, weights = [], [], []
    for start in range(0, scores.bins, width):
        places = range(start, start + width)
        weight = sum(positives[i] + negatives[i] for i in places)
        if weight > 0:
            mean = sum((positives[i] + negatives[i]) * (i + 0.5) for i in places)
            means.append(mean / scores.bins / weight)
            rates.append(sum(positives[i] for i in places) / weight)
            weights.append(weight)
    return Calibration(name, means, rates, weights)


def _shares(counts: Sequence[float], bins: int) -> list[float]:
    sums = _sums(counts, bins, _DISTRIBUTION_BINS)
    total = sum(sums)
    return [value / total if total else 0.0 for value in sums]
