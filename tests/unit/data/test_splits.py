"""data.splitting: the same row in the same split wherever and however it was read."""

import numpy as np
import pyarrow as pa
import pytest

from data.splitting.hash import Splitting, assign, hash_rows
from fareline.errors import DataError

SHARES = (("train", 8), ("validate", 2), ("eval", 5))


def columns(rows=4000):
    random = np.random.default_rng(3)
    return {
        "i": pa.array(random.integers(-(2**62), 2**62, rows)),
        "f": pa.array(random.normal(size=rows)),
        "s": pa.array([f"c{i}".encode() for i in random.integers(0, 900, rows)], pa.large_binary()),
    }


def test_hashes_are_what_they_were_when_models_were_trained():
    found = hash_rows(
        {
            "i": pa.array([1, None, -5]),
            "f": pa.array([0.1, -0.0, None]),
            "s": pa.array([b"Cash", b"", None], pa.large_binary()),
        },
        3,
    )
    assert found.tolist() == [12120039580844274548, 6259527933108906825, 4271266263362805951]


def by_hand(row):
    """The definition, one row at a time, in Python's integers."""
    import hashlib
    import struct

    def mix(x):
        x = (x + 0x9E3779B97F4A7C15) % 2**64
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
        return x ^ (x >> 31)

    def text(value):
        return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "little")

    total = 0
    for name, value in row.items():
        if value is None:
            continue
        if isinstance(value, bytes):
            code = text(value)
        elif isinstance(value, float):
            code = struct.unpack("<I", struct.pack("<f", value + 0.0))[0]
        else:
            code = value % 2**64
        total += mix(code ^ text(name.encode()))
    return mix(total % 2**64)


def test_hashes_by_hand():
    found = columns(50)
    rows = [
        dict(zip(found, row, strict=True))
        for row in zip(*(c.to_pylist() for c in found.values()), strict=True)
    ]
    assert hash_rows(found, 50).tolist() == [by_hand(row) for row in rows]


def test_neither_order_nor_batches_nor_an_empty_column_nor_lists_of_one_matter():
    found = columns()
    whole = hash_rows(found, 4000)
    assert np.array_equal(whole, hash_rows(dict(reversed(found.items())), 4000))
    assert np.array_equal(whole, hash_rows(found | {"new": pa.nulls(4000)}, 4000))
    halves = [hash_rows({n: c.slice(s, 2000) for n, c in found.items()}, 2000) for s in (0, 2000)]
    assert np.array_equal(whole, np.concatenate(halves))
    lists = {
        n: pa.LargeListArray.from_arrays(pa.array(np.arange(4001)), c) for n, c in found.items()
    }
    assert np.array_equal(whole, hash_rows(lists, 4000))


def test_the_values_of_a_list_count_by_their_place():
    def one(values):
        return hash_rows({"a": pa.array([values], pa.large_list(pa.int64()))}, 1)[0]

    assert len({one([1, 2]), one([2, 1]), one([1]), one([2]), one([])}) == 5


def test_shares_are_kept_to_within_four_deviations():
    split = assign(columns(), 4000, Splitting(SHARES))
    for found, share in zip(np.bincount(split), (8 / 15, 2 / 15, 5 / 15), strict=True):
        assert abs(found - 4000 * share) < 4 * np.sqrt(4000 * share * (1 - share))


def test_rows_with_the_same_values_in_the_chosen_columns_stay_together():
    found = columns()
    split = assign(found, 4000, Splitting(SHARES, columns=("s",)))
    of_value = {}
    for value, index in zip(found["s"].to_pylist(), split.tolist(), strict=True):
        assert of_value.setdefault(value, index) == index
    assert set(of_value.values()) == {0, 1, 2}


def test_by_time_the_newest_rows_are_the_last_split_and_rows_without_one_the_first():
    splitting = Splitting(SHARES, time="t", starts=(10, 20))
    found = assign({"t": pa.array([9, 10, 19, 20, None, 99])}, 6, splitting)
    assert found.tolist() == [0, 1, 1, 2, 0, 2]


def test_a_column_to_split_by_must_be_there_and_hold_times():
    with pytest.raises(DataError, match="data.split_by: x: the data has no such column; expected"):
        assign({"a": pa.array([1])}, 1, Splitting(SHARES, columns=("x",)))
    with pytest.raises(DataError, match="data.split_by.time: a: a row has 'x'; expected in every"):
        column = pa.array([b"x"], pa.large_binary())
        assign({"a": column}, 1, Splitting(SHARES, time="a", starts=(1, 2)))
