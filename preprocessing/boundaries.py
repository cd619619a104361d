"""Quantile boundaries of many columns in one analyzer, the same to the last bit on every run.

For a few thousand values, the boundaries are those of `tft.quantiles`. For more values, the result
of `tft.quantiles` depends on the order in which Beam merges parts of the data. This module counts
values instead. If a column has more than `MOST_KEYS` different values, the last bits of their
fractions are dropped until it has fewer. The number of dropped bits does not depend on the order of
the values. Called by preprocessing.transform. Must not import pipeline, runners or an orchestrator.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

MOST_KEYS = 1 << 15  # of a column: 400 kB
_ALL_BUT_SIGN = np.int32(0x7FFFFFFF)


def quantile_boundaries(values: tf.Tensor, sizes: Sequence[int]) -> tf.Tensor:
    """Analyzes all rows: boundaries of buckets with about equal numbers of values.

    Args:
        values: float32 [batch, columns]; NaN is left out.
        sizes: Number of buckets of each column.

    Returns:
        float32 [columns, largest size - 1], in ascending order, filled up with infinity; zeros of a
        column without values.
    """
    (boundaries,) = tft.experimental.ptransform_analyzer(
        [values],
        beam.CombineGlobally(BoundariesFn(sizes)),
        output_dtypes=[tf.float32],
        output_shapes=[[len(sizes), max(sizes) - 1]],
        name="quantile_boundaries",
    )
    return boundaries


@dataclasses.dataclass
class Column:
    """Frequency of each value of a column.

    Attributes:
        level: Number of dropped low bits of the keys.
        keys: Distinct keys (`_keys_of`), int32, in ascending order.
        counts: int64, of each key.
        waiting: Uncounted values, float32 arrays.
        size: Number of these keys.
    """

    level: int = 0
    keys: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int32))
    counts: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int64))
    waiting: list[np.ndarray] = dataclasses.field(default_factory=list)
    size: int = 0

    def add(self, values: np.ndarray) -> None:
        """Adds float32 values without NaN; counts them when they are many."""
        self.waiting.append(values)
        self.size += len(values)
        if self.size >= MOST_KEYS:
            self.count()

    def count(self) -> None:
        """Counts the waiting values."""
        if self.waiting:
            keys, counts = np.unique(_keys_of(np.concatenate(self.waiting)), return_counts=True)
            self.waiting, self.size = [], 0
            self._merge(keys >> self.level, counts)

    def merge(self, other: "Column") -> None:
        """Adds the counts of another column."""
        self.count()
        other.count()
        level = max(self.level, other.level)
        self.keys, self.level = self.keys >> (level - self.level), level
        self._merge(other.keys >> (level - other.level), other.counts)

    def _merge(self, keys: np.ndarray, counts: np.ndarray) -> None:
        """Adds counts by keys of the same level, and leaves out bits while the keys are too many.

        The level that this ends at is the least at which all values together have few enough keys.
        No part of them needs a higher one, so the level does not depend on the order.
        """
        keys, counts = np.concatenate([self.keys, keys]), np.concatenate([self.counts, counts])
        self.keys, self.counts = _sum_by_key(keys, counts)
        while len(self.keys) > MOST_KEYS:
            self.level += 1
            self.keys, self.counts = _sum_by_key(self.keys >> 1, self.counts)

    def boundaries(self, size: int) -> np.ndarray:
        """float32 [size - 1]: the values at the ranks 1/size, 2/size …; zeros without values."""
        self.count()
        if not len(self.keys):
            return np.zeros(size - 1, np.float32)
        up_to = np.cumsum(self.counts)
        ranks = np.arange(1, size) * up_to[-1] // size
        return _values_of(self.keys[np.searchsorted(up_to, ranks, "right")], self.level)


def _sum_by_key(keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distinct, places = np.unique(keys, return_inverse=True)
    sums = np.zeros(len(distinct), np.int64)
    np.add.at(sums, places, counts)
    return distinct, sums


def _keys_of(values: np.ndarray) -> np.ndarray:
    """Integers in the order of float32 values; the last bits are the last of the fraction."""
    bits = (values + np.float32(0)).view(np.int32)  # -0 is 0
    return np.where(bits < 0, bits ^ _ALL_BUT_SIGN, bits)


def _values_of(keys: np.ndarray, level: int) -> np.ndarray:
    """The least value of each key."""
    keys = keys << level
    values = np.where(keys < 0, keys ^ _ALL_BUT_SIGN, keys).astype(np.int32).view(np.float32)
    return np.where(np.isnan(values), np.float32(-np.inf), values)


class BoundariesFn(beam.CombineFn):
    """Counts the values of each column.

    Args:
        sizes: Number of buckets of each column.
    """

    def __init__(self, sizes: Sequence[int]):
        self._sizes = tuple(sizes)

    def create_accumulator(self) -> list[Column]:
        """No rows yet."""
        return [Column() for _ in self._sizes]

    def add_input(self, accumulator: list[Column], batch: tuple[np.ndarray]) -> list[Column]:
        """Adds a batch of rows."""
        (values,) = batch
        for column, cells in zip(accumulator, values.T, strict=True):
            column.add(cells[~np.isnan(cells)])
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[list[Column]]) -> list[Column]:
        """Adds them up."""
        first, *others = accumulators
        for other in others:
            for column, more in zip(first, other, strict=True):
                column.merge(more)
        return first

    def compact(self, accumulator: list[Column]) -> list[Column]:
        """Reduces the size before a transfer."""
        for column in accumulator:
            column.count()
        return accumulator

    def extract_output(self, accumulator: list[Column]) -> np.ndarray:
        """The boundaries, float32 [columns, largest size - 1]."""
        boundaries = np.full([len(self._sizes), max(self._sizes) - 1], np.inf, np.float32)
        for place, (column, size) in enumerate(zip(accumulator, self._sizes, strict=True)):
            boundaries[place, : size - 1] = column.boundaries(size)
        return boundaries
