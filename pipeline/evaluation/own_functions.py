"""The user's own metrics and slices (`code.metrics`, `code.slices`), called as TFMA needs them.

An EvalConfig names their functions by dotted paths, wherever it travels. `OwnMetric` is a metric of
TFMA that keeps the examples of a slice and calls a function with all of them; `slice_of_row` calls
a function with one row. Called by TFMA, `pipeline.slice_extractor` and the batch evaluation.
"""

import dataclasses
import functools
import importlib
import inspect
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from fareline.errors import UserMistake


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
        found = _resolve(function)(
            np.concatenate(self.labels), predictions, np.concatenate(self.weights)
        )
        number = found.item() if isinstance(found, np.ndarray) and found.size == 1 else found
        if not isinstance(number, numbers.Real | np.bool_):
            raise _wrong_answer(
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


def slice_of_row(function: str, cells: Mapping[str, Sequence[Any] | None]) -> str | None:
    """The slice that a function of the user puts a row into; None: into none.

    Args:
        function: Dotted path of `function(row) -> str | None`.
        cells: Column to the values of the row. The function gets one value as it is, texts as
            `str`, several values as a list, and None for a missing one.

    Raises:
        UserMistake: The function returns something else.
    """
    found = _resolve(function)({name: _cell(values) for name, values in cells.items()})
    if found is not None and not isinstance(found, str):
        raise _wrong_answer(
            function, found, "a text, or None for a row in no slice", "return str(…)"
        )
    return found


def _cell(values: Sequence[Any] | None) -> Any:
    given = [
        value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
        for value in values or ()
    ]
    return given if len(given) > 1 else next(iter(given), None)


@functools.cache
def _resolve(path: str) -> Callable[..., Any]:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _wrong_answer(path: str, found: object, expected: str, hint: str) -> UserMistake:
    function = inspect.unwrap(_resolve(path))
    code = getattr(function, "__code__", None)
    place = f"{code.co_filename}:{code.co_firstlineno}" if code else path
    what = f"{path.rpartition('.')[2]} returned {found!r:.60}, a {type(found).__name__}"
    return UserMistake.explain(place, what, f"expected {expected}", hint)
