"""Where splits by time begin, against a plain search over the sorted times."""

import datetime
import itertools
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.splitting import time as time_splits
from data.splitting.hash import Splitting, assign
from data.splitting.time import count_times, find_starts, merge_times
from fareline.errors import DataError

SHARES = (("train", 8), ("validate", 2), ("eval", 5))
INTEGERS = st.integers(-(2**60), 2**60) | st.integers(-20, 20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([-0.0, 0.0, -1.5, 2.5])


def counted(values, parts=1):
    """The times, counted in so many parts that were dealt out at random."""
    kind = pa.float64() if any(isinstance(v, float) for v in values) else pa.int64()
    dealt = [values[part::parts] for part in range(parts)]
    return merge_times(count_times(pa.array(part, kind), "t") for part in dealt)


def nearest_cuts(values, shares):
    """The starts, by trying every time; None where a split would be empty."""
    times = sorted({v for v in values if v is not None})
    before = {t: sum(v is None or v < t for v in values) for t in times}
    total, starts, edge = sum(share for _, share in shares), [], 0
    for _, share in shares[:-1]:
        edge += share
        # At equal distance the earlier one, and the end of all data counts too: nothing is behind.
        ends = [*times, None]
        distance = [abs(before.get(t, len(values)) * total - len(values) * edge) for t in ends]
        starts.append(ends[distance.index(min(distance))])
    rows = [0, *(before.get(t, len(values)) for t in starts), len(values)]
    return None if any(b <= a for a, b in itertools.pairwise(rows)) else starts


@settings(max_examples=300, deadline=None)
@given(st.lists(INTEGERS | st.none(), max_size=60) | st.lists(FLOATS | st.none(), max_size=60))
def test_starts_are_the_nearest_to_the_shares(values):
    expected = nearest_cuts(values, SHARES)
    times = counted(values)
    if expected is None:
        with pytest.raises(DataError, match="would be empty"):
            find_starts(times, SHARES, "t")
        return
    assert find_starts(times, SHARES, "t") == expected
    assert find_starts(counted(values, 7), SHARES, "t") == expected


def test_rows_land_where_the_starts_say():
    values = [*range(1_000)] * 3 + [None] * 30
    starts = find_starts(counted(values), SHARES, "t")
    assert starts == [529, 663]  # 8 of 15 of 3,030 are 1,616, and 30 + 3 × 529 = 1,617
    splitting = Splitting(SHARES, time="t", starts=starts)
    found = assign({"t": pa.array(values)}, len(values), splitting)
    assert np.bincount(found).tolist() == [30 + 3 * 529, 3 * (663 - 529), 3 * (1_000 - 663)]
    by_time = {}
    for value, split in zip(values, found.tolist(), strict=True):
        assert by_time.setdefault(value, split) == split  # rows of one time are never divided
    assert by_time[None] == 0


def arrays_of(values):
    """The same times in every form that a reader may give them."""
    some = [v for v in values if v is not None]
    offsets = np.concatenate([[0], np.cumsum([v is not None for v in values])])
    for kind in (pa.int64(), pa.float64(), pa.float32()):
        yield pa.array([v if v is None else kind.to_pandas_dtype()(v) for v in values], kind)
        yield pa.LargeListArray.from_arrays(
            pa.array(offsets, pa.int64()), pa.array(np.array(some, kind.to_pandas_dtype()))
        )
    yield pa.array([np.nan if v is None else float(v) for v in values], pa.float64())


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(-1_000, 1_000) | st.none(), min_size=1, max_size=30),
    st.lists(st.integers(-2_000, 2_000).map(lambda t: t / 2), min_size=2, max_size=2, unique=True),
)
def test_every_form_of_a_time_lands_in_the_same_split(values, starts):
    splitting = Splitting(SHARES, time="t", starts=sorted(starts))
    expected = [0 if v is None else sum(start <= v for start in starts) for v in values]
    counts = [len({v for v in values if v is not None}), sum(v is None for v in values)]
    for array in arrays_of(values):
        assert assign({"t": array}, len(values), splitting).tolist() == expected, array.type
        times = count_times(array, "t")
        assert [len(times.keys), times.missing] == counts, array.type


def test_times_and_starts_at_the_ends_of_64_bits_are_compared_exactly():
    values = [-(2**63), -(2**62) - 1, 2**62, 2**62 + 1, 2**63 - 1, None]
    splitting = Splitting(SHARES, time="t", starts=[-(2**62), 2**62 + 1])
    assert assign({"t": pa.array(values)}, 6, splitting).tolist() == [0, 0, 1, 2, 2, 0]
    splitting = Splitting(SHARES, time="t", starts=[-1e300, 0.5])
    assert assign({"t": pa.array(values)}, 6, splitting).tolist() == [1, 1, 2, 2, 2, 0]


def test_a_row_with_several_times_is_refused():
    several = pa.array([[1], [2, 3]], pa.large_list(pa.int64()))
    expected = "data.split_by.time: t: a row has 2 values; expected in every row a number"
    with pytest.raises(DataError, match=expected):
        count_times(several, "t")
    with pytest.raises(DataError, match=expected):
        assign({"t": several}, 2, Splitting(SHARES, time="t", starts=[1, 2]))


@pytest.mark.parametrize("kind", [int, float])
def test_many_times_are_counted_in_bounded_memory_and_the_same_in_any_order(kind, monkeypatch):
    monkeypatch.setattr(time_splits, "MOST_TIMES", 256)
    numbers = random.Random(5)
    values = [kind(numbers.randrange(-(10**9), 10**12)) for _ in range(5_000)]
    found = []
    for parts in (1, 3, 40):
        numbers.shuffle(values)
        times = counted(values, parts)
        assert len(times.keys) <= 256 < 5_000
        assert times.counts.sum() == 5_000
        found.append((times.shift, times.keys.tolist(), find_starts(times, SHARES, "t")))
    assert found[0] == found[1] == found[2]
    # A start is the least value of what is counted together, so that nobody is on both sides.
    starts = found[0][2]
    rows = [sum(v < start for v in values) for start in starts]
    # No count of neighbours holds more rows than this, by which a share may be missed.
    most = int(times.counts.max())
    assert rows == pytest.approx([5_000 * 8 / 15, 5_000 * 10 / 15], abs=most)
    assert most < 250 or kind is float  # floats: neighbours are as far apart as their sizes say


def test_times_that_cannot_be_cut_are_refused():
    with pytest.raises(
        DataError,
        match=r"data.split_by.time: t: 10 rows have 2 different times, and validate would be "
        r"empty; expected times that can be cut by the shares in data.splits. Hint: name the times "
        r"in data.split_by.starts, or split by a hash",
    ):
        find_starts(counted([1, 2] * 5), SHARES, "t")
    for values in ([], [None, None]):
        with pytest.raises(DataError, match=r"have 0 different times"):
            find_starts(merge_times([count_times(pa.array(values, pa.null()), "t")]), SHARES, "t")
    with pytest.raises(DataError, match="data.split_by.time: t: the column is bool"):
        count_times(pa.array([True]), "t")


# --- Times as texts ---------------------------------------------------------------------------


def texts_of(days):
    start = datetime.date(2024, 1, 1)
    found = [None if d is None else str(start + datetime.timedelta(d)).encode() for d in days]
    return pa.array(found, pa.large_binary())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 9_000) | st.none(), max_size=60))
def test_texts_are_split_as_their_numbers_are(days):
    numbers, texts = pa.array(days, pa.int64()), texts_of(days)
    if nearest_cuts(days, SHARES) is None:
        with pytest.raises(DataError, match="would be empty"):
            find_starts(count_times(texts, "t"), SHARES, "t")
        return
    starts = find_starts(count_times(numbers, "t"), SHARES, "t")
    text_starts = find_starts(count_times(texts, "t"), SHARES, "t")
    assert text_starts == [s.decode() for s in texts_of(starts).to_pylist()]
    lists = pa.array([None if t is None else [t] for t in texts.to_pylist()],
                     pa.large_list(pa.large_binary()))  # fmt: skip
    for column in (texts, lists):
        found = assign({"t": column}, len(days), Splitting(SHARES, (), "t", text_starts))
        expected = assign({"t": numbers}, len(days), Splitting(SHARES, (), "t", starts))
        assert found.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("values", "starts", "expected"),
    [
        ([b"2024-01-01", b"31.01.2024"], ["2024-01-02"], r"t: a row has '31.01.2024'; expected in"),
        ([b"2024-01-01", b"\xff"], ["2024-01-02"], r"t: a row has '�'; expected in"),
        ([b"2024-01-01"], [1704153600.0], r"starts: t: the column holds texts, and a split starts"),
        ([1704067200], ["2024-01-02T00:00:00"], r"starts: t: the column holds numbers, and a "),
    ],
)
def test_what_is_no_time_is_said_with_the_value(values, starts, expected):
    kind = pa.int64() if isinstance(values[0], int) else pa.large_binary()
    splitting = Splitting((("train", 1), ("eval", 1)), (), "t", starts)
    with pytest.raises(DataError, match=expected):
        assign({"t": pa.array(values, kind)}, len(values), splitting)
