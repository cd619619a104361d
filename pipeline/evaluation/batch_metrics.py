"""Adds whole batches of examples to the accumulators of TFMA's metrics, for many slices at once.

TFMA adds one example to one slice at a time. Here each of its combiners has an adder that holds the
sums of all slices in arrays, and hands TFMA an accumulator as its combiner would have left it. What
comes after (the metric's value, derived metrics, thresholds) is TFMA's own code. Sums of float64
are added in another order than TFMA's, so that values may differ by 1e-12 of themselves; those of
Keras metrics, which are sums of float32, by 1e-6. Called by `pipeline.evaluation.batch_evaluation`.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from tensorflow_model_analysis.contrib.aggregates import (
    binary_confusion_matrices as matrix_aggregates,
)
from tensorflow_model_analysis.metrics import (
    binary_confusion_matrices,
    calibration,
    calibration_histogram,
    example_count,
    mean_regression_error,
    metric_types,
    squared_pearson_correlation,
    tf_metric_wrapper,
)

from pipeline.evaluation.batch_slices import Pairs
from pipeline.evaluation.own_functions import Examples, OwnCombiner
from pipeline.evaluation.tfma_internals import LeftToTfmaError

# Pending sums are merged, and pending examples handed to Keras, when there are this many.
_MANY_BUCKETS = 1 << 20
_MANY_NUMBERS = 1 << 21


@dataclasses.dataclass(frozen=True)
class Measured:
    """Predictions of one model for a batch.

    Attributes:
        labels: int64 or float32 [batch, 1].
        predictions: float32 [batch, 1], or [batch, classes].
        weights: float32 [batch], or None if examples weigh the same.
    """

    labels: np.ndarray
    predictions: np.ndarray
    weights: np.ndarray | None


class _Adder:
    """The sums of one combiner over all slices."""

    def __init__(self, combiner: Any):
        self.combiner = combiner
        combiner.setup()

    def add(self, batch: Measured, pairs: Pairs) -> None:
        """Adds a batch to the slices that its examples are in."""
        raise NotImplementedError

    def accumulator(self, number: int) -> Any:
        """The accumulator of a slice, as TFMA's combiner would have left it."""
        raise NotImplementedError

    def _weights(self, batch: Measured) -> np.ndarray:
        """float64 [batch]; ones where this metric does not weigh examples."""
        if not self.combiner._example_weighted or batch.weights is None:
            return np.ones(len(batch.labels))
        return batch.weights.astype(np.float64)


class _SumAdder(_Adder):
    """Sums of a few numbers per example."""

    WIDTH: ClassVar[int]

    def __init__(self, combiner: Any):
        super().__init__(combiner)
        self._sums = np.zeros((self.WIDTH, 0))

    def add(self, batch: Measured, pairs: Pairs) -> None:
        count = max(self._sums.shape[1], int(pairs.slices.max(initial=-1)) + 1)
        sums = np.zeros((self.WIDTH, count))
        sums[:, : self._sums.shape[1]] = self._sums
        for place, numbers in enumerate(self._numbers(batch)):
            sums[place] += np.bincount(pairs.slices, numbers[pairs.rows], count)
        self._sums = sums

    def _numbers(self, batch: Measured) -> list[np.ndarray]:
        """What is summed, each float64 [batch]."""
        raise NotImplementedError

    def _sum(self, number: int) -> list[float]:
        return self._sums[:, number].tolist()


class _CountAdder(_SumAdder):
    WIDTH = 1

    def _numbers(self, batch: Measured) -> list[np.ndarray]:
        return [self._weights(batch)]

    def accumulator(self, number: int) -> float:
        return np.float64(self._sum(number)[0])


class _CalibrationAdder(_SumAdder):
    WIDTH = 3

    def _numbers(self, batch: Measured) -> list[np.ndarray]:
        weights = self._weights(batch)
        labels, predictions = _one_each(batch)
        return [labels * weights, predictions * weights, weights]

    def accumulator(self, number: int) -> Any:
        result = self.combiner.create_accumulator()
        (
            result.total_weighted_labels,
            result.total_weighted_predictions,
            result.total_weighted_examples,
        ) = self._sum(number)
        return result


class _AbsoluteErrorAdder(_SumAdder):
    WIDTH = 2

    def _numbers(self, batch: Measured) -> list[np.ndarray]:
        _one_each(batch)
        # In the types that they have, as TFMA subtracts them.
        errors = np.absolute(batch.labels - batch.predictions)[:, 0].astype(np.float64)
        weights = self._weights(batch)
        counts = ~np.isnan(errors)
        return [np.where(counts, errors * weights, 0.0), np.where(counts, weights, 0.0)]

    def accumulator(self, number: int) -> Any:
        result = self.combiner.create_accumulator()
        result.total_regression_error, result.total_example_weights = self._sum(number)
        return result


class _CorrelationAdder(_SumAdder):
    WIDTH = 6

    def _numbers(self, batch: Measured) -> list[np.ndarray]:
        weights = self._weights(batch)
        labels, predictions = _one_each(batch)
        return [
            weights * labels,
            weights * predictions,
            weights * labels**2,
            weights * predictions**2,
            weights * labels * predictions,
            weights,
        ]

    def accumulator(self, number: int) -> Any:
        result = self.combiner.create_accumulator()
        (
            result.total_weighted_labels,
            result.total_weighted_predictions,
            result.total_weighted_squared_labels,
            result.total_weighted_squared_predictions,
            result.total_weighted_labels_times_predictions,
            result.total_weighted_examples,
        ) = self._sum(number)
        return result


@dataclasses.dataclass(frozen=True)
class _Binary:
    """Labels (0 or 1), predictions and weights of a batch by slice; float64 [entries]."""

    labels: np.ndarray
    predictions: np.ndarray
    weights: np.ndarray
    slices: np.ndarray


class _BinaryAdder(_Adder):
    """What looks at one label against the others: of two, of one class, or of all classes."""

    def _binary(self, batch: Measured, pairs: Pairs) -> _Binary:
        key = self.combiner._key
        labels, predictions = _of_classes(batch, key.sub_key)
        width = predictions.shape[1]
        weights = np.repeat(self._weights(batch)[:, np.newaxis], width, axis=1)
        if self.combiner._class_weights:
            factors = self.combiner._class_weights
            weights = weights * [factors.get(number, 0.0) for number in range(width)]
        if not ((labels >= 0) & (labels <= 1)).all():
            raise LeftToTfmaError("a label is not within [0, 1]")
        if np.isnan(predictions).any():
            raise LeftToTfmaError("a prediction is not a number")
        labels, predictions, weights = (
            each[pairs.rows].ravel() for each in (labels, predictions, weights)
        )
        slices = np.repeat(pairs.slices, width)
        # A label of 0.3 is a positive of weight 0.3 and a negative of 0.7, as TFMA has it.
        count = len(labels)
        both = _Binary(
            np.concatenate([np.zeros(count), np.ones(count)]),
            np.concatenate([predictions, predictions]).astype(np.float64),
            np.concatenate([weights * (1 - labels), weights * labels]),
            np.concatenate([slices, slices]),
        )
        kept = both.weights != 0
        return _Binary(*(getattr(both, field.name)[kept] for field in dataclasses.fields(both)))


class _HistogramAdder(_BinaryAdder):
    """Histograms over predictions: sums for each slice and bucket that is not empty."""

    def __init__(self, combiner: Any):
        super().__init__(combiner)
        self._width = combiner._num_buckets + 2
        self._pending = [(np.zeros(0, np.int64), np.zeros((3, 0)))]
        self._buckets: tuple[np.ndarray, np.ndarray] | None = None

    def add(self, batch: Measured, pairs: Pairs) -> None:
        entries = self._binary(batch, pairs)
        count = self.combiner._num_buckets
        scaled = (entries.predictions - self.combiner._left) / self.combiner._range * count + 1
        buckets = np.where(scaled < 0, 0, np.minimum(scaled, count + 1)).astype(np.int64)
        sums = np.stack(
            [
                entries.labels * entries.weights,
                entries.predictions * entries.weights,
                entries.weights,
            ]
        )
        self._pending.append(_merge(entries.slices * self._width + buckets, sums))
        if sum(len(keys) for keys, _ in self._pending[1:]) > _MANY_BUCKETS:
            self._settle()

    def _settle(self) -> tuple[np.ndarray, np.ndarray]:
        if len(self._pending) > 1:
            keys, sums = zip(*self._pending, strict=True)
            self._pending = [_merge(np.concatenate(keys), np.concatenate(sums, axis=1))]
        return self._pending[0]

    def accumulator(self, number: int) -> dict[int, calibration_histogram.Bucket]:
        keys, sums = self._settle()
        first, last = np.searchsorted(keys, [number * self._width, (number + 1) * self._width])
        ids = (keys[first:last] - number * self._width).tolist()
        return {
            bucket: calibration_histogram.Bucket(bucket, *three)
            for bucket, three in zip(ids, sums[:, first:last].T.tolist(), strict=True)
        }


def _merge(keys: np.ndarray, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Adds up what has the same key; sorted by key."""
    distinct, places = np.unique(keys, return_inverse=True)
    return distinct, np.stack([np.bincount(places, row, len(distinct)) for row in sums])


class _ConfusionAdder(_BinaryAdder):
    """Confusion matrices at given thresholds."""

    def __init__(self, combiner: Any):
        super().__init__(combiner)
        self._thresholds = combiner._binary_confusion_matrices._thresholds
        self._sums = np.zeros((4 * len(self._thresholds), 0))

    def add(self, batch: Measured, pairs: Pairs) -> None:
        entries = self._binary(batch, pairs)
        count = max(self._sums.shape[1], int(pairs.slices.max(initial=-1)) + 1)
        sums = np.zeros((len(self._sums), count))
        sums[:, : self._sums.shape[1]] = self._sums
        positive = entries.labels == 1
        for place, threshold in enumerate(self._thresholds):
            above = entries.predictions > threshold
            cases = (positive & above, ~positive & ~above, ~positive & above, positive & ~above)
            for case, chosen in enumerate(cases):
                sums[4 * place + case] += np.bincount(
                    entries.slices[chosen], entries.weights[chosen], count
                )
        self._sums = sums

    def accumulator(self, number: int) -> matrix_aggregates.MatrixAccumulator:
        sums = self._sums[:, number].tolist()
        return {
            threshold: matrix_aggregates._ThresholdEntry(
                matrix_aggregates.Matrix(*sums[4 * place : 4 * place + 4]), [], [], [], []
            )
            for place, threshold in enumerate(self._thresholds)
        }


class _KerasAdder(_Adder):
    """Metrics of Keras: each slice's examples are collected and given to them in large batches."""

    def __init__(self, combiner: Any):
        super().__init__(combiner)
        self._pending: dict[int, list[tuple[np.ndarray, ...]]] = {}
        self._numbers = 0
        self._accumulators: dict[int, Any] = {}

    def add(self, batch: Measured, pairs: Pairs) -> None:
        weights = self._weights(batch).astype(np.float32)[:, np.newaxis]
        for number, chosen in _rows_by_slice(pairs):
            examples = (batch.labels[chosen], batch.predictions[chosen], weights[chosen])
            self._pending.setdefault(number, []).append(examples)
            self._numbers += sum(each.size for each in examples)
        if self._numbers > _MANY_NUMBERS:
            self._settle()

    def _settle(self) -> None:
        (metrics,) = self.combiner._metrics.values()
        for number, parts in self._pending.items():
            inputs = [np.concatenate(each) for each in zip(*parts, strict=True)]
            if number not in self._accumulators:
                self._accumulators[number] = self.combiner.create_accumulator()
            for place, metric in enumerate(metrics):
                metric.reset_state()
                metric.update_state(*inputs)
                self._accumulators[number].add_weights(0, place, metric.get_weights())
        self._pending, self._numbers = {}, 0

    def accumulator(self, number: int) -> Any:
        self._settle()
        return self._accumulators[number]


class _OwnAdder(_Adder):
    """Metrics of the user: each slice's examples are collected."""

    def __init__(self, combiner: Any):
        super().__init__(combiner)
        self._accumulators: dict[int, Examples] = {}

    def add(self, batch: Measured, pairs: Pairs) -> None:
        weights = self._weights(batch)
        for number, rows in _rows_by_slice(pairs):
            found = self._accumulators.setdefault(number, self.combiner.create_accumulator())
            found.add(batch.labels[rows, 0], batch.predictions[rows], weights[rows])

    def accumulator(self, number: int) -> Examples:
        return self._accumulators[number]


def _rows_by_slice(pairs: Pairs) -> Iterator[tuple[int, np.ndarray]]:
    """Numbers of slices, each with the positions of its examples."""
    order = np.argsort(pairs.slices, kind="stable")
    slices, rows = pairs.slices[order], pairs.rows[order]
    found, starts = np.unique(slices, return_index=True)
    yield from zip(found.tolist(), np.split(rows, starts[1:]), strict=True)


_ADDERS = {
    OwnCombiner: _OwnAdder,
    calibration_histogram._CalibrationHistogramCombiner: _HistogramAdder,
    binary_confusion_matrices._BinaryConfusionMatrixCombiner: _ConfusionAdder,
    calibration._WeightedLabelsPredictionsExamplesCombiner: _CalibrationAdder,
    example_count._ExampleCountCombiner: _CountAdder,
    mean_regression_error._MeanAbsoluteErrorCombiner: _AbsoluteErrorAdder,
    squared_pearson_correlation._SquaredPearsonCorrelationCombiner: _CorrelationAdder,
    tf_metric_wrapper._CompilableMetricsCombiner: _KerasAdder,
}


def make_adder(computation: metric_types.MetricComputation) -> _Adder:
    """Makes the adder of one of TFMA's computations.

    Raises:
        LeftToTfmaError: This module does not know the computation.
    """
    combiner = computation.combiner
    adder = _ADDERS.get(type(combiner))
    names = [key.name for key in computation.keys]
    if adder is None:
        raise LeftToTfmaError(f"{names[0]} is computed by {type(combiner).__name__}")
    preprocessors = computation.preprocessors or []
    if any(type(p) is not metric_types.StandardMetricInputsPreprocessor for p in preprocessors):
        raise LeftToTfmaError(f"{names[0]} has a preprocessor")
    for key in computation.keys:
        _check_key(key, adder)
    for attribute, usual in _USUAL.get(type(combiner), {}).items():
        if getattr(combiner, attribute) != usual:
            raise LeftToTfmaError(f"{names[0]} has {attribute}")
    return adder(combiner)


_USUAL: Mapping[type, Mapping[str, Any]] = {
    calibration_histogram._CalibrationHistogramCombiner: {
        "_fractional_labels": True,
        "_prediction_based_bucketing": True,
    },
    binary_confusion_matrices._BinaryConfusionMatrixCombiner: {
        "_enable_fractional_labels": True,
        "_example_id_key": None,
    },
    calibration._WeightedLabelsPredictionsExamplesCombiner: {"_class_weights": None},
    mean_regression_error._MeanAbsoluteErrorCombiner: {"_class_weights": None},
    squared_pearson_correlation._SquaredPearsonCorrelationCombiner: {"_class_weights": None},
    tf_metric_wrapper._CompilableMetricsCombiner: {
        "_class_weights": None,
        "_sub_key": None,
        "_output_names": [""],
        "_aggregation_type": None,
    },
}


def model_of(computation: metric_types.MetricComputation) -> str:
    """The name of the model that is measured; empty if there is one only."""
    return computation.keys[0].model_name


def _check_key(key: metric_types.MetricKey, adder: type[_Adder]) -> None:
    sub_key = key.sub_key
    is_class = sub_key is not None and sub_key.class_id is not None
    plain = sub_key is None or (is_class and sub_key.k is None and sub_key.top_k is None)
    if key.output_name or not plain or (is_class and not issubclass(adder, _BinaryAdder)):
        raise LeftToTfmaError(f"{key.name} is of one output, class or rank: {key}")


def _one_each(batch: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Label and prediction of each example as float64 [batch]."""
    if batch.predictions.shape[1] != 1:
        raise LeftToTfmaError("a metric of one number gets several predictions")
    return batch.labels[:, 0].astype(np.float64), batch.predictions[:, 0].astype(np.float64)


def _of_classes(
    batch: Measured, sub_key: metric_types.SubKey | None
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions of one class, or of each; both [batch, 1] or [batch, classes]."""
    labels, predictions = batch.labels, batch.predictions
    classes = predictions.shape[1]
    if classes == 1:
        if sub_key is not None:
            raise LeftToTfmaError("a class is asked for where there is one prediction")
        return labels, predictions
    ids = labels.astype(np.int64)
    if not ((ids == labels) & (ids >= -1) & (ids < classes)).all():
        raise LeftToTfmaError("a label is not the number of a class")
    if sub_key is None:
        return (ids == np.arange(classes)).astype(np.float64), predictions
    if sub_key.class_id >= classes:
        raise LeftToTfmaError(f"there is no class {sub_key.class_id}")
    place = sub_key.class_id
    return (ids == place).astype(np.int64), predictions[:, place : place + 1]
