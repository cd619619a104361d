"""The user's own metrics (`code.metrics`), called as TFMA needs them.

An EvalConfig names their functions by dotted paths, wherever it travels. `OwnMetric` is a metric of
TFMA that keeps the examples of a slice and calls a function with all of them. Called by TFMA and
the batch evaluation.
"""

import dataclasses
import numbers
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from pipeline.evaluation.own_slices import resolve, wrong_answer


@dataclasses.dataclass
class Examples:
    """The examples of one slice, in parts.

    Attributes:
        labels: float64 [part] each.
        predictions: float64 [part, outputs] each.
        weights: float64 [part] each.
    """

    labels: list[np.ndarray] = dataclasses.field(default_factory=list)
    predictions: list[np.ndarray] = dataclasses.field(default_factory=list)
    weights: list[np.ndarray] = dataclasses.field(default_factory=list)

    def add(self, labels: np.ndarray, predictions: np.ndarray, weights: np.ndarray) -> None:
        """Adds a part."""
        self.labels.append(labels.astype(np.float64))
        self.predictions.append(predictions.astype(np.float64))
        self.weights.append(weights.astype(np.float64))

    def measure(self, function: str) -> float:
        """Calls the function of a dotted path with all examples.

        Raises:
            UserMistake: It returns something other than a number.
        """
        predictions = np.concatenate(self.predictions)
        if predictions.shape[1] == 1:
            predictions = predictions[:, 0]
        found = resolve(function)(
            np.concatenate(self.labels), predictions, np.concatenate(self.weights)
        )
        number = found.item() if isinstance(found, np.ndarray) and found.size == 1 else found
        if not isinstance(number, numbers.Real | np.bool_):
            raise wrong_answer(
                function, number, "a number, NaN where it is undefined", "return float(…)"
            )
        return float(number)


class OwnCombiner(beam.CombineFn):
    """Collects examples and measures them with the user's function."""

    def __init__(self, key: metric_types.MetricKey, function: str, eval_config, weighted: bool):
        """Takes the metric's key, and the dotted path of its function."""
        self._key = key
        self._function = function
        self._eval_config = eval_config
        self._example_weighted = weighted

    def create_accumulator(self) -> Examples:
        """Returns no examples."""
        return Examples()

    def add_input(
        self, accumulator: Examples, element: metric_types.StandardMetricInputs
    ) -> Examples:
        """Adds one example."""
        for label, prediction, weight in metric_util.to_label_prediction_example_weight(
            element,
            eval_config=self._eval_config,
            model_name=self._key.model_name,
            output_name=self._key.output_name,
            example_weighted=self._example_weighted,
            flatten=False,
        ):
            accumulator.add(label.ravel(), prediction.reshape(1, -1), weight.ravel())
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Examples]) -> Examples:
        """Puts examples together."""
        merged = Examples()
        for each in accumulators:
            merged.labels += each.labels
            merged.predictions += each.predictions
            merged.weights += each.weights
        return merged

    def extract_output(self, accumulator: Examples) -> metric_types.MetricsDict:
        """Measures what was collected."""
        value = accumulator.measure(self._function) if accumulator.labels else float("nan")
        return {self._key: value}


class OwnMetric(metric_types.Metric):
    """A metric whose value a function of the user computes from all examples of a slice."""

    def __init__(self, function: str, name: str, **kwargs: Any):
        """Constructs the metric.

        Args:
            function: Dotted path of `function(labels, predictions, weights) -> float`, which gets
                float64 `[examples]`, `[examples]` (of several classes `[examples, classes]`) and
                `[examples]`.
            name: Name of the metric.
            **kwargs: As TFMA's metrics have them.
        """
        super().__init__(
            metric_util.merge_per_key_computations(_computations),
            function=function,
            name=name,
            **kwargs,
        )


def _computations(
    function: str,
    name: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    key = metric_types.MetricKey(
        name=name,
        model_name=model_name,
        output_name=output_name,
        example_weighted=example_weighted,
    )
    combiner = OwnCombiner(key, function, eval_config, example_weighted)
    return [metric_types.MetricComputation(keys=[key], preprocessors=None, combiner=combiner)]
