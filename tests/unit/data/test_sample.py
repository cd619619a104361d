"""data.splitting.sample: the same rows in every run, however the data is cut into pieces."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.splitting.hash import Splitting, assign
from data.splitting.sample import Sampling


def sample(values, rows, cuts=(), batch=5000, seed=20):
    """The values in the sample, read as pieces that end at `cuts`, in batches."""
    sampling = Sampling(rows, seed)
    edges = [0, *sorted(cuts), len(values)]
    pieces = [values[a:b] for a, b in itertools.pairwise(edges)]
    read = [
        [{"x": pa.array(piece[i : i + batch], pa.int64())} for i in range(0, len(piece), batch)]
        for piece in pieces
    ]
    lowest = [
        sampling.lowest((sampling.ranks(b, len(b["x"])) for b in batches), number)
        for number, batches in enumerate(read)
    ]
    # Beam merges in any order, and some parts before others.
    chosen = sampling.choose(sampling.merge_lowest([sampling.merge_lowest(lowest[::-1])]))
    found = []
    for number, batches in enumerate(read):
        pick = chosen.picker(number)
        for b in batches:
            found += b["x"].filter(pa.array(pick(b, len(b["x"])))).to_pylist()
    return found


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 9), max_size=60),
    st.integers(1, 70),
    st.lists(st.integers(0, 60), max_size=4),
    st.integers(1, 9),
)
def test_as_many_rows_as_asked_for_and_the_same_however_they_are_cut(values, rows, cuts, batch):
    cuts = [min(cut, len(values)) for cut in cuts]
    found = sample(values, rows, cuts, batch)
    assert len(found) == min(rows, len(values))
    assert sorted(found) == sorted(sample(values, rows))
    assert sorted(found) == sorted(sample(values[::-1], rows))


def test_a_larger_sample_contains_a_smaller_one_and_a_seed_draws_another():
    values = list(range(5000))
    small, large = set(sample(values, 100)), set(sample(values, 1000))
    assert small < large
    assert len(small & set(sample(values, 100, seed=21))) < 20


def test_a_sample_has_its_share_of_every_split():
    shares = (("train", 8), ("validate", 2), ("eval", 5))
    chosen = {"x": pa.array(sample(list(range(30_000)), 3000), pa.int64())}
    counts = np.bincount(assign(chosen, 3000, Splitting(shares)))
    assert counts == pytest.approx([1600, 400, 1000], rel=0.1)
