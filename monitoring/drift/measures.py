"""Measures of a column in two samples, for many divisions of the rows into two at once.

Distances are defined as TensorFlow Data Validation defines them: Jensen-Shannon divergence in bits
for numbers, the largest difference of a value's share (L-infinity) for categories, both among the
rows that have a value. Called by `monitoring.drift.compare`. Imports NumPy alone.

Source: tensorflow_data_validation/anomalies/metrics.cc; a test compares the figures with TFDV's.
"""

import dataclasses

import numpy as np

from monitoring.drift.coded_rows import CATEGORY, CodedColumn
from monitoring.drift.report import LABEL

JENSEN_SHANNON, L_INFINITY, SHIFT = "jensen_shannon", "l_infinity", "shift"
MISSING, ZEROS, NEW_VALUES, LABEL_RATE = "missing", "zeros", "new_values", "label_rate"
BY_LABEL = "by_label"
DISTANCES = (JENSEN_SHANNON, L_INFINITY, LABEL_RATE)


@dataclasses.dataclass(frozen=True)
class Measured:
    """One measure of one column.

    Attributes:
        name: Such as `missing`.
        score: float [divisions], grows with the difference; how it lies among divisions by chance
            says how sure a difference is.
        effect: float [divisions], the same difference as a share of the rows.
        shares: Shares of the first division: the shares of rows of the reference and of the batch
            whose difference is the effect.
        place: Place of the first division, the bin, counted without 0, that the shares are of, by
            label the place among those of all labels; None where they are of the whole column.
    """

    name: str
    score: np.ndarray
    effect: np.ndarray
    shares: tuple[float, float]
    place: int | None = None


def measure_column(column: CodedColumn, reference: np.ndarray, batch: np.ndarray) -> list[Measured]:
    """Measures a column.

    Args:
        column: Column to measure.
        reference: float [places, divisions], rows of the reference in each place of `one_hot`.
        batch: float [places, divisions], rows of the batch in each place of `one_hot`.

    Returns:
        The distance first.
    """
    bins = len(column.names) + 1
    rows = reference[:bins].sum(0), batch[:bins].sum(0)
    counts = reference[1:bins], batch[1:bins]
    if column.name == LABEL:
        return [_l_infinity(LABEL_RATE, *counts)]
    missing = _difference(MISSING, reference[0] / rows[0], batch[0] / rows[1])
    if column.kind == CATEGORY:
        found = [_l_infinity(L_INFINITY, *counts), missing, _new_values(*counts, rows[1])]
        if column.label is not None:
            found.append(_by_label(len(column.label.names), reference[bins:], batch[bins:]))
        return found
    zeros = _difference(ZEROS, reference[-1] / rows[0], batch[-1] / rows[1])
    distance = _jensen_shannon(*counts)
    return [distance, missing, zeros, _shift(*counts, distance)]


def _difference(name: str, reference: np.ndarray, batch: np.ndarray) -> Measured:
    effect = np.abs(batch - reference)
    return Measured(name, effect, effect, (float(reference[0]), float(batch[0])))


def _new_values(reference: np.ndarray, batch: np.ndarray, rows: np.ndarray) -> Measured:
    new = batch * (reference == 0)
    share = new.sum(0) / rows
    place = int(new[:, 0].argmax()) if share[0] > 0 else None
    return Measured(NEW_VALUES, share, share, (0.0, float(share[0])), place)


def _l_infinity(name: str, reference: np.ndarray, batch: np.ndarray) -> Measured:
    p, q = _shares(reference), _shares(batch)
    comparable = _comparable(reference, batch)
    effect = np.where(comparable, np.abs(q - p).max(0, initial=0), 0)
    return Measured(name, effect, effect, *_first(p, q, comparable))


def _by_label(labels: int, reference: np.ndarray, batch: np.ndarray) -> Measured:
    """The largest difference of a value's share among the rows of a label, times their share.

    Where the label already says much of the value, less of the difference is chance than of the
    values' shares among all rows.
    """
    sides = [side.reshape(labels, -1, side.shape[-1]) for side in (reference, batch)]
    of_label = [side.sum(1, keepdims=True) for side in sides]
    both = of_label[0] + of_label[1]
    weight = both / np.maximum(both.sum(0), 1) * (of_label[0] > 0) * (of_label[1] > 0)
    p, q = (
        (weight * side / np.maximum(rows, 1)).reshape(reference.shape)
        for side, rows in zip(sides, of_label, strict=True)
    )
    effect = np.abs(q - p).max(0, initial=0)
    return Measured(BY_LABEL, effect, effect, *_first(p, q, effect > 0))


def _jensen_shannon(reference: np.ndarray, batch: np.ndarray) -> Measured:
    """The score is the root, whose spread by chance hardly depends on its size.

    The effect is the largest difference of the share of values up to some value.
    """
    p, q = _shares(reference), _shares(batch)
    middle = (p + q) / 2
    # What is nowhere adds nothing; 1 keeps it out of the logarithm.
    bits = [
        np.where(s > 0, s * np.log2(np.where(s > 0, s, 1) / np.where(s > 0, middle, 1)), 0).sum(0)
        for s in (p, q)
    ]
    comparable = _comparable(reference, batch)
    divergence = np.where(comparable, (bits[0] + bits[1]) / 2, 0)
    below = np.cumsum(p, axis=0), np.cumsum(q, axis=0)
    effect = np.where(comparable, np.abs(below[1] - below[0]).max(0, initial=0), 0)
    score = np.sqrt(np.clip(divergence, 0, 1))
    return Measured(JENSEN_SHANNON, score, effect, *_first(*below, comparable))


def _shift(reference: np.ndarray, batch: np.ndarray, distance: Measured) -> Measured:
    """By how much more than a half of all pairs the value of the batch is the larger, or smaller.

    Mann and Whitney's statistic over the bins: values that are all a little larger are found in
    fewer rows than by a divergence, which adds up the chance of every bin. The effect is that of
    the distance.
    """
    p, q = _shares(reference), _shares(batch)
    larger = (q * (np.cumsum(p, axis=0) - p / 2)).sum(0)
    score = np.where(_comparable(reference, batch), np.abs(larger - 0.5), 0)
    return dataclasses.replace(distance, name=SHIFT, score=score)


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / np.maximum(counts.sum(0), 1)


def _comparable(reference: np.ndarray, batch: np.ndarray) -> np.ndarray:
    """Whether both have any value; else there is no distance, and `missing` says it."""
    return (reference.sum(0) > 0) & (batch.sum(0) > 0)


def _first(
    p: np.ndarray, q: np.ndarray, comparable: np.ndarray
) -> tuple[tuple[float, float], int | None]:
    """The shares of the first division where they differ most, and where that is."""
    if not comparable[0]:
        return (0.0, 0.0), None
    place = int(np.abs(q[:, 0] - p[:, 0]).argmax())
    return (float(p[place, 0]), float(q[place, 0])), place
