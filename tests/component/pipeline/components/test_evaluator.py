"""Evaluator's executor on a planted model that answers what each example says it should."""

import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import json_format
from tensorflow_model_analysis.evaluators import (
    metrics_plots_and_validations_evaluator as tfma_evaluator,
)
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils

from fareline.errors import UserMistake
from fareline.recorded import VERDICT
from fareline.recorded.curves import parse_curves, parse_slices
from pipeline.components import evaluator
from pipeline.components.evaluator import SLICE_EXTRACTOR, Executor
from pipeline.evaluation import batch_evaluation
from pipeline.evaluation.eval_config import build_eval_config, read_metrics
from pipeline.evaluation.tfma_internals import LeftToTfmaError
from pipeline.settings.load import DEFAULT_PATH, load_settings
from preprocessing.labels import parse_label
from runners.beam.engine import run_beam_in_process

# Probability, label, payment, miles. Cash is ranked well, card the wrong way round.
TRIPS = [
    *[(0.9, 1, b"Cash", 0.5), (0.1, 0, b"Cash", 0.9)] * 6,
    *[(0.8, 1, b"Cash", 1.0), (0.2, 0, b"Cash", 12.0)] * 6,
    *[(0.4, 1, b"Card", 3.0), (0.6, 0, b"Card", None)] * 3,
]
SETTINGS = (
    "evaluation.slices=[[payment_type], [{column: trip_miles, boundaries: [1, 10]}]]",
    "evaluation.min_slice_examples=6",
    "evaluation.min_label_examples=2",
)


class _Planted(tf.Module):
    """`serving_default` gives the feature `answer`, `transform_features` the label."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(self, examples):
        return {"probability": self._parse(examples)["answer"] * self.factor}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def transform(self, examples):
        return {"tips_xf": self._parse(examples)["label"]}

    def __init__(self, factor):
        super().__init__()
        self.factor = tf.Variable(factor)

    def _parse(self, examples):
        spec = {
            "answer": tf.io.FixedLenFeature([1], tf.float32),
            "label": tf.io.FixedLenFeature([1], tf.int64),
        }
        return tf.io.parse_example(examples, spec)


def example(answer, label, payment, miles):
    features = {
        "answer": tf.train.Feature(float_list=tf.train.FloatList(value=[answer])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        "payment_type": tf.train.Feature(bytes_list=tf.train.BytesList(value=[payment])),
    }
    if miles is not None:
        values = tf.train.FloatList(value=[miles])
        features["trip_miles"] = tf.train.Feature(float_list=values)
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Raw examples, a model and a baseline that is the same but for its calibration."""
    folder = tmp_path_factory.mktemp("planted")
    examples = standard_artifacts.Examples()
    examples.uri = str(folder / "examples")
    examples.split_names = artifact_utils.encode_split_names(["eval"])
    (folder / "examples" / "Split-eval").mkdir(parents=True)
    path = str(folder / "examples" / "Split-eval" / "data_tfrecord-00000-of-00001.gz")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for trip in TRIPS:
            writer.write(example(*trip))
    found = {"examples": [examples]}
    for key, model_id, factor in (("model", 8, 1.0), ("baseline_model", 7, 0.9)):
        model = standard_artifacts.Model()
        model.uri, model.id = str(folder / key), model_id
        planted = _Planted(factor)
        tf.saved_model.save(
            planted,
            str(folder / key / "Format-Serving"),
            signatures={
                "serving_default": planted.serve,
                "transform_features": planted.transform,
            },
        )
        found[key] = [model]
    return found


def left_to_tfma(executor, *_):
    """In place of the evaluation in batches."""
    raise LeftToTfmaError("a test asks for it")


def artifacts_of(folder):
    """What an evaluation left: files by name, metrics, validation, verdict."""
    metrics = {}
    for record in tfma.load_metrics(str(folder / "evaluation")):
        for item in record.metric_keys_and_values:
            assert item.value.WhichOneof("type") == "double_value"
            key = (str(record.slice_key), str(item.key))
            assert key not in metrics
            metrics[key] = item.value.double_value.value
    validation = tfma.load_validation_result(str(folder / "evaluation"))
    return {
        "files": sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()),
        "metrics": pytest.approx(metrics, rel=1e-9, abs=1e-12, nan_ok=True),
        "validation": rounded(json_format.MessageToDict(validation)),
        "config": json.loads((folder / "evaluation" / "eval_config.json").read_text()),
        "verdict": rounded(json.loads((folder / "blessing" / "verdict.json").read_text())),
    }


def rounded(value):
    """The same with nine digits of each number, and lists in one order."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return sorted(map(rounded, value), key=repr)
    return float(f"{value:.9g}") if isinstance(value, float) else value


def plain(found):
    """`artifacts_of` with the metrics as they are, to compare two with each other."""
    return found | {"metrics": found["metrics"].expected}


def properties_of(blessing):
    return {name: str(value) for name, value in blessing.mlmd_artifact.custom_properties.items()}


def evaluate(folder, inputs, *overrides, path=None, unserved=()):
    """Runs the executor with the taxi's settings, or with those of a file; returns the blessing."""
    run_beam_in_process()
    settings = load_settings(
        path or DEFAULT_PATH, overrides=overrides if path else [*SETTINGS, *overrides]
    )
    outputs = {}
    for key, kind in (
        ("evaluation", standard_artifacts.ModelEvaluation),
        ("blessing", standard_artifacts.ModelBlessing),
    ):
        outputs[key] = [kind()]
        outputs[key][0].uri = str(folder / key)
        os.makedirs(folder / key)
    executor = Executor(
        base_beam_executor.BaseBeamExecutor.Context(
            beam_pipeline_args=[],  # with any, and no package named, TFX packs itself each time
            tmp_dir=str(folder / "tmp"),
            unique_id="1",
        )
    )
    properties = {
        "eval_config": proto_utils.proto_to_json(build_eval_config(settings)),
        "example_splits": '["eval"]',
        "module_path": SLICE_EXTRACTOR,
        "demands": settings.evaluation.model_dump_json(exclude_none=True),
        "task": settings.task,
        "unserved_columns": json.dumps(unserved),
    }
    executor.Do(inputs, outputs, properties)
    return outputs["blessing"][0]


@pytest.mark.slow
def test_a_slice_that_only_our_checks_look_at_refuses(tmp_path, inputs):
    blessing = evaluate(
        tmp_path,
        inputs,
        "evaluation.thresholds={auc: {at_least: 0.8, at_most_below_baseline: 0}}",
        "evaluation.slice_thresholds={payment_type: {auc: {at_least: 0.5}}, "
        "trip_miles=1 to below 10: {accuracy: {at_least: 0.6}}}",
    )
    assert blessing.get_int_custom_property("blessed") == 0
    assert os.listdir(tmp_path / "blessing").count("BLESSED") == 0
    assert {"NOT_BLESSED", "verdict.json"} <= set(os.listdir(tmp_path / "blessing"))
    told = json.loads(blessing.get_string_custom_property(VERDICT))
    assert told == json.loads((tmp_path / "blessing" / "verdict.json").read_text())
    assert (told["blessed"], told["baseline_id"], told["tfma_refusals"]) == (False, 7, [])
    found = [(c["slice"], c["kind"], c["passed"], c["examples"]) for c in told["checks"]]
    assert found == [
        ("overall", "at_least", True, 30),
        ("overall", "at_most_below_baseline", True, 30),
        ("payment_type=Card", "at_least", False, 6),
        ("payment_type=Cash", "at_least", True, 24),
        # Of nine trips of 1 to 10 miles the six that were paid in cash are right.
        ("trip_miles=1 to below 10", "at_least", True, 9),
    ]
    # 12 tipped trips rank above all others; the 3 that were paid by card below 3 of them.
    assert told["checks"][0]["value"] == pytest.approx(1 - 9 / 15**2, abs=1e-3)
    assert told["checks"][1]["baseline"] == pytest.approx(1 - 9 / 15**2, abs=1e-3)
    assert told["checks"][2]["value"] == pytest.approx(0, abs=1e-3)
    assert told["checks"][4]["value"] == pytest.approx(6 / 9)
    metrics = tmp_path / "evaluation"
    assert metrics.exists()
    assert [gap["slices"] for gap in told["gaps"]] == ["payment_type"]
    assert told["worst"][0]["name"] == "payment_type=Card"


@pytest.mark.slow
def test_a_model_that_keeps_every_bound_is_blessed(tmp_path, inputs):
    first = {key: inputs[key] for key in ("examples", "model")}
    blessing = evaluate(
        tmp_path,
        first,
        "evaluation.thresholds={auc: {at_least: 0.8, at_most_below_baseline: 0}}",
        "evaluation.max_gap={auc: {payment_type: 1}}",
    )
    assert blessing.get_int_custom_property("blessed") == 1
    assert {"BLESSED", "verdict.json"} <= set(os.listdir(tmp_path / "blessing"))
    told = json.loads(blessing.get_string_custom_property(VERDICT))
    assert (told["passed"], told["baseline_id"]) == (True, None)
    assert [c["kind"] for c in told["checks"]] == ["at_least", "max_gap"]


@pytest.mark.parametrize("demands", [None, "{}", '{"thresholds": {}}'])
def test_no_threshold_is_an_error_before_anything_is_evaluated(demands):
    with pytest.raises(UserMistake, match="expected a threshold for at least one metric"):
        Executor().Do({}, {}, {"demands": demands, "task": "binary"})


THRESHOLDS = "evaluation.thresholds={auc: {at_least: 0.97, at_most_below_baseline: 0}}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["alone", "baseline", "the same as baseline"])
def test_batches_leave_what_tfma_leaves(tmp_path, inputs, monkeypatch, kind):
    given = dict(inputs)
    if kind == "alone":
        del given["baseline_model"]
    if kind == "the same as baseline":
        copy = standard_artifacts.Model()
        copy.uri, copy.id = str(tmp_path / "copy"), 7
        shutil.copytree(inputs["model"][0].uri, copy.uri)
        given["baseline_model"] = [copy]
    measured = []
    measure = batch_evaluation._Predictor.measure
    monkeypatch.setattr(
        batch_evaluation._Predictor,
        "measure",
        lambda self, *examples: measured.append(len(examples[0])) or measure(self, *examples),
    )
    ours = evaluate(tmp_path / "batches", given, THRESHOLDS)
    # Two models are measured, but one that is compared with itself only once.
    assert measured == ([30, 30] if kind == "baseline" else [30])
    monkeypatch.setattr(Executor, "_evaluate_in_batches", left_to_tfma)
    theirs = evaluate(tmp_path / "tfma", given, THRESHOLDS)
    assert plain(artifacts_of(tmp_path / "tfma")) == artifacts_of(tmp_path / "batches")
    found, expected = properties_of(ours), properties_of(theirs)
    assert found.pop(VERDICT) and expected.pop(VERDICT)  # compared above, number by number
    assert found == expected
    assert ours.get_int_custom_property("blessed") == 0


class _Leaking(_Planted):
    """Answers the label where the example has one."""

    def _parse(self, examples):
        parsed = super()._parse(examples)
        return parsed | {"answer": tf.cast(parsed["label"], tf.float32)}


class _Forgiving(_Leaking):
    """Answers 0.5 where the example has no label."""

    def _parse(self, examples):
        label = tf.io.FixedLenFeature([1], tf.int64, [-1])
        label = tf.io.parse_example(examples, {"label": label})["label"]
        answer = tf.where(label < 0, 0.5, tf.cast(label, tf.float32))
        return {"label": label, "answer": answer}


def _with_model(inputs, folder, planted):
    """The inputs with another model, and no baseline."""
    model = standard_artifacts.Model()
    model.uri, model.id = str(folder / "planted"), 9
    signatures = {"serving_default": planted.serve, "transform_features": planted.transform}
    tf.saved_model.save(planted, f"{model.uri}/Format-Serving", signatures=signatures)
    return {"examples": inputs["examples"], "model": [model]}


_GOOD_ENOUGH = "evaluation.thresholds={auc: {at_least: 0.9}}"


def _verdict(blessing):
    return json.loads(blessing.get_string_custom_property(VERDICT))


@pytest.mark.slow
def test_a_model_that_reads_the_label_is_measured_without_it(tmp_path, inputs):
    given = _with_model(inputs, tmp_path, _Forgiving(1.0))
    blessing = evaluate(tmp_path / "1", given, _GOOD_ENOUGH, unserved=["label"])
    assert blessing.get_int_custom_property("blessed") == 0
    (check,) = _verdict(blessing)["checks"]
    assert check["value"] == 0.5  # Every answer is the same.
    # What this would be if it were evaluated as it was before.
    blessing = evaluate(tmp_path / "2", given, _GOOD_ENOUGH)
    assert blessing.get_int_custom_property("blessed") == 1


@pytest.mark.slow
def test_a_model_that_needs_the_label_is_refused(tmp_path, inputs):
    given = _with_model(inputs, tmp_path, _Leaking(1.0))
    blessing = evaluate(tmp_path / "1", given, _GOOD_ENOUGH, unserved=["label"])
    assert blessing.get_int_custom_property("blessed") == 0
    assert "BLESSED" not in os.listdir(tmp_path / "1" / "blessing")
    (refusal,) = _verdict(blessing)["refusals"]
    assert refusal.startswith("without label the model gives no answer (")


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "found"), [(1.2, "1.08"), (-0.1, "-0.09"), (1e3, "100")])
def test_scores_that_are_no_probabilities_are_refused_without_a_baseline(
    tmp_path, inputs, factor, found
):
    given = _with_model(inputs, tmp_path, _Planted(factor))
    loose = "evaluation.thresholds={auc: {at_least: 0.0}}"
    blessing = evaluate(tmp_path / "1", given, loose)
    assert blessing.get_int_custom_property("blessed") == 0
    (refusal,) = _verdict(blessing)["refusals"]
    assert refusal == f"a prediction is {found}; expected a probability, from 0 to 1"


@pytest.mark.slow
def test_intervals_are_left_to_tfma_and_the_log_says_so(tmp_path, inputs, monkeypatch):
    lines = logged(monkeypatch)
    # Each sample is an evaluation; what the intervals are is for test_evaluation.py.
    monkeypatch.setattr(tfma_evaluator, "_DEFAULT_NUM_BOOTSTRAP_SAMPLES", 2, raising=False)
    first = {key: inputs[key] for key in ("examples", "model")}
    bound = "evaluation.thresholds={auc: {at_least: 0.1}}"
    evaluate(tmp_path, first, bound, "evaluation.confidence_intervals=true", "evaluation.slices=[]")
    assert lines == [
        "Evaluator: confidence intervals: not computed in batches; "
        "evaluated by TFMA, example by example."
    ]
    told = json.loads((tmp_path / "blessing" / "verdict.json").read_text())
    assert told["checks"][0]["interval"] is not None
    # What curves are drawn of is kept all the same.
    [scores] = kept_curves(tmp_path).candidate.scores
    assert sum(scores.positives) == sum(label for _, label, _, _ in TRIPS)
    assert sum(scores.negatives) == sum(not label for _, label, _, _ in TRIPS)
    kept = parse_slices((tmp_path / "evaluation" / "slices.json").read_text())
    assert list(kept["overall"].intervals["auc"]) == told["checks"][0]["interval"]
    assert kept["overall"].baseline == {}


def kept_curves(folder):
    return parse_curves((folder / "evaluation" / "curves.json").read_text())


def test_curves_of_the_model_and_of_its_baseline(tmp_path, inputs):
    evaluate(tmp_path, inputs, "evaluation.thresholds={auc: {at_least: 0.1}}")
    curves = kept_curves(tmp_path)
    for model, factor in ((curves.candidate, 1.0), (curves.baseline, 0.9)):
        [scores] = model.scores
        answers = np.float32([answer for answer, label, _, _ in TRIPS if label]) * np.float32(
            factor
        )
        expected = np.histogram(answers, scores.bins, (0, 1))[0]
        # A score on an edge may be in the bin before.
        found = np.cumsum([*scores.positives, *[0] * (scores.bins - len(scores.positives))])
        assert found[-1] == expected.sum()
        assert (
            np.abs(found - np.cumsum(expected)).max()
            <= np.unique(answers, return_counts=True)[1].max()
        )


def test_every_slice_is_kept_with_the_baselines_value(tmp_path, inputs):
    evaluate(tmp_path, inputs, "evaluation.thresholds={auc: {at_least: 0.1}}")
    kept = parse_slices((tmp_path / "evaluation" / "slices.json").read_text())
    measured = {one.name: one for one in read_metrics(str(tmp_path / "evaluation"))}
    assert set(kept) == set(measured)
    for name, one in measured.items():
        assert kept[name].baseline.keys() == one.baseline.keys()
        # Nine tenths of every answer is nine tenths of their mean, and so of the calibration.
        value, own = kept[name].baseline["calibration"], one.metrics["calibration"]
        assert value is None or value == pytest.approx(0.9 * own, nan_ok=True)


def test_a_model_that_is_its_own_baseline_is_drawn_once(tmp_path, inputs):
    twins = {**inputs, "baseline_model": inputs["model"]}
    evaluate(tmp_path, twins, "evaluation.thresholds={auc: {at_least: 0.1}}")
    assert kept_curves(tmp_path).baseline is None


def logged(monkeypatch):
    """The lines that the Evaluator writes into the log about itself, as they come."""
    lines = []

    def info(text, *args):
        lines.extend(line for line in [text % args] if line.startswith("Evaluator: "))

    monkeypatch.setattr(evaluator.logging, "info", info)
    return lines


class _PlantedScores(tf.Module):
    """Predicts what the feature `scores` says, and gives back `label` and `weight`."""

    def __init__(self, label, factor):
        super().__init__()
        self._label, self._factor = label, tf.Variable(factor)
        self._width = len(label.names) if label.names else 1

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(self, examples):
        scores = self._parse(examples)["scores"] ** self._factor
        if self._width == 1:
            return {"fare": scores}
        scores /= tf.reduce_sum(scores, axis=1, keepdims=True)
        return {"probabilities": scores, "class": tf.argmax(scores, axis=1)[:, tf.newaxis]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def transform(self, examples):
        parsed = self._parse(examples)
        label = parsed["label"] if self._width == 1 else tf.cast(parsed["label"], tf.int64)
        found = {self._label.output: label, "other_xf": parsed["scores"]}
        if self._label.weight_output:
            found[self._label.weight_output] = parsed["weight"]
        return found

    def _parse(self, examples):
        widths = {"scores": self._width, "label": 1, "weight": 1}
        spec = {n: tf.io.FixedLenFeature([w], tf.float32) for n, w in widths.items()}
        return tf.io.parse_example(examples, spec)


def plant_scores(folder, settings):
    """400 random examples, and two models that answer with their scores; seeded."""
    label = parse_label(settings.section("label")["label"], settings.task)
    rng = np.random.default_rng(3)
    split = folder / "examples" / "Split-eval"
    split.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(split / "data_tfrecord-00000-of-00001.gz"), "GZIP") as writer:
        for _ in range(400):
            scores = rng.random(len(label.names) if label.names else 1)
            right = int(np.argmax(scores + 0.5 * rng.random(len(scores))))
            floats = {
                "scores": scores,
                "label": [right if label.names else scores[0] + rng.random()],
                "weight": [rng.choice([0, 1, 1, 2.5])],
            }
            made = tf.train.Example()
            for name, values in floats.items():
                made.features.feature[name].float_list.value.extend(values)
            hour = made.features.feature["trip_start_hour"].int64_list
            hour.value.extend([int(rng.integers(4))] * int(rng.integers(2)))
            company = [b"Blue", "Grün".encode()][rng.integers(2)]
            made.features.feature["company"].bytes_list.value.append(company)
            writer.write(made.SerializeToString())
    found = {"examples": [standard_artifacts.Examples()]}
    found["examples"][0].uri = str(folder / "examples")
    found["examples"][0].split_names = artifact_utils.encode_split_names(["eval"])
    for key, number, factor in (("model", 8, 1.0), ("baseline_model", 7, 1.5)):
        planted = _PlantedScores(label, factor)
        signatures = {"serving_default": planted.serve, "transform_features": planted.transform}
        path = str(folder / key / "Format-Serving")
        tf.saved_model.save(planted, path, signatures=signatures)
        model = standard_artifacts.Model()
        model.uri, model.id = str(folder / key), number
        found[key] = [model]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["taxi_payment", "taxi_fare"])
def test_other_tasks_leave_what_tfma_leaves(tmp_path, monkeypatch, name):
    path = DEFAULT_PATH.with_name(f"{name}.yaml")
    given = plant_scores(tmp_path, load_settings(path))
    evaluate(tmp_path / "batches", given, path=path)
    monkeypatch.setattr(Executor, "_evaluate_in_batches", left_to_tfma)
    evaluate(tmp_path / "tfma", given, path=path)
    ours, theirs = (plain(artifacts_of(tmp_path / each)) for each in ("batches", "tfma"))
    assert ours["files"] == theirs["files"]
    assert ours["config"] == theirs["config"]
    assert len(ours["metrics"]) > 50
    # Keras sums some of them in float32, in another order here.
    assert ours["metrics"] == pytest.approx(theirs["metrics"], rel=2e-6, abs=1e-7, nan_ok=True)
    assert ours["verdict"]["blessed"] == theirs["verdict"]["blessed"]


class _Left(Exception):
    """TFX's executor is asked."""


@pytest.mark.parametrize(
    ("args", "change", "reason"),
    [
        (["--runner=DataflowRunner"], {}, "Beam works on DataflowRunner"),
        (["--runner", "apache_beam.runners.FlinkRunner"], {}, "Beam works on FlinkRunner"),
        ([], {"module_path": "users.extractors"}, "a module of its own is given"),
    ],
)
def test_what_is_not_local_is_left_to_tfma(tmp_path, inputs, monkeypatch, args, change, reason):
    assert asked_of_tfma(tmp_path, inputs, monkeypatch, args, change) == reason


def test_another_tfma_does_it_itself(tmp_path, inputs, monkeypatch):
    monkeypatch.delattr(batch_evaluation.evaluator, "_is_metric_diffable")
    assert asked_of_tfma(tmp_path, inputs, monkeypatch, [], {}) == (
        "TFMA has no evaluators.metrics_plots_and_validations_evaluator._is_metric_diffable"
    )


def asked_of_tfma(tmp_path, inputs, monkeypatch, args, change):
    """Why TFX's executor was asked, which fails here."""
    lines = logged(monkeypatch)

    def fail(*_):
        raise _Left

    monkeypatch.setattr(evaluator.tfx_executor.Executor, "Do", fail)
    settings = load_settings(overrides=[*SETTINGS, THRESHOLDS])
    properties = {
        "eval_config": proto_utils.proto_to_json(build_eval_config(settings)),
        "example_splits": '["eval"]',
        "module_path": SLICE_EXTRACTOR,
        "demands": settings.evaluation.model_dump_json(exclude_none=True),
        "task": "binary",
    }
    executor = Executor(
        base_beam_executor.BaseBeamExecutor.Context(
            # With an image named, TFX does not pack itself for the runner.
            beam_pipeline_args=args and [*args, "--sdk_container_image=image:1"],
            tmp_dir=str(tmp_path),
            unique_id="1",
        )
    )
    outputs = {"evaluation": [standard_artifacts.ModelEvaluation()]}
    outputs["evaluation"][0].uri = str(tmp_path / "evaluation")
    with pytest.raises(_Left):
        executor.Do(inputs, outputs, properties | change)
    assert not (tmp_path / "evaluation").exists()
    [line] = lines
    return line.removeprefix("Evaluator: ").removesuffix("; evaluated by TFMA, example by example.")
