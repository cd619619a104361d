"""Thresholds and slices: from the settings to tfma.EvalConfig, and TFMA's verdict back in words.

Called by dag.py and by the run summary. Imports TFMA, so import it when it is needed.
"""

import dataclasses
import json
import math

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from pipeline.sections import Bounds, Settings
from preprocessing.features import parse_label

OVERALL = "overall"

# Our names of metrics -> TFMA's classes. Source: tfma.metrics.
METRIC_CLASSES = {
    "auc": "AUC",
    "pr_auc": "AUCPrecisionRecall",
    "accuracy": "BinaryAccuracy",
    "calibration": "Calibration",  # mean prediction / mean label: 1 is right
    "example_count": "ExampleCount",
    "label_mean": "MeanLabel",  # share of positives
}


def build_eval_config(settings: Settings) -> config_pb2.EvalConfig:
    """Builds the Evaluator's configuration: all metrics, overall and by slice."""
    metrics = [
        config_pb2.MetricConfig(
            class_name=class_name,
            config=json.dumps({"name": name}),
            per_slice_thresholds=_overall_only(getattr(settings.evaluation.thresholds, name, None)),
        )
        for name, class_name in METRIC_CLASSES.items()
    ]
    slices = [config_pb2.SlicingSpec()]
    slices += [config_pb2.SlicingSpec(feature_keys=keys) for keys in settings.evaluation.slices]
    label = parse_label(settings.section("label")["label"])
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                signature_name="serving_default",
                label_key=label.output,
                preprocessing_function_names=["transform_features"],
            )
        ],
        slicing_specs=slices,
        metrics_specs=[config_pb2.MetricsSpec(metrics=metrics)],
    )


def _overall_only(threshold: Bounds | None) -> list[config_pb2.PerSliceMetricThreshold]:
    """A plain `threshold` would hold on every slice, and refuse for a slice of three examples."""
    if threshold is None:
        return []
    return [
        config_pb2.PerSliceMetricThreshold(
            slicing_specs=[config_pb2.SlicingSpec()], threshold=_to_tfma(threshold)
        )
    ]


def _to_tfma(threshold: Bounds) -> config_pb2.MetricThreshold:
    result = config_pb2.MetricThreshold()
    if threshold.at_least is not None:
        result.value_threshold.lower_bound.value = threshold.at_least
    if threshold.at_most is not None:
        result.value_threshold.upper_bound.value = threshold.at_most
    allowed_loss = getattr(threshold, "at_most_below_baseline", None)
    if allowed_loss is not None:
        result.change_threshold.direction = config_pb2.MetricDirection.HIGHER_IS_BETTER
        result.change_threshold.absolute.value = -allowed_loss
    return result


@dataclasses.dataclass(frozen=True)
class SliceMetrics:
    """Metrics of one slice.

    Attributes:
        name: `overall`, or such as `trip_start_hour=7`.
        metrics: Our metric names to values; NaN where a metric is undefined.
    """

    name: str
    metrics: dict[str, float]


def read_metrics(evaluation_uri: str) -> list[SliceMetrics]:
    """Reads the candidate's metrics from an Evaluation artifact.

    Args:
        evaluation_uri: URI of the artifact.

    Returns:
        The overall slice first, then the others by name.
    """
    slices = []
    for record in tfma.load_metrics(evaluation_uri):
        values = {
            item.key.name: item.value.double_value.value
            for item in record.metric_keys_and_values
            if item.value.HasField("double_value")
            and item.key.name in METRIC_CLASSES
            and item.key.model_name != tfma.BASELINE_KEY
            and not item.key.is_diff
        }
        if values.get("label_mean") in (0.0, 1.0):
            # With one label there is nothing to rank; TFMA says 0, which reads as the worst.
            values |= {name: math.nan for name in ("auc", "pr_auc") if name in values}
        slices.append(SliceMetrics(_slice_name(record.slice_key), values))
    return sorted(slices, key=lambda s: (s.name != OVERALL, s.name))


def read_refusals(evaluation_uri: str) -> list[str]:
    """Reads why the Evaluator did not bless a model.

    Args:
        evaluation_uri: URI of the Evaluation artifact.

    Returns:
        One sentence per missed threshold; empty if the model was blessed.
    """
    result = tfma.load_validation_result(evaluation_uri)
    sentences = []
    for validation in result.metric_validations_per_slice:
        for failure in validation.failures:
            value = failure.metric_value.double_value.value
            where = _slice_name(validation.slice_key)
            what = _missed_bound(failure.metric_threshold, failure.metric_key.is_diff)
            name = failure.metric_key.name
            subject = f"change of {name} against the baseline" if what.diff else name
            sentences.append(f"{subject} is {value:.4f} on {where}; {what.bound}")
    if not result.validation_ok and not sentences:
        sentences.append("no metric was compared with a threshold; TFMA says why in its result")
    return sentences


@dataclasses.dataclass(frozen=True)
class _Bound:
    bound: str
    diff: bool


def _missed_bound(threshold: config_pb2.MetricThreshold, is_diff: bool) -> _Bound:
    if is_diff:
        lowest = threshold.change_threshold.absolute.value
        return _Bound(f"expected at least {lowest:+.4g}", True)
    bounds = []
    if threshold.value_threshold.HasField("lower_bound"):
        bounds.append(f"at least {threshold.value_threshold.lower_bound.value:.4g}")
    if threshold.value_threshold.HasField("upper_bound"):
        bounds.append(f"at most {threshold.value_threshold.upper_bound.value:.4g}")
    return _Bound("expected " + " and ".join(bounds), False)


def _slice_name(key: tfma.proto.metrics_for_slice_pb2.SliceKey) -> str:
    parts = []
    for single in key.single_slice_keys:
        value = getattr(single, single.WhichOneof("kind"))
        value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        parts.append(f"{single.column}={value}")
    return ", ".join(parts) or OVERALL
