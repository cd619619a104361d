"""Where splits by time begin when the settings give shares and no values.

The times of all rows are counted, each distinct one, in one pass over the data. Where there are
more than `MOST_TIMES` of them, neighbours are counted together, by as few of their last bits as
will do, so that memory stays bounded. What comes out depends on the times alone, and not on how
the data was divided: counts of parts that were counted together more coarsely than the whole needs
do not exist. Called by `pipeline.components.example_reading`. Must not import TFX.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from fareline.errors import DataError

MOST_TIMES = 1 << 18  # 4 MB


@dataclasses.dataclass(frozen=True)
class TimeCounts:
    """How many rows have each time.

    Attributes:
        keys: int64 [times], ascending; numbers in the order of the times, without their last
            `shift` bits.
        counts: int64 [times], rows of each.
        shift: How many bits were left out.
        missing: Rows without a time.
        floating: Whether the times are floats.
    """

    keys: np.ndarray
    counts: np.ndarray
    shift: int = 0
    missing: int = 0
    floating: bool = False


def count_times(array: pa.Array, column: str) -> TimeCounts:
    """Counts the times of a batch.

    Args:
        array: int64 or float64 [rows]; null is missing, and so is all of an array of nulls.
        column: For messages.

    Raises:
        DataError: It holds no numbers.
    """
    if pa.types.is_null(array.type):
        return TimeCounts(np.empty(0, np.int64), np.empty(0, np.int64), missing=len(array))
    require_times(array.type, column)
    floating = pa.types.is_floating(array.type)
    values = array.drop_null().to_numpy(zero_copy_only=False)
    keys = _flip(values.astype(np.float64) + 0.0) if floating else values.astype(np.int64)
    found, counts = np.unique(keys, return_counts=True)
    return _coarsen(TimeCounts(found, counts.astype(np.int64), 0, array.null_count, floating))


def require_times(kind: pa.DataType, column: str) -> None:
    """Refuses a column that is no number.

    Raises:
        DataError: It is none.
    """
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise DataError.explain(
            f"data.split_by.time: {column}",
            f"the column is {kind}",
            "expected a number in every row, such as seconds since 1970",
            "split by another column, or state its type in the schema",
        )


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
) -> list[int | float]:
    """Finds the time at which each split but the first begins.

    Args:
        times: Of all rows.
        shares: Name and share of each split, the oldest first; whole numbers.
        column: For messages.

    Returns:
        Ascending, one less than there are splits. The rows before each are as near to the share
        that the settings ask for as can be without dividing rows of one time, or, where there are
        more than `MOST_TIMES` times, of neighbouring ones.

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
    return (_unflip(keys) if times.floating else keys).tolist()


def _flip(values: np.ndarray) -> np.ndarray:
    """Floats as integers of the same order: the bits of a negative one count the other way."""
    return _turn(values.view(np.int64))


def _unflip(keys: np.ndarray) -> np.ndarray:
    return _turn(keys).view(np.float64)


def _turn(bits: np.ndarray) -> np.ndarray:
    return bits ^ ((bits >> np.int64(63)) & np.int64(2**63 - 1))
