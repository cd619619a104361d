"""pipeline.evaluation.unlabelled: what is predicted from, and what is said of predictions."""

import math
import random

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_model_analysis.proto import config_pb2

from pipeline.evaluation import unlabelled
from pipeline.evaluation.unlabelled import Predicted, check_sample, remove_features, too_good
from pipeline.evaluation.verdict import SliceMetrics

_SPEC = config_pb2.ModelSpec(signature_name="serving_default")


def _example(**texts):
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
        for name, text in texts.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def test_only_the_features_named_are_removed():
    examples = [_example(label="1", x="label"), _example(x="2"), b""]
    left = [tf.train.Example.FromString(e) for e in remove_features(examples, ["label", "none"])]
    assert [sorted(each.features.feature) for each in left] == [["x"], ["x"], []]
    assert left[0].features.feature["x"].bytes_list.value[0] == b"label"
    assert remove_features(examples, []) == examples


def test_cutting_a_feature_out_is_what_parsing_does():
    draw = random.Random(5)
    names = ["label", "a", "labels", "x" * 130]
    for _ in range(300):
        texts = {
            name: draw.choice(["", "label", "\n\x05label\x12", "y" * draw.randrange(300)])
            for name in draw.sample(names, draw.randrange(5))
        }
        serialized = _example(**texts)
        for name in names:
            (left,) = remove_features([serialized], [name])
            wanted = {key: text.encode() for key, text in texts.items() if key != name}
            found = tf.train.Example.FromString(left).features.feature
            assert {key: each.bytes_list.value[0] for key, each in found.items()} == wanted


def test_most_examples_are_not_parsed(monkeypatch):
    monkeypatch.setattr(unlabelled, "_remove_by_parsing", None)
    (left,) = remove_features([_example(label="1", other="2" * 200, x="3")], ["label", "other"])
    assert list(tf.train.Example.FromString(left).features.feature) == ["x"]


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ([0.0, 1.0], None),
        ([0.2, 1.0000001], None),
        ([0.2, 1.01], "a prediction is 1.01; expected a probability, from 0 to 1"),
        ([-0.5, 0.9], "a prediction is -0.5; expected a probability, from 0 to 1"),
        ([0.2, math.nan], "a prediction is nan; expected a probability, from 0 to 1"),
        ([math.inf], "a prediction is inf; expected a probability, from 0 to 1"),
        ([], None),
    ],
)
def test_predictions_of_a_class_are_probabilities(values, refusal):
    predicted = Predicted()
    for value in values:
        predicted.add(np.array([[value, 0.5]]))
    for task in ("binary", "multiclass"):
        assert predicted.refusals(task) == ([refusal] if refusal else [])
    assert predicted.refusals("regression") == []


@pytest.mark.parametrize(
    ("metrics", "warns"),
    [
        ({"auc": 1.0, "example_count": 100.0}, True),
        ({"macro_auc": 0.9996, "example_count": 5000.0}, True),
        ({"r2": 0.9999, "rmse": 0.01, "example_count": 5000.0}, True),
        ({"r2": 0.9, "rmse": 0.01, "example_count": 5000.0}, False),
        ({"auc": 1.0, "example_count": 99.0}, False),
        ({"auc": 0.9994, "example_count": 5000.0}, False),
        ({"auc": math.nan, "example_count": 5000.0}, False),
        ({"accuracy": 1.0, "example_count": 5000.0}, False),
    ],
)
def test_a_metric_that_is_too_good_is_said(metrics, warns):
    said = too_good([SliceMetrics("x=1", {"auc": 1.0}), SliceMetrics("overall", metrics)])
    assert bool(said) == warns
    assert all("which is too good to be true: look for a feature" in line for line in said)


def _answer_label(examples):
    label = tf.io.parse_example(examples, {"label": tf.io.FixedLenFeature([1], tf.string, "0")})
    return tf.strings.to_number(label["label"])


def _need_label(examples):
    label = tf.io.parse_example(examples, {"label": tf.io.FixedLenFeature([1], tf.string)})
    return tf.strings.to_number(label["label"])


def _measure_example(examples):
    return tf.cast(tf.strings.length(examples), tf.float32)[:, None] / 1000.0


def _answer_x(examples):
    return tf.strings.to_number(
        tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.string)})["x"]
    )


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (_answer_label, "probability is another without label, which no request carries"),
        (_measure_example, "probability is another without label, which no request carries"),
        (_need_label, "without label the model gives no answer ("),
        (lambda examples: 2.0 + _answer_x(examples), "a prediction is 2.1; expected a probability"),
        (_answer_x, None),
    ],
)
def test_a_sample_shows_whether_a_model_reads_the_label(tmp_path, answer, refusal):
    class Planted(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def serve(self, examples):
            return {"probability": answer(examples)}

    model = Planted()
    tf.saved_model.save(model, str(tmp_path / "model"), {"serving_default": model.serve})
    path = str(tmp_path / "examples.gz")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for label, x in (("1", "0.1"), ("0", "0.2")):
            writer.write(_example(label=label, x=x))
    found = check_sample(str(tmp_path / "model"), [path], ["label"], _SPEC, "binary")
    assert len(found) == (refusal is not None)
    assert not refusal or found[0].startswith(refusal)
