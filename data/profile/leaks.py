"""Predictive power of a single column for the label, on a sample; full power means a leak.

A column is divided into groups: its values, or buckets of a number. The label of each group is
learned on one half of the sample and evaluated on the other half, so a column with many values has
no advantage. Called by `data.profile.profile`.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.profile.facts import Facts
from data.profile.target import BINARY, REGRESSION, Target

SAMPLE = 100_000  # rows
LEAK = 0.99
_BUCKETS = 512
_MOST_GROUPS = 5_000
_LEAST_ROWS = 20


def sample_rows(rows: int) -> np.ndarray:
    """The sampled rows: all, or `SAMPLE` of them; the choice is deterministic."""
    if rows <= SAMPLE:
        return np.arange(rows)
    return np.sort(np.random.default_rng(20).choice(rows, SAMPLE, replace=False))


def power_of(facts: Facts, target: Target, rows: np.ndarray) -> float:
    """Predictive power of one column for the label: 1 is perfect.

    Args:
        facts: Facts of the column.
        target: The label.
        rows: From `sample_rows`.

    Returns:
        AUC of two classes; accuracy of several, as a share of what the most frequent leaves; R²
        of a number.
    """
    labels = target.codes[rows]
    known = ~np.isnan(labels)
    groups = _groups(facts, rows)[known]
    labels = labels[known]
    if len(labels) < _LEAST_ROWS or len(np.unique(groups)) < 2:
        return 0.0
    best = _judge(groups, labels, target)
    if facts.is_number and facts.distinct > _BUCKETS:
        values = facts.numbers()[rows][known]
        best = max(best, _straight(values, labels, target))
    return best


def power_of_gaps(facts: Facts, target: Target, rows: np.ndarray) -> float:
    """Predictive power of the presence of a value alone."""
    missing = facts.array.is_null().to_numpy(zero_copy_only=False)[rows]
    labels = target.codes[rows]
    known = ~np.isnan(labels)
    if known.sum() < _LEAST_ROWS or len(np.unique(missing[known])) < 2:
        return 0.0
    return _judge(missing[known].astype(np.int64), labels[known], target)


def _groups(facts: Facts, rows: np.ndarray) -> np.ndarray:
    """int64 [sample]: the group of each row; -1 of those without a value."""
    array = facts.array.take(pa.array(rows))
    if facts.is_number and facts.distinct > _MOST_GROUPS:
        values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        buckets = min(_BUCKETS, max(2, len(values) // 40))
        edges = np.unique(np.nanquantile(values, np.linspace(0, 1, buckets + 1)[1:-1]))
        found = np.searchsorted(edges, values, "right")
        return np.where(np.isnan(values), -1, found)
    codes = array.dictionary_encode().indices
    return pc.fill_null(codes, -1).to_numpy(zero_copy_only=False).astype(np.int64)


def _judge(groups: np.ndarray, labels: np.ndarray, target: Target) -> float:
    half = np.random.default_rng(7).random(len(labels)) < 0.5
    _, groups = np.unique(groups, return_inverse=True)
    size = int(groups.max()) + 1
    counts = np.bincount(groups[half], minlength=size)
    if target.task in (BINARY, REGRESSION):
        overall = labels[half].mean() if half.any() else 0.0
        sums = np.bincount(groups[half], labels[half], minlength=size)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), overall)[groups[~half]]
        judged = labels[~half]
        return auc(judged, means) if target.task == BINARY else _r2(judged, means)
    classes = len(target.values)
    table = np.bincount(
        groups[half] * classes + labels[half].astype(np.int64), minlength=size * classes
    ).reshape(size, classes)
    most = int(table.sum(0).argmax())
    answers = np.where(counts > 0, table.argmax(1), most)[groups[~half]]
    judged = labels[~half]
    right, base = float((answers == judged).mean()), float((judged == most).mean())
    return (right - base) / (1 - base) if base < 1 else 0.0


def _straight(values: np.ndarray, labels: np.ndarray, target: Target) -> float:
    """Of a number as it is: by its order, or along a line."""
    there = ~np.isnan(values)
    if there.mean() < 0.5 or there.sum() < _LEAST_ROWS:
        return 0.0
    values, labels = values[there], labels[there]
    if target.task == BINARY:
        found = auc(labels, values)
        return max(found, 1 - found)
    if target.task == REGRESSION and values.std() > 0 and labels.std() > 0:
        return float(np.corrcoef(values, labels)[0, 1] ** 2)
    return 0.0


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve; 0.5 where there is but one label."""
    positives = labels == 1
    n1, n0 = int(positives.sum()), int((~positives).sum())
    if not n1 or not n0:
        return 0.5
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[inverse][positives].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def _r2(labels: np.ndarray, answers: np.ndarray) -> float:
    spread = ((labels - labels.mean()) ** 2).sum()
    return float(1 - ((labels - answers) ** 2).sum() / spread) if spread > 0 else 0.0
