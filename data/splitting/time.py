"""Splits by time: the start of each split for given shares, and the rows of each split.

The times of all rows are counted, each distinct one, in one pass over the data. Where there are
more than `MOST_TIMES` of them, neighbours are counted together, by as few of their last bits as
will do, so that memory stays bounded. What comes out depends on the times alone, and not on how
the data was divided: counts of parts that were counted together more coarsely than the whole needs
do not exist. Called by `data.splitting.hash` and `pipeline.ingest.beam_files`. Must not import
TFX.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.splitting.text_times import EXPECTED, parse_time, time_text
from fareline.errors import DataError
from fareline.kinds import INT64_MAX, INT64_MIN
from fareline.printable import printable

MOST_TIMES = 1 << 18  # 4 MB


@dataclasses.dataclass(frozen=True)
class TimeCounts:
    """Number of rows at each time.

    Attributes:
        keys: int64 [times], ascending; numbers in the order of the times, without their last
            `shift` bits.
        counts: int64 [times], rows of each.
        shift: Number of dropped low bits.
        missing: Rows without a time.
        floating: Whether the times are floats.
        texts: Whether the times are texts; the keys are then of microseconds since 1970.
    """

    keys: np.ndarray
    counts: np.ndarray
    shift: int = 0
    missing: int = 0
    floating: bool = False
    texts: bool = False


def count_times(array: pa.Array, column: str) -> TimeCounts:
    """Counts the times of a batch.

    Args:
        array: Array, as `find_times` has it; all of an array of nulls is missing too.
        column: For messages.

    Raises:
        DataError: A value is no time, or a row has several.
    """
    if pa.types.is_null(array.type):
        return TimeCounts(np.empty(0, np.int64), np.empty(0, np.int64), missing=len(array))
    values, there = find_times(array, column)
    floating = values.dtype == np.float64
    found, counts = np.unique(_flip(values + 0.0) if floating else values, return_counts=True)
    missing = len(there) - len(values)
    counts = counts.astype(np.int64)
    return _coarsen(TimeCounts(found, counts, 0, missing, floating, are_texts(array)))


def find_times(array: pa.Array, column: str) -> tuple[np.ndarray, np.ndarray]:
    """The time of each row that has one.

    Args:
        array: Integers, floats or texts [rows], or lists of one such value or of none, as examples
            have them. Null and NaN are missing.
        column: For messages.

    Returns:
        int64 or float64 [rows that have one], of texts microseconds since 1970; and bool [rows],
        which rows those are.

    Raises:
        DataError: A value is no time, or a row has several.
    """
    there = np.ones(len(array), bool)
    if pa.types.is_large_list(array.type):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        if lengths.max(initial=0) > 1:
            raise _no_times(column, f"a row has {lengths.max()} values")
        there, array = lengths == 1, array.flatten()
    if are_texts(array):
        array = _parse(array, column)
    if not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
        raise _no_times(column, f"the column is {array.type}")
    kind = np.float64 if pa.types.is_floating(array.type) else np.int64
    values = array.drop_null().to_numpy(zero_copy_only=False).astype(kind)
    there[there] = array.is_valid().to_numpy(zero_copy_only=False)
    known = ~np.isnan(values)
    there[there] = known
    return values[known], there


def are_texts(array: pa.Array) -> bool:
    """Whether the values of a column, or of its lists, are texts."""
    kind = array.type.value_type if pa.types.is_large_list(array.type) else array.type
    return pa.types.is_large_binary(kind) or pa.types.is_binary(kind)


def _parse(texts: pa.Array, column: str) -> pa.Array:
    """Texts, each distinct one once, as int64 microseconds since 1970."""
    encoded = texts.dictionary_encode()
    times = []
    for value in encoded.dictionary.to_pylist():
        text = value.decode("utf-8", "replace")
        times.append(parse_time(text))
        if times[-1] is None:
            raise _no_times(column, f"a row has {printable(text[:40])!r}")
    return pa.array(times, pa.int64()).take(encoded.indices)


def _no_times(column: str, found: str) -> DataError:
    return DataError.explain(
        f"data.split_by.time: {column}",
        found,
        f"expected in every row a number, such as seconds since 1970, or {EXPECTED}",
        "split by another column, or correct the values in the source",
    )


def split_by_starts(
    array: pa.Array, starts: Sequence[float | int | str], column: str
) -> np.ndarray:
    """Returns which split each row belongs to.

    Args:
        array: Array, as `find_times` has it.
        starts: When each split but the oldest begins, ascending; texts where the times are texts.
        column: For messages.

    Returns:
        int [rows]; 0, the oldest, for a row without a time, which puts it in a training split.

    Raises:
        DataError: A value is no time, a row has several, or the starts are of another type.
    """
    values, there = find_times(array, column)
    starts = _starts_as_numbers(starts, array, column)
    if values.dtype == np.int64:  # compared as integers, or those above 2**53 would be rounded
        least, most = INT64_MIN, INT64_MAX
        starts = [min(max(math.ceil(start), least), most) for start in starts]
    found = np.zeros(len(array), np.int64)
    found[there] = np.searchsorted(np.array(starts, values.dtype), values, side="right")
    return found


def _starts_as_numbers(
    starts: Sequence[float | int | str], array: pa.Array, column: str
) -> list[int | float]:
    texts = are_texts(array)
    for start in starts:
        if not pa.types.is_null(array.type) and isinstance(start, str) != texts:
            raise DataError.explain(
                f"data.split_by.starts: {column}",
                f"the column holds {'texts' if texts else 'numbers'}, and a split starts at "
                f"{start!r}",
                f"expected {EXPECTED}" if texts else "expected a number",
                "write the starts as the column has its times",
            )
    return [parse_time(start) if isinstance(start, str) else start for start in starts]


def merge_times(found: Iterable[TimeCounts]) -> TimeCounts:
    """Adds up; in any order, and in any grouping, with the same result."""
    parts = list(found)
    shift = max((part.shift for part in parts), default=0)
    keys = [part.keys >> np.int64(shift - part.shift) for part in parts]
    merged = TimeCounts(
        np.concatenate(keys) if keys else np.empty(0, np.int64),
        np.concatenate([p.counts for p in parts]) if parts else np.empty(0, np.int64),
        shift,
        sum(part.missing for part in parts),
        any(part.floating for part in parts),
        any(part.texts for part in parts),
    )
    return _coarsen(_summed(merged))


def _summed(times: TimeCounts) -> TimeCounts:
    """Ascending keys, each once."""
    keys, places = np.unique(times.keys, return_inverse=True)
    counts = np.zeros(len(keys), np.int64)
    np.add.at(counts, places, times.counts)
    return dataclasses.replace(times, keys=keys, counts=counts)


def _coarsen(times: TimeCounts) -> TimeCounts:
    """Leaves out as few more bits as will do."""
    while len(times.keys) > MOST_TIMES:
        halved = dataclasses.replace(times, keys=times.keys >> 1, shift=times.shift + 1)
        first = np.flatnonzero(np.diff(halved.keys, prepend=halved.keys[0] - 1))
        times = dataclasses.replace(
            halved, keys=halved.keys[first], counts=np.add.reduceat(halved.counts, first)
        )
    return times


def find_starts(
    times: TimeCounts, shares: Sequence[tuple[str, int]], column: str
) -> list[int | float | str]:
    """Finds the time at which each split but the first begins.

    Args:
        times: Times of all rows.
        shares: Name and share of each split, the oldest first; whole numbers.
        column: For messages.

    Returns:
        Ascending, one less than there are splits; texts where the times are texts. The rows before
        each are as near to the share that the settings ask for as can be without dividing rows of
        one time, or, where there are more than `MOST_TIMES` times, of neighbouring ones.

    Raises:
        DataError: A split would be empty.
    """
    before = times.missing + np.concatenate([[0], np.cumsum(times.counts)])
    edges = np.cumsum([share for _, share in shares])
    # In whole numbers, so that there is nothing to round.
    places = [int(np.argmin(np.abs(before * edges[-1] - before[-1] * edge))) for edge in edges[:-1]]
    rows = np.diff([0, *before[places], before[-1]])
    if len(times.keys) == 0 or (rows <= 0).any():
        empty = [name for (name, _), count in zip(shares, rows, strict=True) if count <= 0]
        raise DataError.explain(
            f"data.split_by.time: {column}",
            f"{before[-1]:,} rows have {len(times.keys):,} different times, and "
            f"{' and '.join(empty) or 'every split'} would be empty",
            "expected times that can be cut by the shares in data.splits",
            "name the times in data.split_by.starts, or split by a hash",
        )
    keys = times.keys[places] << np.int64(times.shift)
    if times.texts:
        return [time_text(micros) for micros in keys.tolist()]
    return (_unflip(keys) if times.floating else keys).tolist()


def _flip(values: np.ndarray) -> np.ndarray:
    """Floats as integers of the same order: the bits of a negative one count the other way."""
    return _turn(values.view(np.int64))


def _unflip(keys: np.ndarray) -> np.ndarray:
    return _turn(keys).view(np.float64)


def _turn(bits: np.ndarray) -> np.ndarray:
    return bits ^ ((bits >> np.int64(63)) & np.int64(2**63 - 1))
