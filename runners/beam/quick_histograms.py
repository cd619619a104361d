"""TFDV's histograms of numbers, with their bins in numpy arrays.

TFDV makes a column's ten equal bins out of a thousand quantiles, each of which becomes a proto and
is compared in Python, for each column of each split. Here the same figures come of the same
operations in the same order, and so are equal to the last bit. Called by `runners.beam`; imports
TFDV when called.
"""

import itertools
from collections.abc import Callable
from types import ModuleType

import numpy as np

from runners.beam.replacing import is_known, replaces


def make_histograms_in_numpy() -> None:
    """Replaces functions of TFDV; once per process.

    Where one of them is not as this module knows it, it stays as it is, and the log says so.
    """
    from tensorflow_data_validation.utils import quantiles_util

    if is_known(quantiles_util, "_get_bin_weights", "boundaries", "cum_bin_weights"):
        quantiles_util._get_bin_weights = _weights_or(quantiles_util._get_bin_weights)
    stripping = ("quantiles", "cumulative_counts", "finite_max", "num_pos_inf")
    known = ("quantiles", "cumulative_counts", "finite_min", "finite_max", "num_buckets")
    name = "generate_equi_width_histogram"
    if hasattr(getattr(quantiles_util, "_get_bin_weights", None), "replaces") and (
        is_known(quantiles_util, "_strip_infinities", *stripping)
        and is_known(quantiles_util, name, *known, "num_pos_inf")
    ):
        original = getattr(quantiles_util, name)
        setattr(quantiles_util, name, _equal_width_or(original, quantiles_util))


def _weights_or(original: Callable) -> Callable:
    @replaces(original)
    def _get_bin_weights(boundaries, cum_bin_weights):
        low, high = boundaries[:-1], boundaries[1:]
        if not len(low):
            return original(boundaries, cum_bin_weights)
        cumulative = cum_bin_weights.astype(np.float64)
        weights = np.diff(cumulative)
        # Bins with the same upper bound get the same share of what falls into them.
        ends = np.flatnonzero(np.append(high[1:] != high[:-1], True)) + 1
        lengths = np.diff(ends, prepend=0)
        several = lengths > 1
        for length, end in zip(lengths[several].tolist(), ends[several].tolist(), strict=True):
            weights[end - length : end] = weights[end - length : end].sum() / length
        # And those that are like the first share what is no larger than the smallest.
        like_first = (low == low[0]) & (high == high[0])
        count = len(low) if like_first.all() else int(like_first.argmin())
        if count:
            weights[:count] += cumulative[0] / count
        return low, high, weights

    return _get_bin_weights


def _equal_width_or(original: Callable, module: ModuleType) -> Callable:
    @replaces(original)
    def generate_equi_width_histogram(
        quantiles, cumulative_counts, finite_min, finite_max, num_buckets, num_pos_inf
    ):
        def as_ever():
            return original(
                quantiles, cumulative_counts, finite_min, finite_max, num_buckets, num_pos_inf
            )

        if not (np.isfinite(finite_min) and np.isfinite(finite_max) and finite_min < finite_max):
            return as_ever()
        # Also where it is not sorted, of which TFDV complains.
        if not np.all(quantiles[:-1] <= quantiles[1:]):
            return as_ever()
        found, counts, below = module._strip_infinities(
            quantiles, cumulative_counts, finite_max, num_pos_inf
        )
        edges = np.linspace(finite_min, finite_max, num_buckets + 1)
        if len(found) < 2 or not np.isfinite(found).all() or not np.isfinite(edges).all():
            return as_ever()
        weights = _spread(*module._get_bin_weights(found, counts), edges)
        histogram = module.statistics_pb2.Histogram()
        histogram.type = module.statistics_pb2.Histogram.STANDARD
        infinity = float("inf")
        if below:
            histogram.buckets.add(low_value=-infinity, high_value=-infinity, sample_count=below)
        for (low, high), weight in zip(itertools.pairwise(edges), weights, strict=True):
            histogram.buckets.add(low_value=low, high_value=high, sample_count=weight)
        if num_pos_inf:
            histogram.buckets.add(low_value=infinity, high_value=infinity, sample_count=num_pos_inf)
        return histogram

    return generate_equi_width_histogram


def _spread(low: np.ndarray, high: np.ndarray, weights: np.ndarray, edges: np.ndarray) -> list:
    """Shares the weights of bins among others, by how far they overlap.

    A bin without width belongs to the one that it lies in; on an edge, to the one before, or to the
    first.

    Args:
        low: Lower bounds, sorted and finite; float64, as TFDV's protos hold them.
        high: Upper bounds.
        weights: Weights of the bins.
        edges: Edges of the others.

    Returns:
        The weight of each of the others.
    """
    low, high = low.astype(np.float64), high.astype(np.float64)
    totals = []
    for place, (left, right) in enumerate(itertools.pairwise(edges)):
        near = slice(np.searchsorted(high, left), np.searchsorted(low, right, side="right"))
        widths = high[near] - low[near]
        covered = np.minimum(high[near], right) - np.maximum(low[near], left)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = covered / widths
        shares[(low[near] >= left) & (high[near] <= right)] = 1.0
        if place:
            shares[(widths == 0) & (low[near] == left)] = 0.0
        sums = np.cumsum(shares * weights[near])  # one after the other, as TFDV adds them up
        totals.append(sums[-1] if len(sums) else 0)
    return totals
