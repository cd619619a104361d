"""Histograms made in numpy equal TFDV's own, to the last bit."""

import numpy as np
import pytest
from tensorflow_data_validation.utils import quantiles_util

from runners.beam.quick_histograms import make_histograms_in_numpy


@pytest.fixture(scope="module")
def originals():
    make_histograms_in_numpy()
    names = ("_get_bin_weights", "generate_equi_width_histogram")
    return {name: getattr(quantiles_util, name).replaces for name in names}


def _own(originals, monkeypatch, quantiles, counts, *rest):
    """TFDV's own answer, without any of ours below it."""
    with monkeypatch.context() as patched:
        patched.setattr(quantiles_util, "_get_bin_weights", originals["_get_bin_weights"])
        return originals["generate_equi_width_histogram"](quantiles, counts, *rest)


def _columns():
    rng = np.random.default_rng(7)
    infinity = np.inf
    yield "normal", rng.normal(3, 2, 5000)
    yield "float32", rng.normal(3, 2, 5000).astype(np.float32).astype(np.float64)
    yield "few", rng.normal(0, 1, 3)
    yield "two", np.array([0.0, 1.0])
    yield "constant", np.full(10, 2.5)
    yield "whole", rng.integers(0, 11, 3000).astype(float)
    yield "on the edges", np.repeat(np.linspace(0, 10, 11), 7)
    yield "skewed", np.exp(rng.normal(0, 4, 4000))
    yield "mostly zero", np.concatenate([np.zeros(3000), rng.normal(0, 1, 200)])
    yield "infinite", np.concatenate([[-infinity] * 40, rng.normal(0, 1, 900), [infinity] * 50])
    yield "only infinite", np.array([-infinity, infinity, infinity])
    yield "huge", np.array([-1.7e308, 0.0, 1.7e308])


@pytest.mark.parametrize("values", [pytest.param(v, id=name) for name, v in _columns()])
@pytest.mark.parametrize("bins", [10, 100, 1000])
def test_equal_width_histograms_are_those_of_tfdv(values, bins, originals, monkeypatch):
    values = np.sort(values)
    places = np.linspace(0, len(values) - 1, bins + 1).round().astype(int)
    quantiles, counts = values[places], (places + 1).astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (finite[0], finite[-1]) if len(finite) else (np.inf, -np.inf)
    rest = (low, high, 10, float((values == np.inf).sum()))
    with np.errstate(over="ignore", invalid="ignore"):
        expected = _own(originals, monkeypatch, quantiles, counts, *rest)
        found = quantiles_util.generate_equi_width_histogram(quantiles, counts, *rest)
    assert found == expected
    assert len(expected.buckets) >= 1 or low == -1.7e308


@pytest.mark.parametrize("seed", range(20))
def test_weights_of_bins_are_those_of_tfdv(seed, originals):
    rng = np.random.default_rng(seed)
    bounds = np.sort(rng.integers(0, [5, 40, 10**6][seed % 3], 20)).astype(np.float32)
    counts = np.cumsum(rng.random(20))
    expected = originals["_get_bin_weights"](bounds, counts)
    _assert_same(quantiles_util._get_bin_weights(bounds, counts), expected)


@pytest.mark.parametrize(
    "bounds",
    [
        [],
        [1],
        [1, 1],
        [1, 2],
        [1, 1, 1, 1, 2, 3, 3],
        [0, 1, 1, 1],
        [5] * 30,
        [-np.inf, 0, np.inf, np.inf],
        [np.nan, 1, 2],
        [1, np.nan, np.nan],
    ],
)
def test_weights_of_odd_bins_are_those_of_tfdv(bounds, originals):
    bounds = np.array(bounds, np.float64)
    counts = np.cumsum(np.linspace(0.1, 2.3, len(bounds)))
    expected = originals["_get_bin_weights"](bounds, counts)
    _assert_same(quantiles_util._get_bin_weights(bounds, counts), expected)


def _assert_same(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_unsorted_quantiles_are_refused_as_ever(originals):
    with pytest.raises(AssertionError):
        quantiles_util.generate_equi_width_histogram(
            np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]), 1.0, 3.0, 10, 0
        )
