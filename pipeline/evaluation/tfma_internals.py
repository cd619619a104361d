"""The private names of TFMA that are used or replaced here, and a check that they are as expected.

TFMA has no public way to measure whole batches, so some of its own functions are called by private
names. A release may rename them or change their arguments. The callers look for a difference before
anything is replaced or bypassed, and leave the work to TFMA where there is one.

Used by the Evaluator and by `pipeline.evaluation.numpy_confusion_matrices`.
"""

import importlib
import inspect
from collections.abc import Mapping

from pipeline.tested_versions import untested

_ROOT = "tensorflow_model_analysis."
_HISTOGRAM = "metrics.calibration_histogram:"
_MATRICES = "metrics.binary_confusion_matrices:"
_EVALUATOR = "evaluators.metrics_plots_and_validations_evaluator:"

# `module:name` -> the names of the parameters; of a class those of its constructor.
CONFUSION_MATRICES = {
    _HISTOGRAM + "rebin": ("thresholds", "histogram", "num_buckets", "left", "right"),
    _HISTOGRAM + "Bucket": (
        "bucket_id",
        "weighted_labels",
        "weighted_predictions",
        "weighted_examples",
    ),
    _MATRICES + "_histogram_to_binary_confusion_matrices": ("thresholds", "histogram"),
    _MATRICES + "Matrices": ("thresholds", "tp", "tn", "fp", "fn"),
}

_COMBINER = ("key", "eval_config", "aggregation_type", "class_weights", "example_weighted")
BATCH_METRICS = {
    _HISTOGRAM + "Bucket": CONFUSION_MATRICES[_HISTOGRAM + "Bucket"],
    _HISTOGRAM + "_CalibrationHistogramCombiner": (
        *_COMBINER,
        "num_buckets",
        "left",
        "right",
        "prediction_based_bucketing",
        "fractional_labels",
    ),
    _MATRICES + "_BinaryConfusionMatrixCombiner": (
        "key",
        "eval_config",
        "thresholds",
        "extract_label_prediction_and_weight",
        "example_id_key",
        "example_ids_count",
        "aggregation_type",
        "class_weights",
        "example_weighted",
        "enable_fractional_labels",
    ),
    "contrib.aggregates.binary_confusion_matrices:_ThresholdEntry": (
        "matrix",
        "tp_examples",
        "tn_examples",
        "fp_examples",
        "fn_examples",
    ),
    "contrib.aggregates.binary_confusion_matrices:Matrix": ("tp", "tn", "fp", "fn"),
    "metrics.calibration:_WeightedLabelsPredictionsExamplesCombiner": _COMBINER,
    "metrics.example_count:_ExampleCountCombiner": (
        "model_name",
        "output_name",
        "keys",
        "example_weighted",
    ),
    "metrics.squared_pearson_correlation:_SquaredPearsonCorrelationCombiner": _COMBINER,
    "metrics.mean_regression_error:_MeanAbsoluteErrorCombiner": (
        "eval_config",
        "model_name",
        "output_name",
        "metric_key",
        "aggregation_type",
        "class_weights",
        "example_weighted",
    ),
    "metrics.tf_metric_wrapper:_CompilableMetricsCombiner": (
        "metric_configs",
        "loss_configs",
        "custom_objects",
        "eval_config",
        "model_name",
        "sub_key",
        "aggregation_type",
        "class_weights",
        "example_weighted",
        "desired_batch_size",
    ),
    "metrics.tf_metric_accumulators:TFMetricsAccumulator.add_weights": (
        "self",
        "output_index",
        "metric_index",
        "weights",
    ),
}
BATCH_EVALUATION = {
    _EVALUATOR + "_filter_and_separate_computations": ("computations",),
    _EVALUATOR + "_is_private_metrics": ("metric_key",),
    _EVALUATOR + "_is_metric_diffable": ("metric_value",),
    _EVALUATOR + "_filter_by_key_type": ("sliced_metrics_plots_attributions", "key_type"),
    "evaluators.metrics_validator:validate_metrics": ("sliced_metrics", "eval_config"),
    "metrics.metric_specs:to_computations": ("metrics_specs", "eval_config", "schema"),
    "slicer.slicer_lib:get_slices_for_features_dicts": (
        "features_dicts",
        "default_features_dict",
        "slice_spec",
    ),
    "writers.eval_config_writer:_serialize_eval_run": (
        "eval_config",
        "data_location",
        "file_format",
        "model_locations",
    ),
    "writers.metrics_plots_and_validations_writer:CombineValidations": (
        "eval_config",
        "rubber_stamp",
    ),
    "writers.metrics_plots_and_validations_writer:convert_slice_metrics_to_proto": (
        "metrics",
        "add_metrics_callbacks",
    ),
    "writers.metrics_plots_and_validations_writer:convert_slice_plots_to_proto": (
        "plots",
        "add_metrics_callbacks",
    ),
    "writers.metrics_plots_and_validations_writer:convert_slice_attributions_to_proto": (
        "attributions",
    ),
}


class LeftToTfmaError(Exception):
    """Something is not measured in batches here; TFMA's own way is taken, and the log says why."""


def first_difference(expected: Mapping[str, tuple[str, ...]]) -> str | None:
    """Compares version, names and parameters of the installed TFMA with what is expected.

    Args:
        expected: One of the tables above.

    Returns:
        One sentence about the first difference; None without a difference.
    """
    if said := untested(_ROOT):
        return said
    for name, parameters in expected.items():
        module, _, path = name.partition(":")
        try:
            found = importlib.import_module(_ROOT + module)
            for part in path.split("."):
                found = getattr(found, part)
            actual = tuple(inspect.signature(found).parameters)
        except (ImportError, AttributeError, TypeError, ValueError):
            return f"TFMA has no {module}.{path}"
        if actual != parameters:
            return (
                f"TFMA's {module}.{path} takes ({', '.join(actual)}); "
                f"expected ({', '.join(parameters)})"
            )
    return None


def check_all() -> None:
    """Checks all tables.

    Raises:
        LeftToTfmaError: TFMA is not as expected.
    """
    for table in (CONFUSION_MATRICES, BATCH_METRICS, BATCH_EVALUATION):
        if difference := first_difference(table):
            raise LeftToTfmaError(difference)
