"""Mean and standard deviation of many columns at once, the same to the last bit on every run.

Beam chooses batch sizes by time, and its runners split data in different ways. The last bits of
floating point sums depend on this, and so would every scaled number. The sums of this module are
exact, so they depend only on the values.

Called by preprocessing.transform. Must not import pipeline, runners or an orchestrator.
"""

import math
from collections.abc import Iterable
from fractions import Fraction

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

_BITS = 30  # of a piece: its sum over 2²³ rows is still exact in float64
_ROWS = 1 << 20  # that are summed in float64 at a time

# Exact sums of columns: exponent -> int64 [columns], in units of 2 to the exponent.
Sums = dict[int, np.ndarray]


def mean_and_deviation(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Analyzes all rows: the mean and the standard deviation of each column.

    NaN and infinity, and therefore missing values, are left out. The variance is over the number of
    values, as TensorFlow Transform's.

    Args:
        values: float64 [batch, columns], with a static number of columns.

    Returns:
        Means and deviations, float64 [columns] each; 0 where no value is left.
    """
    shape = [values.shape[1]]
    mean, deviation = tft.experimental.ptransform_analyzer(
        [values],
        MeanAndDeviation(values.shape[1]),
        output_dtypes=[tf.float64, tf.float64],
        output_shapes=[shape, shape],
        name="mean_and_deviation",
    )
    return mean, deviation


class MeanAndDeviation(beam.PTransform):
    """Batches to two collections of one element each: all means, and all deviations.

    Args:
        columns: Number of columns.
    """

    def __init__(self, columns: int):
        super().__init__()
        self._columns = columns

    def expand(self, batches):
        """Takes tuples of one float64 [batch, columns]."""
        both = batches | "Moments" >> beam.CombineGlobally(MomentsFn(self._columns))
        return (
            both | "Mean" >> beam.Map(lambda moments: moments[0]),
            both | "Deviation" >> beam.Map(lambda moments: moments[1]),
        )


class MomentsFn(beam.CombineFn):
    """Counts, sums and sums of squares, each exact.

    A square is rounded to float64, which depends only on the value; for float32 it is exact.

    Args:
        columns: Number of columns.
    """

    def __init__(self, columns: int):
        self._columns = columns

    def create_accumulator(self) -> tuple[np.ndarray, Sums, Sums]:
        """No rows yet."""
        return np.zeros(self._columns, np.int64), {}, {}

    def add_input(
        self, accumulator: tuple[np.ndarray, Sums, Sums], batch: tuple[np.ndarray]
    ) -> tuple[np.ndarray, Sums, Sums]:
        """Adds a batch of rows."""
        count, sums, squares = accumulator
        (values,) = batch
        finite = np.isfinite(values)
        values = np.where(finite, values, 0.0)
        return (
            count + finite.sum(axis=0),
            add_exactly([sums, sum_exactly(values)]),
            add_exactly([squares, sum_exactly(values * values)]),
        )

    def merge_accumulators(
        self, accumulators: Iterable[tuple[np.ndarray, Sums, Sums]]
    ) -> tuple[np.ndarray, Sums, Sums]:
        """Adds them up."""
        counts, sums, squares = zip(*accumulators, strict=True)
        return sum(counts), add_exactly(sums), add_exactly(squares)

    def extract_output(
        self, accumulator: tuple[np.ndarray, Sums, Sums]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Means and deviations, float64 [columns] each."""
        count, sums, squares = accumulator
        means, deviations = np.zeros(self._columns), np.zeros(self._columns)
        for column in np.flatnonzero(count):
            n = int(count[column])
            mean = value_of(sums, column) / n
            means[column] = mean
            # Below 0 only where squares were rounded.
            deviations[column] = math.sqrt(max(value_of(squares, column) / n - mean * mean, 0))
        return means, deviations


def sum_exactly(values: np.ndarray) -> Sums:
    """The sum of each column, without rounding.

    Each value is split into pieces of `_BITS` bits at the same places for all values. Pieces at one
    place are small multiples of one power of two, so that adding them rounds nothing.

    Args:
        values: Finite float64 [rows, columns].
    """
    if len(values) > _ROWS:
        chunks = [values[start : start + _ROWS] for start in range(0, len(values), _ROWS)]
        return add_exactly(map(sum_exactly, chunks))
    sums: Sums = {}
    while largest := np.abs(values).max(initial=0.0):
        exponent = (math.frexp(largest)[1] - 1) // _BITS * _BITS
        pieces = np.trunc(np.ldexp(values, -exponent))
        sums[exponent] = pieces.sum(axis=0).astype(np.int64)
        values = values - np.ldexp(pieces, exponent)
    return sums


def add_exactly(many: Iterable[Sums]) -> Sums:
    """The sum of sums."""
    total: Sums = {}
    for sums in many:
        for exponent, pieces in sums.items():
            total[exponent] = total[exponent] + pieces if exponent in total else pieces
    return total


def value_of(sums: Sums, column: int) -> Fraction:
    """The sum of one column."""
    parts = (int(pieces[column]) * Fraction(2) ** exponent for exponent, pieces in sums.items())
    return sum(parts, Fraction(0))
