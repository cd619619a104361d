"""The metrics, one row each: what TFMA calls them, which value is better, which tasks have them.

A new metric is a new row; settings, EvalConfig, verdict and report all read this table. Called by
pipeline.settings.evaluation, pipeline.evaluation.eval_config and pipeline.evaluation.verdict.
Imports no TFMA.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

MORE, LESS, NEAREST = "more", "less", "nearest"
MACRO, MICRO = "macro", "micro"
_MULTICLASS, _REGRESSION = ("multiclass",), ("regression",)

# What a slice must hold for a metric to be defined there, and more than noise.
EXAMPLES, POSITIVES, BOTH_LABELS = "examples", "positives", "both labels"


@dataclasses.dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: In settings, reports and the store.
        class_name: TFMA's class; several of our metrics may share one. A metric whose class depends
            on the task has a row for each, equal in all else.
        better: `MORE`, `LESS` or `NEAREST` (to `ideal`) is better; None if no value is: a count.
        tasks: Values of `task` in the settings that have it. The first metric of a task in this
            table is its main one, by which slices are ranked.
        low: Lowest possible value; None: no limit.
        high: Highest possible value; None: no limit.
        ideal: The value that is right, where `better` is `NEAREST`.
        needs: `EXAMPLES`, or what of them it takes: positives, or both labels. Where there are too
            few, the metric is not judged.
        config: Arguments of the TFMA class, beside the name.
        average: `MACRO` or `MICRO` if the class knows two labels, and several are averaged: each
            class against the others, then their mean; or all such pairs in one pot.
        is_judged: Whether the metric can have a threshold.
    """

    name: str
    class_name: str
    better: str | None
    tasks: tuple[str, ...] = ("binary",)
    low: float | None = None
    high: float | None = None
    ideal: float | None = None
    needs: str = EXAMPLES
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    average: str | None = None
    is_judged: bool = True

    def badness(self, value: float) -> float:
        """Sort key of a value: the best value has the lowest key."""
        if self.better == NEAREST:
            return abs(value - (self.ideal or 0.0))
        return -value if self.better == MORE else value


# Source of the classes: tfma.metrics.
METRICS = (
    Metric("auc", "AUC", MORE, low=0, high=1, needs=BOTH_LABELS),
    Metric("pr_auc", "AUCPrecisionRecall", MORE, low=0, high=1, needs=BOTH_LABELS),
    Metric("accuracy", "BinaryAccuracy", MORE, low=0, high=1),
    # The share of examples whose likeliest class is theirs.
    Metric("accuracy", "SparseCategoricalAccuracy", MORE, _MULTICLASS, low=0, high=1),
    # Mean of -log(probability of the right class), natural logarithm.
    Metric("log_loss", "SparseCategoricalCrossentropy", LESS, _MULTICLASS, low=0),
    Metric("macro_auc", "AUC", MORE, _MULTICLASS, low=0, high=1, average=MACRO),
    Metric("micro_auc", "AUC", MORE, _MULTICLASS, low=0, high=1, average=MICRO),
    # Of each class the share that gets more than half of the probability: balanced accuracy.
    Metric("macro_recall", "Recall", MORE, _MULTICLASS, low=0, high=1, average=MACRO),
    # Errors in the unit of the label.
    Metric("rmse", "RootMeanSquaredError", LESS, _REGRESSION, low=0),
    Metric("mae", "MeanAbsoluteError", LESS, _REGRESSION, low=0),
    # Squared correlation of label and prediction: blind to a constant factor, unlike calibration.
    Metric("r2", "SquaredPearsonCorrelation", MORE, _REGRESSION, low=0, high=1),
    # Mean prediction / mean label.
    Metric(
        "calibration",
        "Calibration",
        NEAREST,
        ("binary", "regression"),
        ideal=1,
        needs=POSITIVES,
    ),
    Metric("example_count", "ExampleCount", None, ("binary", "multiclass", "regression")),
    # Share of positives: how many examples of each label a slice has. Of amounts, their mean.
    Metric("label_mean", "MeanLabel", None, ("binary", "regression"), is_judged=False),
    Metric("prediction_mean", "MeanPrediction", None, _REGRESSION, is_judged=False),
)
BY_NAME = {metric.name: metric for metric in METRICS}


def metric_named(name: str) -> Metric:
    """The metric of a name; one that is not in the table is the user's own (`code.metrics`)."""
    return BY_NAME.get(name) or Metric(name, "", None, tasks=())


def metrics_of_task(task: str) -> list[Metric]:
    """The metrics of a task, the main one first."""
    return [metric for metric in METRICS if task in metric.tasks]


def main_metric(task: str) -> Metric:
    """The metric by which slices of a task are ranked."""
    return metrics_of_task(task)[0]
