"""Several classes, and a number: one small run of each shipped settings file, from CSV to pushed.

What TFMA measured is held against what NumPy and scikit-learn make of the answers of the published
model on the rows of the eval split.
"""

import json
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from lineage.graph.graph import Graph
from lineage.store.open import open_store
from pipeline.settings.settings import DEFAULT_PATH
from report.run.gather import gather
from tests.e2e.conftest import run_fareline

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

# As SMALL in conftest, with thresholds that a model of 32 steps keeps.
SMALL = (
    "training.steps=32",
    "training.evaluate_every=16",
    "tuning.trials=1",
    "tuning.steps=8",
)
THRESHOLDS = {
    "taxi_payment": "{accuracy: {at_least: 0.3}, log_loss: {at_most: 2}}",
    "taxi_fare": "{mae: {at_most: 100}, calibration: {at_least: 0.01}}",
}
# Training on weighed examples, of which some are left out: metrics know nothing of it.
WEIGHTING = {
    "taxi_payment": "{classes: {Credit Card: 2, No Charge: 20}, down_sample: {Cash: 0.5}}",
    "taxi_fare": "{}",
}
# TFMA sums in another order, and Keras's metrics in float32.
CLOSE = {"rel": 1e-4}
# TFMA counts in 10,000 steps of the score, of which a rare class takes few; scikit-learn is exact.
AUC_CLOSE = {"abs": 0.02}


@pytest.fixture(scope="module", params=THRESHOLDS)
def run(request, tmp_path_factory, small_csv):
    """A run, the raw rows of its eval split, and what the published model answers to them."""
    workspace = tmp_path_factory.mktemp(request.param) / "workspace"
    done = run_fareline(
        workspace,
        f"data.source.csv={small_csv}",
        *SMALL,
        "evaluation.slices=[[trip_start_hour]]",
        f"evaluation.thresholds={THRESHOLDS[request.param]}",
        f"weighting={WEIGHTING[request.param]}",
        arguments=("--config", DEFAULT_PATH.with_name(f"{request.param}.yaml")),
    )
    assert done.exit_code == 0, done.stderr
    files = sorted(map(str, workspace.glob("artifacts/ExampleGen/examples/*/Split-eval/*")))
    column = {"taxi_payment": "payment_type", "taxi_fare": "fare"}[request.param]
    labels, requests = [], []
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
        example = tf.train.Example.FromString(record)
        kind = example.features.feature[column]
        labels.append((*kind.bytes_list.value, *kind.float_list.value)[0])
        del example.features.feature[column]
        requests.append(example.SerializeToString())
    model = tf.saved_model.load(done.answer["pushed_to"])
    answers = model.signatures["serving_default"](examples=tf.constant(requests))
    return types.SimpleNamespace(
        config=request.param,
        workspace=workspace,
        answer=done.answer,
        metrics=done.answer["metrics"],
        labels=labels,
        answers={name: value.numpy() for name, value in answers.items()},
    )


def test_it_is_published_after_all_nodes(run):
    assert run.answer["status"] == "pushed"
    assert run.answer["infra_blessed"] is True
    assert {node["state"] for node in run.answer["nodes"]} == {"executed"}
    assert (Path(run.answer["pushed_to"]) / "saved_model.pb").is_file()


def test_its_page_shows_the_task(run):
    """The matrix of classes, or the amounts, are those of the served predictions."""
    assert Path(run.answer["report"]).is_file()
    document = gather(Graph(open_store(str(run.workspace / "metadata.db"))), run.answer["run_id"])
    assert document.absent == {}
    picture = document.evaluation.candidate
    if run.config == "taxi_payment":
        names = document.evaluation.classes
        known = [
            (label.decode(), row)
            for label, row in zip(run.labels, run.answers["probabilities"], strict=True)
            if label.decode() in names
        ]
        expected = np.zeros((len(names), len(names)))
        for label, row in known:
            expected[names.index(label), row.argmax()] += 1
        assert picture.matrix == expected.tolist()
    else:
        assert picture.every == 1
        assert sorted(picture.labels) == pytest.approx(sorted(map(float, run.labels)), rel=1e-5)


def test_the_metrics_are_those_of_the_served_predictions(run):
    if run.config == "taxi_payment":
        expected, aucs = of_classes(run)
        for name, value in aucs.items():
            assert run.metrics[name] == pytest.approx(value, **AUC_CLOSE), name
    else:
        expected, aucs = of_amounts(run), {}
    assert set(run.metrics) == set(expected) | set(aucs)
    for name, value in expected.items():
        assert run.metrics[name] == pytest.approx(value, **CLOSE), name


def of_classes(run):
    names = [b"Cash", b"Credit Card", b"No Charge"]
    kept = [i for i, label in enumerate(run.labels) if label in names]
    truth = np.array([names.index(run.labels[i]) for i in kept])
    scores = run.answers["probabilities"][kept].astype(np.float64)
    chosen = scores.argmax(axis=1)
    assert [run.answers["class"][i, 0] for i in kept] == [names[i] for i in chosen]
    one_hot = np.eye(3)[truth]
    recalls = [(scores[truth == i, i] > 0.5).mean() for i in range(3)]
    expected = {
        "accuracy": (chosen == truth).mean(),
        "log_loss": -np.log(scores[np.arange(len(kept)), truth]).mean(),
        "macro_recall": np.mean(recalls),
        "example_count": len(kept),
    }
    aucs = {
        f"{average}_auc": roc_auc_score(one_hot, scores, average=average)
        for average in ("macro", "micro")
    }
    return expected, aucs


def of_amounts(run):
    truth = np.array(run.labels, np.float64)
    predicted = run.answers["prediction"][:, 0].astype(np.float64)
    return {
        "rmse": np.sqrt(np.mean((truth - predicted) ** 2)),
        "mae": np.abs(truth - predicted).mean(),
        "r2": np.corrcoef(truth, predicted)[0, 1] ** 2,
        "calibration": predicted.mean() / truth.mean(),
        "label_mean": truth.mean(),
        "prediction_mean": predicted.mean(),
        "example_count": len(truth),
    }


def test_rows_of_no_class_are_counted_by_training_and_not_by_the_evaluator(run):
    [path] = run.workspace.glob("artifacts/Trainer/model_run/*/training.json")
    seen = json.loads(path.read_text())["labels"]
    assert seen["train"]["rows"] + seen["validate"]["rows"] + len(run.labels) == 1500
    without = sum(split["without_label"] for split in seen.values())
    without += len(run.labels) - run.metrics["example_count"]
    # Five Unknown and one Prcard among the 1,500 trips; every trip has a fare.
    assert without == (6 if run.config == "taxi_payment" else 0)


def test_down_sampling_leaves_out_what_it_was_told_to_of_training_alone(run):
    [path] = run.workspace.glob("artifacts/Trainer/model_run/*/training.json")
    seen = json.loads(path.read_text())["labels"]
    assert "learned_from" not in seen["validate"]
    if run.config != "taxi_payment":
        assert "learned_from" not in seen["train"]
        return
    files = run.workspace.glob("artifacts/Transform/transformed_examples/*/Split-train/*")
    weights = {0: [], 1: [], 2: []}
    data = tf.data.TFRecordDataset(sorted(map(str, files)), compression_type="GZIP")
    for record in data.as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        if features["payment_type_weight_xf"].float_list.value[0]:
            [label] = features["payment_type_xf"].int64_list.value
            weights[label].extend(features["example_weight"].float_list.value)
    assert set(weights[0]) == {0.0, 2.0}
    assert (set(weights[1]), set(weights[2])) == ({2.0}, {20.0})
    # Half of some 500 by chance: five deviations of 11 and a bit.
    assert np.count_nonzero(weights[0]) == pytest.approx(len(weights[0]) / 2, abs=60)
    kept = sum(np.count_nonzero(of_label) for of_label in weights.values())
    assert seen["train"]["learned_from"] == kept
