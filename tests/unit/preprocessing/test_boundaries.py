"""Quantile boundaries: the values at the ranks, and the same in whatever parts the values come."""

import numpy as np
import pytest

from preprocessing import boundaries
from preprocessing.boundaries import BoundariesFn

SIZES = (4, 10, 40)


def combine(values, batches, parts=1):
    """The boundaries of values [rows, columns] in batches of a size, by parts that are merged."""
    fn = BoundariesFn(SIZES[: values.shape[1]])
    accumulators = []
    for part in np.array_split(values, parts):
        accumulator = fn.create_accumulator()
        for start in range(0, len(part), batches):
            accumulator = fn.add_input(accumulator, (part[start : start + batches],))
        accumulators.append(fn.compact(accumulator) if parts > 1 else accumulator)
    return fn.extract_output(fn.merge_accumulators(accumulators[::-1]))


@pytest.fixture(scope="module")
def values():
    """Three columns: a long tail, whole numbers, both signs with zeros, infinity and gaps."""
    random = np.random.default_rng(0)
    tail = random.gamma(2, 300, 5000)
    signed = random.normal(0, 1e-3, 5000) * random.integers(0, 2, 5000)
    signed[:20], signed[20:30], signed[30:600] = -np.inf, np.inf, np.nan
    return np.stack([tail, np.round(tail / 50), signed], axis=1).astype(np.float32)


def test_boundaries_are_the_values_at_the_ranks(values):
    found = combine(values, 1000)
    for place, size in enumerate(SIZES):
        ordered = np.sort(values[:, place][~np.isnan(values[:, place])])
        expected = ordered[np.arange(1, size) * len(ordered) // size]
        np.testing.assert_array_equal(found[place, : size - 1], expected)
        assert np.isposinf(found[place, size - 1 :]).all()


def test_a_column_without_values_has_zeros():
    found = combine(np.full([3, 1], np.nan, np.float32), 2)
    np.testing.assert_array_equal(found, np.zeros([1, 3], np.float32))


@pytest.mark.parametrize("most_keys", [1 << 15, 300, 2])
def test_neither_batches_nor_parts_nor_their_order_change_a_bit(values, monkeypatch, most_keys):
    monkeypatch.setattr(boundaries, "MOST_KEYS", most_keys)
    expected = combine(values, 5000)
    for batches, parts in ((1000, 1), (997, 3), (37, 7)):
        np.testing.assert_array_equal(combine(values, batches, parts), expected)
        np.testing.assert_array_equal(combine(values[::-1], batches, parts), expected)


def test_with_fewer_bits_boundaries_stay_near_their_values(values, monkeypatch):
    exact = combine(values[:, :1], 1000)
    monkeypatch.setattr(boundaries, "MOST_KEYS", 1000)  # of 5,000 different values
    # Of 1,000 keys over 10 powers of two each is at most 2^-5 of its value wide.
    np.testing.assert_allclose(combine(values[:, :1], 1000), exact, rtol=2**-5)
