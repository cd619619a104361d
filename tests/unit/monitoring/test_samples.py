"""Samples of rows: all of them, or as many as asked for, each with the same chance."""

import numpy as np
import pyarrow as pa

from monitoring.drift.samples import Sampler, first_values, joined, take_sample


def batches_of(values, size):
    for start in range(0, len(values), size):
        part = values[start : start + size]
        yield {"x": pa.array([[v] for v in part], pa.large_list(pa.int64()))}


def test_few_rows_are_all_kept_in_their_order():
    sample = take_sample(batches_of(list(range(100)), 30), most_rows=100)
    assert sample.columns["x"].to_pylist() == list(range(100))
    assert (sample.rows, sample.rows_seen) == (100, 100)


def test_of_many_rows_each_has_the_same_chance():
    counts = np.zeros(1000)
    for seed in range(300):
        sample = take_sample(batches_of(list(range(1000)), 90), most_rows=100, seed=seed)
        assert (sample.rows, sample.rows_seen) == (100, 1000)
        chosen = sample.columns["x"].to_numpy()
        assert len(np.unique(chosen)) == 100
        counts[chosen] += 1
    # 30 of 300 each, by chance 30 ± 5.2; of the ten tenths of the rows 3,000 ± 52.
    assert np.abs(counts.reshape(10, 100).sum(1) - 3000).max() < 4 * 52


def test_the_sample_does_not_hang_on_batches():
    values = list(range(500))
    first = take_sample(batches_of(values, 500), most_rows=50, seed=3)
    second = take_sample(batches_of(values, 7), most_rows=50, seed=3)
    assert first.columns["x"].equals(second.columns["x"])


def test_the_sample_is_of_the_smallest_keys_and_few_rows_are_asked_for():
    random = np.random.Generator(np.random.PCG64(5))
    expected = np.sort(np.argsort(random.random(100_000))[:50])
    sampler, asked = Sampler(most_rows=50, seed=5), 0
    for start in range(0, 100_000, 1000):
        chosen = sampler.choose(1000)
        asked += len(chosen)
        sampler.keep({"x": pa.array(start + chosen)})
    assert sampler.sample().columns["x"].to_numpy().tolist() == expected.tolist()
    assert sampler.sample().rows_seen == 100_000
    assert asked < 2000


def test_a_column_that_some_batches_lack():
    parts = [
        {"x": pa.array([1, 2]), "y": pa.nulls(2)},
        {"x": pa.array([3]), "y": pa.array(["a"])},
        {"x": pa.array([4])},
    ]
    sample = take_sample(parts)
    assert sample.columns["y"].to_pylist() == [None, None, b"a", None]
    assert sample.columns["x"].to_pylist() == [1, 2, 3, 4]


def test_no_rows():
    assert take_sample([]).rows == take_sample([{}]).rows == 0


def test_first_values_of_lists_and_nan():
    lists = pa.array([[1.5, 2.0], [], None, [float("nan")]], pa.large_list(pa.float32()))
    assert first_values(lists).to_pylist() == [1.5, None, None, None]
    sliced = pa.array([[9], [1, 2], [], [3]], pa.large_list(pa.int64())).slice(1)
    assert first_values(sliced).to_pylist() == [1, None, 3]


def test_joined_kinds():
    ints, floats = pa.array([1, None]), pa.array([0.5], pa.float32())
    assert joined([ints, floats]).to_pylist() == [1.0, None, 0.5]
    texts = pa.array([b"x"], pa.large_binary())
    assert joined([ints, texts]).to_pylist() == [b"1", None, b"x"]
    assert joined([pa.nulls(1), pa.nulls(1)]).to_pylist() == [None, None]
