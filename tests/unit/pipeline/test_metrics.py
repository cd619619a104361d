"""The table of metrics: which way is better, what range, which tasks."""

import pytest

from pipeline.rules.evaluation import find_foreign_metrics
from pipeline.settings.evaluation import Thresholds
from pipeline.settings.load import load_settings
from pipeline.settings.metrics import BY_NAME, METRICS, main_metric, metrics_of_task
from pipeline.settings.settings import DEFAULT_PATH
from preprocessing.labels import TASKS

NONE = None


@pytest.mark.parametrize(
    ("task", "rows"),
    [
        (
            "binary",
            [
                ("auc", "AUC", "more", 0, 1),
                ("pr_auc", "AUCPrecisionRecall", "more", 0, 1),
                ("accuracy", "BinaryAccuracy", "more", 0, 1),
                ("calibration", "Calibration", "nearest", NONE, NONE),
                ("example_count", "ExampleCount", NONE, NONE, NONE),
                ("label_mean", "MeanLabel", NONE, NONE, NONE),
            ],
        ),
        (
            "multiclass",
            [
                ("accuracy", "SparseCategoricalAccuracy", "more", 0, 1),
                ("log_loss", "SparseCategoricalCrossentropy", "less", 0, NONE),
                ("macro_auc", "AUC", "more", 0, 1),
                ("micro_auc", "AUC", "more", 0, 1),
                ("macro_recall", "Recall", "more", 0, 1),
                ("example_count", "ExampleCount", NONE, NONE, NONE),
            ],
        ),
        (
            "regression",
            [
                ("rmse", "RootMeanSquaredError", "less", 0, NONE),
                ("mae", "MeanAbsoluteError", "less", 0, NONE),
                ("r2", "SquaredPearsonCorrelation", "more", 0, 1),
                ("calibration", "Calibration", "nearest", NONE, NONE),
                ("example_count", "ExampleCount", NONE, NONE, NONE),
                ("label_mean", "MeanLabel", NONE, NONE, NONE),
                ("prediction_mean", "MeanPrediction", NONE, NONE, NONE),
            ],
        ),
    ],
)
def test_the_metrics_of_each_task(task, rows):
    metrics = metrics_of_task(task)
    assert [(m.name, m.class_name, m.better, m.low, m.high) for m in metrics] == rows
    assert main_metric(task).name == rows[0][0]


def test_metrics_of_one_name_are_judged_alike():
    for metric in METRICS:
        same = BY_NAME[metric.name]
        alike = ("better", "low", "high", "ideal", "needs", "is_judged", "average")
        assert [getattr(metric, a) for a in alike] == [getattr(same, a) for a in alike]
        assert set(metric.tasks) <= set(TASKS)


@pytest.mark.parametrize("metric", [m for m in METRICS if m.is_judged], ids=lambda m: m.name)
def test_the_change_against_the_baseline_is_bounded_on_the_bad_side(metric):
    # Of an error the ceiling is above the baseline; what is neither has none.
    bounds = Thresholds.model_fields[metric.name].annotation.__args__[0]
    expected = {"more": {"at_most_below_baseline"}, "less": {"at_most_above_baseline"}}
    assert set(bounds.model_fields) - {"at_least", "at_most"} == expected.get(metric.better, set())


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        (
            "thresholds={rmse: {at_most: 3}}",
            "evaluation.thresholds.rmse: no metric of task binary; expected one of auc, pr_auc, "
            "accuracy, calibration, example_count.",
        ),
    ],
)
def test_a_metric_of_another_task(setting, line):
    settings = load_settings(DEFAULT_PATH, [f"evaluation.{setting}"])
    assert list(find_foreign_metrics(settings.evaluation, "binary")) == [line]


def test_averages_over_classes_are_for_all_examples_together():
    overrides = [
        "evaluation.thresholds={macro_auc: {at_least: 0.5}}",
        "evaluation.slice_thresholds={payment_type: {macro_auc: {at_least: 0.5}}}",
    ]
    settings = load_settings(DEFAULT_PATH, overrides)
    assert list(find_foreign_metrics(settings.evaluation, "multiclass")) == [
        "evaluation.slice_thresholds.payment_type.macro_auc: no metric of slices of task "
        "multiclass; expected one of accuracy, log_loss, example_count."
    ]
