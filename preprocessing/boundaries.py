"""Quantile boundaries of many columns in one analyzer, each as `tft.quantiles` finds them.

`tft.quantiles` itself takes many columns at once, but gives no boundaries for one without values,
and so one row too few. Called by preprocessing.transform. Must not import pipeline, runners or an
orchestrator.
"""

from collections.abc import Iterable, Sequence

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.analyzers import QuantilesCombiner


def quantile_boundaries(values: tf.Tensor, sizes: Sequence[int]) -> tf.Tensor:
    """Analyzes all rows: what parts each column into buckets of about as many values.

    Args:
        values: float32 [batch, columns]; NaN is left out.
        sizes: How many buckets each column gets.

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


class BoundariesFn(beam.CombineFn):
    """TFT's combiner of quantiles, one for each column.

    Args:
        sizes: How many buckets each column gets.
    """

    def __init__(self, sizes: Sequence[int]):
        self._sizes = tuple(sizes)

    def setup(self, *args, **kwargs) -> None:
        """Makes the combiners where they are used: they need not be sent there."""
        # The error is as in tft.bucketize.
        self._combiners = [
            QuantilesCombiner(size, min(1 / size, 0.01), np.float32) for size in self._sizes
        ]

    def create_accumulator(self) -> list:
        """No rows yet."""
        return [combiner.create_accumulator() for combiner in self._combiners]

    def add_input(self, accumulator: list, batch: tuple[np.ndarray]) -> list:
        """Adds a batch of rows."""
        (values,) = batch
        return [
            combiner.add_input(sketch, (column[~np.isnan(column)],))
            for combiner, sketch, column in zip(self._combiners, accumulator, values.T, strict=True)
        ]

    def merge_accumulators(self, accumulators: Iterable[list]) -> list:
        """Adds them up."""
        return [
            combiner.merge_accumulators(sketches)
            for combiner, sketches in zip(
                self._combiners, zip(*accumulators, strict=True), strict=True
            )
        ]

    def compact(self, accumulator: list) -> list:
        """Makes it smaller before it is sent."""
        return [
            combiner.compact(sketch)
            for combiner, sketch in zip(self._combiners, accumulator, strict=True)
        ]

    def extract_output(self, accumulator: list) -> np.ndarray:
        """The boundaries, float32 [columns, largest size - 1]."""
        boundaries = np.full([len(self._sizes), max(self._sizes) - 1], np.inf, np.float32)
        for place, (combiner, sketch) in enumerate(zip(self._combiners, accumulator, strict=True)):
            (found,) = combiner.extract_output(sketch)
            boundaries[place, : self._sizes[place] - 1] = np.ravel(found)
        return boundaries
