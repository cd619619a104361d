"""Evaluator's executor on a planted model that answers what each example says it should."""

import json
import os

import pytest
import tensorflow as tf
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils

from fareline.errors import UserMistake
from lineage.recorded import VERDICT
from pipeline.components.evaluator import SLICE_EXTRACTOR, Executor
from pipeline.config import load_settings
from pipeline.evaluation import build_eval_config
from runners.beam import run_beam_in_process

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


def evaluate(folder, inputs, *overrides):
    """Runs the executor; returns the blessing."""
    run_beam_in_process()
    settings = load_settings(overrides=[*SETTINGS, *overrides])
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
            beam_pipeline_args=["--direct_running_mode=in_memory"],
            tmp_dir=str(folder / "tmp"),
            unique_id="1",
        )
    )
    properties = {
        "eval_config": proto_utils.proto_to_json(build_eval_config(settings)),
        "example_splits": '["eval"]',
        "module_path": SLICE_EXTRACTOR,
        "demands": settings.evaluation.model_dump_json(exclude_none=True),
        "task": "binary",
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
