"""A network per task, on forty literal rows: it learns, and what is served is what was trained."""

import itertools
import json
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

from models import trainer, tuner
from models.heads import RegressionHead, choose_head
from models.hyperparameters import search_space
from models.input_data import prepare_head, read_batches, read_for_fit, survey_labels
from models.network import build_model
from preprocessing.features import parse_features
from preprocessing.labels import Amount, parse_label
from preprocessing.transform import preprocessing_fn
from tests.component.models.training_for_tests import train_on

SPEC = {
    "miles": tf.io.VarLenFeature(tf.float32),
    "zone": tf.io.VarLenFeature(tf.int64),
    "paid": tf.io.VarLenFeature(tf.string),
    "fare": tf.io.VarLenFeature(tf.float32),
}
PAID = ("cash", "card", "card", "voucher")
# The fourth row of four has no fare, and a way to pay that is no class.
ROWS = [
    {
        "miles": [i / 4],
        "zone": [i % 3],
        "paid": [PAID[i % 4]],
        "fare": [] if i % 4 == 3 else [3.0 + 2 * i],
    }
    for i in range(40)
]
LABELS = {
    "binary": {"column": "paid", "positive": "card", "negative": "cash", "other": "drop"},
    "multiclass": {"column": "paid", "classes": ["cash", "card"], "other": "drop"},
    "regression": {"column": "fare", "log": True, "other": "drop"},
}
OUTPUTS = {
    "binary": {"probability": (tf.float32, 1)},
    "multiclass": {"probabilities": (tf.float32, 2), "class": (tf.string, 1)},
    "regression": {"prediction": (tf.float32, 1)},
}
SEARCH = {
    "learning_rate": [0.01, 0.1],
    "dropout": [0.0, 0.1],
    "width": [8],
    "depth": [1],
    "embedding_size": [2],
}


def config_of(task):
    return {
        "task": task,
        "features": {"numeric": {"miles": {"log": False}}, "categorical": {"zone": 3}},
        "label": LABELS[task],
        "training": {"batch_size": 8, "evaluate_every": 4, "patience": 3},
        "tuning": {"trials": 1, "search": SEARCH},
        "seed": 1,
    }


@pytest.fixture(scope="module", params=LABELS)
def trained(request, tmp_path_factory):
    """What Tuner and Trainer make of the rows, for one task."""
    folder, config = tmp_path_factory.mktemp(request.param), config_of(request.param)
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    with tft_beam.Context(temp_dir=str(folder / "tmp")):
        (data, out), transform_fn = (ROWS, metadata) | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing_fn(inputs, config)
        )
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder / "graph"))
    metadata_io.write_metadata(metadata, str(folder / "graph" / "metadata"))  # as TFX does
    args = train_on(data, out.schema, config, folder, SEARCH, 8)
    return types.SimpleNamespace(
        task=request.param,
        label=parse_label(config["label"], request.param),
        args=args,
        rows=data,
        folder=folder,
        graph=tft.TFTransformOutput(args.transform_graph_path),
        signature=tf.saved_model.load(args.serving_model_dir).signatures["serving_default"],
    )


def requests():
    """The rows as clients send them, without what no client knows."""
    sent = []
    for row in ROWS:
        example = tf.train.Example()
        example.features.feature["miles"].float_list.value.extend(row["miles"])
        example.features.feature["zone"].int64_list.value.extend(row["zone"])
        sent.append(example.SerializeToString())
    return tf.constant(sent)


def test_each_task_answers_in_its_shape(trained):
    answers = trained.signature(examples=requests())
    found = {name: (value.dtype, value.shape[1]) for name, value in answers.items()}
    assert found == OUTPUTS[trained.task]
    assert {value.shape[0] for value in answers.values()} == {40}


def test_answers_hang_on_no_batch_size(trained):
    sent = requests()
    whole = trained.signature(examples=sent)
    for size in (1, 3, 7):
        parts = [
            trained.signature(examples=sent[start : start + size]) for start in range(0, 40, size)
        ]
        for name, expected in whole.items():
            got = np.concatenate([part[name].numpy() for part in parts])
            if expected.dtype == tf.string:
                assert got.tolist() == expected.numpy().tolist()
            else:
                np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


def test_served_is_the_offline_transform_and_the_network(trained):
    """The same training once more gives the same network; run in Keras and turned by hand."""
    keras.utils.set_random_seed(1)
    head, _ = prepare_head(trained.args, trained.graph, trained.label)
    features = parse_features(trained.args.custom_config["features"])
    model = build_model(features, search_space(SEARCH), 4, head)
    data = read_for_fit(trained.args, trained.graph, trained.label, head, passes=None)
    trainer.fit(model, data, 2, 4, head.early_stopping(3))
    names = [tensor.name for tensor in model.inputs]
    scores = model.predict(
        {n: np.array([row[n] for row in trained.rows]) for n in names}, verbose=0
    )
    answers = {n: v.numpy() for n, v in trained.signature(examples=requests()).items()}
    if trained.task == "regression":
        fares = np.log1p([row["fare"][0] for row in ROWS if row["fare"]])
        scores = np.maximum(np.expm1(scores * fares.std() + fares.mean()), 0)
    [floats] = [v for v in answers.values() if v.dtype == np.float32]
    # Sums of threads may differ in order, over eight steps of training.
    np.testing.assert_allclose(floats, scores, rtol=1e-4)
    assert np.ptp(scores, axis=0).min() > 0.01  # not all the same
    if trained.task == "multiclass":
        names = np.array(["cash", "card"])[scores.argmax(axis=1)]
        assert answers["class"][:, 0].astype(str).tolist() == names.tolist()
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)


def test_rows_without_a_label_are_left_out_and_counted(trained):
    report = json.loads((trained.folder / "run" / "training.json").read_text())
    seen = {"rows": 40, "without_label": 10}
    assert report["labels"] == {"train": seen, "validate": seen}
    how = {"label": trained.label.output, "weight": trained.label.weight_output}
    batches = list(read_batches(trained.args.train_files, trained.graph, batch_size=8, **how))
    assert [len(labels) for _, labels in batches] == [8, 8, 8, 6]
    labels = np.concatenate([labels.numpy()[:, 0] for _, labels in batches])
    expected = {
        "binary": [int(row["paid"] == ["card"]) for row in ROWS if row["paid"] != ["voucher"]],
        "multiclass": [int(row["paid"] == ["card"]) for row in ROWS if row["paid"] != ["voucher"]],
        "regression": [row["fare"][0] for row in ROWS if row["fare"]],
    }[trained.task]
    assert labels.tolist() == expected


def test_passes_have_orders_of_their_own_and_whoever_reads_again_gets_the_same(trained):
    head, _ = prepare_head(trained.args, trained.graph, trained.label)
    data, _ = read_for_fit(trained.args, trained.graph, trained.label, head, passes=None)

    def read(batches):
        [name, *_] = sorted(data.element_spec[0])
        return [batch[0][name].numpy().ravel().tolist() for batch in data.take(batches)]

    # 30 rows with a label in batches of 8: a pass has four.
    first, second = read(8)[:4], read(8)[4:]
    assert first != second
    assert sorted(itertools.chain(*first)) == sorted(itertools.chain(*second))
    for stopped_at in (1, 3, 4, 5, 8):  # an iterator before, and what it had read ahead
        assert read(stopped_at) == (first + second)[:stopped_at]
    once, _ = read_for_fit(trained.args, trained.graph, trained.label, head)
    assert len(list(once)) == 4


def test_one_training_step_changes_all_weights(trained):
    keras.utils.set_random_seed(1)
    head, _ = prepare_head(trained.args, trained.graph, trained.label)
    model = build_model(parse_features(config_of(trained.task)["features"]), search_space(SEARCH),
                        head=head)  # fmt: skip
    before = [w.numpy().copy() for w in model.trainable_variables]
    data, _ = read_for_fit(trained.args, trained.graph, trained.label, head)
    model.fit(data.take(1), verbose=0)
    after = [w.numpy() for w in model.trainable_variables]
    assert all((b != a).any() for b, a in zip(before, after, strict=True))


def test_the_search_looks_for_the_best_of_what_the_task_watches(trained):
    objective = tuner.tuner_fn(trained.args).tuner.oracle.objective
    watched = {"binary": ("val_auc", "max")}.get(trained.task, ("val_loss", "min"))
    assert (objective.name, objective.direction) == watched
    report = json.loads((trained.folder / "run" / "training.json").read_text())
    assert len(report["evaluations"][watched[0]]) == 2


def test_the_survey_is_the_mean_and_deviation_of_the_labels(trained):
    if trained.task != "regression":
        assert survey_labels(trained.args.train_files, trained.graph, trained.label).mean == 0
        return
    fares = np.array([row["fare"][0] for row in ROWS if row["fare"]], np.float64)
    for label, values in ((trained.label, np.log1p(fares)), (Amount("fare", "drop"), fares)):
        seen = survey_labels(trained.args.train_files, trained.graph, label)
        assert (seen.mean, seen.deviation) == pytest.approx((values.mean(), values.std()))


def test_a_split_without_any_label_is_refused(trained, tmp_path):
    path = str(tmp_path / "none.gz")
    example = tf.train.Example()
    kind = "float_list" if trained.task == "regression" else "int64_list"
    getattr(example.features.feature[trained.label.output], kind).value.append(0)
    example.features.feature[trained.label.weight_output].float_list.value.append(0.0)
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        writer.write(example.SerializeToString())
    with pytest.raises(ValueError, match="none of 1 rows has a label; expected some"):
        survey_labels([path], trained.graph, trained.label)


@pytest.mark.parametrize("log", [False, True])
def test_a_target_turns_back_into_the_amount(log):
    head = RegressionHead(mean=2.0, deviation=0.5, log=log)
    amounts = tf.constant([[0.0], [12.5], [700.0]])
    back = head.answer(head.to_target(amounts))["prediction"]
    np.testing.assert_allclose(back.numpy(), amounts.numpy(), rtol=1e-5, atol=1e-5)
    lowest = head.answer(tf.constant([[-100.0]]))["prediction"].numpy()
    assert (lowest == 0) if log else (lowest == -48)
    assert np.isfinite(head.answer(tf.constant([[1e12]]))["prediction"].numpy()).all()


def test_labels_that_are_all_the_same_do_not_divide_by_zero():
    head = choose_head(Amount("fare"), mean=3.0, deviation=0.0)
    assert np.isfinite(head.to_target(tf.constant([[3.0], [4.0]])).numpy()).all()
