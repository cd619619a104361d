"""Settings become the right EvalConfig, and TFMA's own results are read back as they are meant.

Results are computed and written by TFMA, over predictions that stand here; expected values are
worked out by hand.
"""

import math

import apache_beam as beam
import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tensorflow_model_analysis.evaluators import metrics_plots_and_validations_evaluator
from tensorflow_model_analysis.extractors import slice_key_extractor
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer

from pipeline.evaluation.eval_config import (
    SliceMetrics,
    _missed_bound,
    build_eval_config,
    read_metrics,
    read_refusals,
)
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH
from runners.beam.engine import run_beam_in_process

# Label, prediction of the candidate, of the baseline, hour, payment.
FIVE_TRIPS = [
    (1, 0.9, 0.6, 7, b"Cash"),
    (0, 0.2, 0.3, 7, b"Cash"),
    (1, 0.4, 0.8, 7, "Carte à puce".encode()),
    (0, 0.6, 0.1, 7, "Carte à puce".encode()),
    (0, 0.3, 0.3, 8, b"Cash"),
]


def settings(thresholds, slices="[]"):
    return load_settings(
        DEFAULT_PATH, [f"evaluation={{thresholds: {thresholds}, slices: {slices}}}"]
    )


def evaluate(folder, configured, rows, with_baseline):
    """Lets TFMA compute, compare and write, as the Evaluator does with the same configuration."""
    config = build_eval_config(configured)
    del config.model_specs[:]  # the predictions are here already
    config.model_specs.add(name="candidate" if with_baseline else "", label_key="label")
    if with_baseline:
        config.model_specs.add(name="baseline", label_key="label", is_baseline=True)
    config = tfma.utils.update_eval_config_with_defaults(
        config, has_baseline=with_baseline, rubber_stamp=not with_baseline
    )
    extracts = []
    for label, candidate, baseline, hour, payment in rows:
        predictions = np.array([candidate], np.float32)
        if with_baseline:
            predictions = {"candidate": predictions, "baseline": np.array([baseline], np.float32)}
        extracts.append(
            {
                "features": {"hour": np.array([hour]), "payment": np.array([payment])},
                "labels": np.array([label], np.float32),
                "predictions": predictions,
            }
        )
    run_beam_in_process()
    kinds = ("metrics", "validations", "plots", "attributions")
    evaluator = metrics_plots_and_validations_evaluator.MetricsPlotsAndValidationsEvaluator(config)
    writer = metrics_plots_and_validations_writer.MetricsPlotsAndValidationsWriter(
        output_paths={kind: str(folder / kind) for kind in kinds}, eval_config=config
    )
    with beam.Pipeline() as runner:
        _ = (
            runner
            | beam.Create(extracts)
            | tfma.ExtractAndEvaluate(
                extractors=[slice_key_extractor.SliceKeyExtractor(eval_config=config)],
                evaluators=[evaluator],
            )
            | tfma.WriteResults(writers=[writer])
        )
    return str(folder)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """An evaluation with a better baseline in the same files."""
    thresholds = (
        "{auc: {at_least: 0.8, at_most_below_baseline: 0.01},"
        " calibration: {at_least: 0.9, at_most: 1.1}, accuracy: {at_least: 0.75}}"
    )
    configured = settings(thresholds, "[[hour], [payment, hour]]")
    return evaluate(tmp_path_factory.mktemp("compared"), configured, FIVE_TRIPS, True)


@pytest.fixture(scope="module")
def without_positive(tmp_path_factory):
    """An evaluation of a first model, over two trips that were not tipped."""
    thresholds = "{auc: {at_least: 0, at_most_below_baseline: 0.01}, calibration: {at_most: 9}}"
    rows = [row for row in FIVE_TRIPS if row[0] == 0][:2]
    return evaluate(tmp_path_factory.mktemp("negative"), settings(thresholds), rows, False)


# To TFMA.


def test_the_whole_configuration():
    configured = settings(
        "{auc: {at_least: 0.9, at_most_below_baseline: 0.005}, calibration: {at_most: 1.5}}",
        "[[trip_start_hour], [company, payment_type]]",
    )
    assert build_eval_config(configured) == text_format.Parse(
        """
        model_specs {
          signature_name: "serving_default"
          label_key: "tips_xf"
          preprocessing_function_names: "transform_features"
        }
        slicing_specs {}
        slicing_specs { feature_keys: "trip_start_hour" }
        slicing_specs { feature_keys: "company" feature_keys: "payment_type" }
        metrics_specs {
          metrics {
            class_name: "AUC"
            config: '{"name": "auc"}'
            per_slice_thresholds {
              slicing_specs {}
              threshold {
                value_threshold { lower_bound { value: 0.9 } }
                change_threshold {
                  absolute { value: -0.005 }
                  direction: HIGHER_IS_BETTER
                }
              }
            }
          }
          metrics { class_name: "AUCPrecisionRecall" config: '{"name": "pr_auc"}' }
          metrics { class_name: "BinaryAccuracy" config: '{"name": "accuracy"}' }
          metrics {
            class_name: "Calibration"
            config: '{"name": "calibration"}'
            per_slice_thresholds {
              slicing_specs {}
              threshold { value_threshold { upper_bound { value: 1.5 } } }
            }
          }
          metrics { class_name: "ExampleCount" config: '{"name": "example_count"}' }
          metrics { class_name: "MeanLabel" config: '{"name": "label_mean"}' }
        }
        """,
        config_pb2.EvalConfig(),
    )


def test_thresholds_of_the_default_settings_hold_overall_and_nowhere_else():
    [metrics] = build_eval_config(load_settings()).metrics_specs
    guarded = {m.class_name: m for m in metrics.metrics if m.per_slice_thresholds}
    assert set(guarded) == {"AUC"}
    assert not guarded["AUC"].HasField("threshold")
    [overall] = guarded["AUC"].per_slice_thresholds
    assert list(overall.slicing_specs) == [config_pb2.SlicingSpec()]
    assert overall.threshold.value_threshold.lower_bound.value == 0.94
    assert overall.threshold.change_threshold.absolute.value == -0.005


def test_the_label_is_the_one_that_transform_makes():
    changed = load_settings(DEFAULT_PATH, ["label.column=surge"])
    assert build_eval_config(changed).model_specs[0].label_key == "surge_xf"


def test_a_bound_of_zero_is_a_bound():
    configured = settings("{auc: {at_least: 0, at_most_below_baseline: 0}}")
    [overall] = build_eval_config(configured).metrics_specs[0].metrics[0].per_slice_thresholds
    assert overall.threshold.value_threshold.HasField("lower_bound")
    assert overall.threshold.change_threshold.HasField("absolute")
    assert not overall.threshold.value_threshold.HasField("upper_bound")


# From TFMA.


def test_the_candidates_metrics_overall_first_then_by_name(compared):
    slices = read_metrics(compared)
    assert [s.name for s in slices] == [
        "overall",
        "hour=7",
        "hour=7, payment=Carte à puce",
        "hour=7, payment=Cash",
        "hour=8",
        "hour=8, payment=Cash",
    ]
    assert set(slices[0].metrics) == {
        "auc",
        "pr_auc",
        "accuracy",
        "calibration",
        "example_count",
        "label_mean",
    }
    # Of the six pairs of a tipped and an untipped trip the candidate ranks five rightly (0.4 < 0.6
    # is wrong); it is right at 0.5 about three trips of five; 2.4 / 5 against 2 / 5 tipped.
    expected = {"auc": 5 / 6, "accuracy": 3 / 5, "calibration": 1.2, "example_count": 5.0}
    expected["label_mean"] = 2 / 5
    overall = {name: slices[0].metrics[name] for name in expected}
    assert overall == pytest.approx(expected, abs=1e-6)
    # The baseline in the same file ranks all of them rightly.
    assert slices[1].metrics["auc"] == pytest.approx(3 / 4)
    assert slices[1].metrics["example_count"] == 4.0


def test_an_undefined_metric_is_nan(compared):
    hour_8 = next(s for s in read_metrics(compared) if s.name == "hour=8")
    assert math.isnan(hour_8.metrics["calibration"])  # nobody tipped at 8
    assert hour_8.metrics["accuracy"] == 1.0


def test_each_missed_bound_is_one_sentence(compared):
    assert sorted(read_refusals(compared)) == [
        "accuracy is 0.6000 on overall; expected at least 0.75",
        "calibration is 1.2000 on overall; expected at least 0.9 and at most 1.1",
        "change of auc against the baseline is -0.1667 on overall; expected at least -0.01",
    ]


def test_a_first_model_is_judged_without_a_baseline(without_positive):
    [overall] = read_metrics(without_positive)
    assert isinstance(overall, SliceMetrics)
    assert (overall.name, overall.metrics["example_count"]) == ("overall", 2.0)
    assert overall.metrics["accuracy"] == 0.5  # 0.2 is right, 0.6 is not


def test_an_undefined_metric_misses_its_threshold(without_positive):
    assert read_refusals(without_positive) == ["calibration is nan on overall; expected at most 9"]


@pytest.mark.parametrize("bound", [0.99999, 0.9999999, 0.94, 1.0])
def test_a_bound_is_said_as_the_settings_have_it(bound):
    threshold = config_pb2.MetricThreshold(value_threshold={"lower_bound": {"value": bound}})
    said = _missed_bound(threshold, False).bound
    assert said == "expected at least " + repr(bound).removesuffix(".0")


def test_a_blessed_model_has_no_refusals(tmp_path):
    configured = settings("{auc: {at_least: 0.8, at_most_below_baseline: 0.01}}")
    swapped = [(label, b, c, hour, payment) for label, c, b, hour, payment in FIVE_TRIPS]
    assert read_refusals(evaluate(tmp_path, configured, swapped, True)) == []


def test_a_refusal_without_a_missed_bound_is_not_passed_over(tmp_path):
    configured = settings("{auc: {at_least: 0.8}}")
    evaluation = evaluate(tmp_path, configured, [], False)
    assert read_refusals(evaluation) == [
        "no metric was compared with a threshold; TFMA says why in its result"
    ]


def test_the_baselines_metrics_on_the_same_slices(compared):
    overall = read_metrics(compared)[0]
    assert overall.baseline["auc"] == pytest.approx(1, abs=1e-6)
    assert overall.baseline["accuracy"] == 1
    assert (overall.columns, overall.intervals, overall.changes) == ((), {}, {})
    assert [s.columns for s in read_metrics(compared)[1:3]] == [("hour",), ("hour", "payment")]


@pytest.mark.slow
def test_confidence_intervals_where_asked_for(tmp_path):
    configured = load_settings(
        DEFAULT_PATH,
        [
            "evaluation={thresholds: {accuracy: {at_least: 0}}, confidence_intervals: true}",
        ],
    )
    right = [(label, 0.9 * label + 0.05, 0.5, 7, b"Cash") for label in (0, 1)]
    wrong = [(label, 0.95 - 0.9 * label, 0.5, 7, b"Cash") for label in (0, 1)]
    [overall] = read_metrics(evaluate(tmp_path, configured, right * 60 + wrong * 20, True))
    low, high = overall.intervals["accuracy"]
    # 75 % of 160: a normal interval is 0.75 ± 1.96 √(0.75 × 0.25 / 160) = 0.683 to 0.817.
    assert 0.62 < low < 0.72
    assert 0.78 < high < 0.88
    # The baseline says 0.5 of everything: right about the half that was not tipped, or none.
    change = overall.metrics["accuracy"] - overall.baseline["accuracy"]
    assert overall.changes["accuracy"][0] < change < overall.changes["accuracy"][1]


def test_slices_by_buckets_are_features_of_their_own():
    buckets = "{column: trip_miles, boundaries: [1, 2.5]}"
    configured = settings("{auc: {at_least: 0}}", f"[[{buckets}], [{buckets}, company]]")
    config = build_eval_config(configured)
    assert [list(spec.feature_keys) for spec in config.slicing_specs] == [
        [],
        ["trip_miles [1, 2.5]"],
        ["trip_miles [1, 2.5]", "company"],
    ]
