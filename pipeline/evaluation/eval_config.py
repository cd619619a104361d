"""Thresholds and slices: from the settings to tfma.EvalConfig, and TFMA's verdict back in words.

Called by dag.py, the Evaluator and the run summary. Imports TFMA, so import it when it is needed.
"""

import dataclasses
import json
import math
from typing import TYPE_CHECKING

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.writers import eval_config_writer

from pipeline.evaluation.verdict import ABOVE_BASELINE, BELOW_BASELINE, SliceMetrics
from pipeline.settings.evaluation import Bounds
from pipeline.settings.metrics import (
    BOTH_LABELS,
    BY_NAME,
    MACRO,
    MICRO,
    metric_named,
    metrics_of_task,
)
from pipeline.settings.slicing import OVERALL, parse_feature_key, slice_name
from preprocessing.labels import Classes, Label, parse_label

# The class that calls a function of `code.metrics`, as TFMA finds it.
OWN_METRIC, OWN_FUNCTIONS = "OwnMetric", "pipeline.evaluation.own_functions"

if TYPE_CHECKING:  # so that an edit of other sections judges no model again
    from pipeline.settings.settings import Settings


def build_eval_config(settings: "Settings") -> config_pb2.EvalConfig:
    """Builds the Evaluator's configuration: all metrics of the task, overall and by slice.

    TFMA's thresholds hold over all examples: on slices it would refuse for one of three examples.
    """
    slices = [config_pb2.SlicingSpec()]
    slices += [
        config_pb2.SlicingSpec(feature_keys=keys)
        for keys in settings.evaluation.feature_keys(settings.code.slices)
    ]
    label = parse_label(settings.section("label")["label"], settings.task)
    config = config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                signature_name="serving_default",
                label_key=label.output,
                example_weight_key=label.weight_output or "",
                # The one output of several that is compared with the label.
                prediction_key="probabilities" if isinstance(label, Classes) else "",
                preprocessing_function_names=["transform_features"],
            )
        ],
        slicing_specs=slices,
        metrics_specs=_metrics_specs(settings, label),
    )
    if settings.evaluation.confidence_intervals:
        config.options.compute_confidence_intervals.value = True
        # Twenty parts left out in turn: one pass, where the bootstrap takes as many as samples.
        config.options.confidence_intervals.method = config_pb2.ConfidenceIntervalOptions.JACKKNIFE
    return config


def _metrics_specs(settings: "Settings", label: Label) -> list[config_pb2.MetricsSpec]:
    """One for the metrics as they are, and one for those of each kind of average over classes."""
    specs: dict[str | None, config_pb2.MetricsSpec] = {None: config_pb2.MetricsSpec()}
    for metric in metrics_of_task(settings.task):
        spec = specs.setdefault(metric.average, config_pb2.MetricsSpec())
        spec.metrics.add(
            class_name=metric.class_name,
            config=json.dumps({"name": metric.name, **metric.config}),
            per_slice_thresholds=_overall_only(
                getattr(settings.evaluation.thresholds, metric.name, None)
            ),
        )
    for name, function in settings.code.metrics.items():
        specs[None].metrics.add(
            class_name=OWN_METRIC,
            module=OWN_FUNCTIONS,
            config=json.dumps({"name": name, "function": function}),
            per_slice_thresholds=_overall_only(getattr(settings.evaluation.thresholds, name, None)),
        )
    if MICRO in specs:
        specs[MICRO].aggregate.micro_average = True
    if MACRO in specs:
        specs[MACRO].aggregate.macro_average = True
        for number in range(len(label.names)):
            specs[MACRO].aggregate.class_weights[number] = 1.0
    return list(specs.values())


def _overall_only(threshold: Bounds | None) -> list[config_pb2.PerSliceMetricThreshold]:
    """A plain `threshold` would hold on every slice."""
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
    for name, direction, sign in (
        (BELOW_BASELINE, config_pb2.MetricDirection.HIGHER_IS_BETTER, -1),
        (ABOVE_BASELINE, config_pb2.MetricDirection.LOWER_IS_BETTER, 1),
    ):
        if getattr(threshold, name, None) is not None:
            result.change_threshold.direction = direction
            result.change_threshold.absolute.value = sign * getattr(threshold, name)
    return result


def has_computed_slices(config: config_pb2.EvalConfig) -> bool:
    """Whether anything is sliced by that is not a column as it is."""
    keys = (key for spec in config.slicing_specs for key in spec.feature_keys)
    return any(parse_feature_key(key).is_computed for key in keys)


def read_metrics(evaluation_uri: str) -> list[SliceMetrics]:
    """Reads the metrics of an Evaluation artifact.

    Args:
        evaluation_uri: URI of the artifact.

    Returns:
        The overall slice first, then the others by name.
    """
    slices = []
    known = {*BY_NAME, *_own_metrics(evaluation_uri)}
    for record in tfma.load_metrics(evaluation_uri):
        candidate, baseline, intervals, changes = {}, {}, {}, {}
        for item in record.metric_keys_and_values:
            name = item.key.name
            if name not in known or not item.value.HasField("double_value"):
                continue
            is_baseline = item.key.model_name == tfma.BASELINE_KEY
            if not item.key.is_diff:
                (baseline if is_baseline else candidate)[name] = item.value.double_value.value
            if item.HasField("confidence_interval") and not is_baseline:
                interval = item.confidence_interval
                (changes if item.key.is_diff else intervals)[name] = (
                    interval.lower_bound.double_value.value,
                    interval.upper_bound.double_value.value,
                )
        if candidate.get("label_mean") in (0.0, 1.0):
            # With one label there is nothing to rank; TFMA says 0, which reads as the worst.
            for metrics in (candidate, baseline):
                metrics |= {n: math.nan for n in metrics if metric_named(n).needs == BOTH_LABELS}
        values = _slice_values(record.slice_key)
        slices.append(
            SliceMetrics(
                slice_name(values),
                candidate,
                tuple(sorted(column for column, _ in values)),
                intervals,
                baseline,
                changes,
            )
        )
    return sorted(slices, key=lambda s: (s.name != OVERALL, s.name))


def _own_metrics(evaluation_uri: str) -> set[str]:
    """The names of the user's metrics, by the EvalConfig beside what was measured."""
    found = eval_config_writer.load_eval_run(evaluation_uri)
    specs = found[0].metrics_specs if found and found[0] else ()
    return {
        json.loads(metric.config)["name"]
        for spec in specs
        for metric in spec.metrics
        if metric.class_name == OWN_METRIC
    }


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
            where = slice_name(_slice_values(validation.slice_key))
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
        change = threshold.change_threshold
        is_less = change.direction == config_pb2.MetricDirection.LOWER_IS_BETTER
        side = "at most" if is_less else "at least"
        return _Bound(f"expected {side} {change.absolute.value:+.12g}", True)
    bounds = []
    if threshold.value_threshold.HasField("lower_bound"):
        bounds.append(f"at least {threshold.value_threshold.lower_bound.value:.12g}")
    if threshold.value_threshold.HasField("upper_bound"):
        bounds.append(f"at most {threshold.value_threshold.upper_bound.value:.12g}")
    return _Bound("expected " + " and ".join(bounds), False)


def _slice_values(key: tfma.proto.metrics_for_slice_pb2.SliceKey) -> list[tuple[str, object]]:
    """Pairs of column and value; of a computed feature the name alone, its values say the rest."""
    pairs = []
    for single in key.single_slice_keys:
        value = getattr(single, single.WhichOneof("kind"))
        value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        pairs.append((parse_feature_key(single.column).column, value))
    return pairs
