"""tfma.EvalConfig of several classes and of a number; binary is in test_evaluation."""

import json

import pytest
from tensorflow_model_analysis.proto import config_pb2

from pipeline.evaluation.eval_config import build_eval_config
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH


def config_of(name, *overrides):
    return build_eval_config(load_settings(DEFAULT_PATH.with_name(f"{name}.yaml"), overrides))


def metrics_of(spec):
    return {json.loads(m.config)["name"]: m for m in spec.metrics}


@pytest.mark.parametrize(
    ("overrides", "weight"),
    [([], "payment_type_weight_xf"), (["label.other=error"], "")],
)
def test_several_classes(overrides, weight):
    config = config_of("taxi_payment", *overrides)
    [model] = config.model_specs
    assert model.label_key == "payment_type_xf"
    assert model.prediction_key == "probabilities"  # and not class
    assert model.example_weight_key == weight
    plain, macro, micro = config.metrics_specs
    assert set(metrics_of(plain)) == {"accuracy", "log_loss", "example_count"}
    assert set(metrics_of(macro)) == {"macro_auc", "macro_recall"}
    assert dict(macro.aggregate.class_weights) == {0: 1, 1: 1, 2: 1}
    assert macro.aggregate.macro_average
    assert set(metrics_of(micro)) == {"micro_auc"}
    assert micro.aggregate.micro_average


def test_the_class_of_everything_else_weighs_as_the_others():
    macro = config_of("taxi_payment", "label.other=class").metrics_specs[1]
    assert dict(macro.aggregate.class_weights) == {0: 1, 1: 1, 2: 1, 3: 1}


def test_a_number():
    config = config_of("taxi_fare")
    [model], [spec] = config.model_specs, config.metrics_specs
    assert (model.label_key, model.prediction_key, model.example_weight_key) == ("fare_xf", "", "")
    assert not spec.HasField("aggregate")
    assert {"rmse", "mae", "r2", "calibration"} < set(metrics_of(spec))


@pytest.mark.parametrize(
    ("name", "metric", "ceiling", "change"),
    [("taxi_payment", "log_loss", 0.65, 0.01), ("taxi_fare", "mae", 3.0, 0.2)],
)
def test_of_an_error_less_is_better(name, metric, ceiling, change):
    overrides = [f"evaluation.thresholds.{metric}={{at_most: {ceiling}, "
                 f"at_most_above_baseline: {change}}}"]  # fmt: skip
    spec = config_of(name, *overrides).metrics_specs[0]
    [overall] = metrics_of(spec)[metric].per_slice_thresholds
    threshold = overall.threshold
    assert threshold.value_threshold.upper_bound.value == ceiling
    assert not threshold.value_threshold.HasField("lower_bound")
    assert threshold.change_threshold.absolute.value == change
    assert threshold.change_threshold.direction == config_pb2.MetricDirection.LOWER_IS_BETTER
