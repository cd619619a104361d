"""Weights of examples, from the settings through Transform to training; metrics know none."""

import json
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.utils.class_weight import compute_sample_weight
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

from models import tuner
from models.hyperparameters import search_space
from models.input_data import prepare_head, read_for_fit
from models.network import build_model
from pipeline.evaluation.eval_config import build_eval_config
from pipeline.settings.load import load_settings
from preprocessing.example_weights import hash_rows, read_weights, weigh_examples
from preprocessing.features import parse_features
from preprocessing.labels import parse_label
from preprocessing.transform import make_label, preprocessing_fn
from preprocessing.weighting import EXAMPLE_WEIGHT, parse_weighting
from runners.beam.engine import run_beam_in_process
from tests.component.models.training_for_tests import train_on

SPEC = {
    "miles": tf.io.VarLenFeature(tf.float32),
    "paid": tf.io.VarLenFeature(tf.string),
    "trust": tf.io.VarLenFeature(tf.float32),
}
COUNTS = {"cash": 150, "card": 40, "voucher": 10}
PAID = np.random.default_rng(1).permutation([p for p, n in COUNTS.items() for _ in range(n)])
# Miles say nothing about the label, so that training can learn how frequent each is and no more.
ROWS = [
    {"miles": [float(i % 7)], "paid": [str(p)], "trust": [] if i % 5 == 4 else [i % 5 / 2]}
    for i, p in enumerate(PAID)
]
LABEL = {"column": "paid", "positive": "card", "negative": "cash", "other": "drop"}
CLASSES = {"column": "paid", "classes": ["cash", "card", "cheque", "voucher"]}
SEED = 3


def sparse(rows=ROWS):
    """The rows as Transform gets them."""
    return {
        name: tf.RaggedTensor.from_row_lengths(
            tf.constant([value for row in rows for value in row[name]], spec.dtype),
            [len(row[name]) for row in rows],
        ).to_sparse()
        for name, spec in SPEC.items()
    }


def analyze(preprocessing, folder):
    """Rows transformed, their schema; the transform graph is written to `folder`/graph."""
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    with tft_beam.Context(temp_dir=str(folder / "tmp")):
        (data, out), transform_fn = (ROWS, metadata) | tft_beam.AnalyzeAndTransformDataset(
            preprocessing
        )
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder / "graph"))
    metadata_io.write_metadata(metadata, str(folder / "graph" / "metadata"))  # as TFX does
    return data, out.schema


# The weights.

SECTIONS = {
    "balanced": {"classes": "balanced"},
    "named": {"classes": {"card": 2.5, "voucher": 0.0}},
    "column": {"column": "trust"},
    "sampled": {"down_sample": {"cash": 0.25}},
    "all": {"classes": {"cash": 3.0}, "column": "trust", "down_sample": {"cash": 0.25}},
}
TRUST = np.array([row["trust"][0] if row["trust"] else 1.0 for row in ROWS])


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """What each section makes of the rows, and `dropped`: balanced, with rows without a label."""

    def preprocessing(inputs):
        outputs = {}
        label, binary = parse_label(CLASSES, "multiclass"), parse_label(LABEL)
        for name, section in SECTIONS.items():
            weigh = (label, parse_weighting(section), SEED)
            made = weigh_examples(inputs, make_label(inputs, label), *weigh)
            outputs[name] = made.pop(EXAMPLE_WEIGHT)
            assert made == {}
        weigh = (binary, parse_weighting(SECTIONS["balanced"]), SEED)
        outputs["dropped"] = weigh_examples(inputs, make_label(inputs, binary), *weigh)[
            EXAMPLE_WEIGHT
        ]
        return outputs

    data, _ = analyze(preprocessing, tmp_path_factory.mktemp("weights"))
    return {name: np.array([row[name] for row in data]) for name in data[0]}


def test_a_weight_is_a_float_of_each_row(weights):
    assert {values.shape for values in weights.values()} == {(200, 1)}
    assert {values.dtype for values in weights.values()} == {np.dtype(np.float32)}


def test_balanced_is_what_scikit_learn_makes_of_all_rows(weights):
    # A class that does not occur, cheque, is none for either.
    expected = compute_sample_weight("balanced", PAID)
    np.testing.assert_allclose(weights["balanced"][:, 0], expected, rtol=1e-6)
    assert weights["balanced"].mean() == pytest.approx(1, rel=1e-6)


def test_rows_without_a_label_do_not_count_for_the_balance(weights):
    labelled = PAID != "voucher"
    expected = compute_sample_weight("balanced", PAID[labelled])
    np.testing.assert_allclose(weights["dropped"][labelled, 0], expected, rtol=1e-6)


def test_a_class_that_is_not_named_weighs_one(weights):
    expected = [{"card": 2.5, "voucher": 0.0}.get(paid, 1.0) for paid in PAID]
    assert weights["named"][:, 0].tolist() == expected


def test_the_column_is_the_weight_and_an_empty_cell_weighs_one(weights):
    assert weights["column"][:, 0].tolist() == TRUST.tolist()
    assert set(TRUST) == {0.0, 0.5, 1.0, 1.5}


def test_who_is_kept_counts_for_who_is_not(weights):
    got = weights["sampled"][:, 0]
    cash = PAID == "cash"
    assert set(got[~cash]) == {1.0}
    assert set(got[cash]) == {0.0, 4.0}
    # Equal rows are kept or left out together: seven miles, five weights, by chance a quarter.
    kinds = {(row["miles"][0], *row["trust"]): got[i] for i, row in enumerate(ROWS) if cash[i]}
    assert len(kinds) == 35
    assert [kinds[(row["miles"][0], *row["trust"])] for i, row in enumerate(ROWS) if cash[i]] == (
        got[cash].tolist()
    )
    assert 4 <= sum(map(bool, kinds.values())) <= 14


def test_the_parts_are_multiplied(weights):
    by_class = np.where(PAID == "cash", 3.0, 1.0)
    expected = by_class * TRUST * weights["sampled"][:, 0]
    np.testing.assert_allclose(weights["all"][:, 0], expected, rtol=1e-6)
    assert expected.any()


# Which rows are kept.


def test_the_choice_hangs_on_the_row_and_the_seed_alone():
    places = hash_rows(sparse(), SEED).numpy()[:, 0]
    backwards = hash_rows(sparse(ROWS[::-1]), SEED).numpy()[::-1, 0]
    parts = [hash_rows(sparse(ROWS[i : i + 3]), SEED).numpy()[:, 0] for i in range(0, 200, 3)]
    assert places.tolist() == backwards.tolist() == np.concatenate(parts).tolist()
    dense = {"n": tf.constant([[1], [2]], tf.int64)}
    scalars = {"n": tf.constant([1, 2], tf.int64)}
    same = {"n": tf.sparse.from_dense(dense["n"])}
    expected = hash_rows(dense, SEED).numpy().tolist()
    assert hash_rows(scalars, SEED).numpy().tolist() == expected
    assert hash_rows(same, SEED).numpy().tolist() == expected
    assert hash_rows(dense, SEED + 1).numpy().tolist() != expected
    assert expected[0] != expected[1]


def test_all_values_of_a_row_count_and_where_they_stand():
    def place(miles, paid, trust):
        [[number]] = hash_rows(sparse([{"miles": miles, "paid": paid, "trust": trust}]), 0).numpy()
        return number

    rows = [
        ([1.0], ["ab"], []),
        ([], ["ab"], [1.0]),
        ([1.0], ["a", "b"], []),
        ([1.0], ["b", "a"], []),
        ([1.0, 1.0], ["ab"], []),
        ([np.nextafter(np.float32(1), np.float32(2))], ["ab"], []),
        ([], [], []),
    ]
    assert len({place(*row) for row in rows}) == len(rows)


def test_the_places_are_the_same_on_every_stack_and_spread_evenly():
    columns = {"id": tf.range(20_000, dtype=tf.int64)[:, None]}
    places = hash_rows(columns, 20).numpy()[:, 0]
    assert places[:3].tolist() == PLACES, "other rows would be kept than before"
    assert (places.min() >= 0) and (places.max() < 2**31)
    counts, _ = np.histogram(places, bins=20, range=(0, 2**31))
    # Chi-squared with 19 degrees of freedom: above 44 in one of a thousand.
    assert ((counts - 1000) ** 2 / 1000).sum() < 44


# Written down when this was first run, on TFX 1.16.
PLACES = [603658137, 174126685, 1056579564]


# What is no weight.


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_what_is_no_weight_is_refused(wrong):
    good = sparse([{"miles": [], "paid": [], "trust": trust} for trust in ([0.0], [], [2.0])])
    assert read_weights(good["trust"], "trust").numpy()[:, 0].tolist() == [0, 1, 2]
    bad = sparse([{"miles": [], "paid": [], "trust": [trust]} for trust in (1.0, wrong)])
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        read_weights(bad["trust"], "trust")
    message = str(caught.value)
    assert (
        "weighting.column: trust holds values that are not weights; expected numbers of at least 0"
        in message
    )
    assert str(wrong) in message.split("Found")[1]
    assert "Hint: correct the rows; an empty cell weighs 1." in message


def test_a_text_is_no_weight():
    with pytest.raises(ValueError, match="weighting.column: paid holds text; expected numbers."):
        read_weights(sparse()["paid"], "paid")


# Training.

SEARCH = {
    "learning_rate": [0.03, 0.031],
    "dropout": [0.0, 0.1],
    "width": [2],
    "depth": [1],
    "embedding_size": [2],
}


def config_of(section):
    return {
        "task": "binary",
        "features": {"numeric": {"miles": {"log": False}}},
        "label": LABEL,
        "training": {"batch_size": 32, "evaluate_every": 50, "patience": 9},
        "tuning": {"trials": 1, "search": SEARCH},
        "seed": SEED,
        "weighting": section,
    }


TRAINED = {
    "balanced": {"classes": "balanced"},
    "sampled": {"down_sample": {"0": 0.25}, "column": "trust"},
}


@pytest.fixture(scope="module", params=TRAINED)
def trained(request, tmp_path_factory):
    """What Transform and Trainer make of the rows."""
    folder, config = tmp_path_factory.mktemp(request.param), config_of(TRAINED[request.param])
    data, schema = analyze(lambda inputs: preprocessing_fn(inputs, config), folder)
    args = train_on(data, schema, config, folder, SEARCH, 200)
    return types.SimpleNamespace(
        name=request.param,
        args=args,
        rows={name: np.array([row[name] for row in data])[:, 0] for name in data[0]},
        label=parse_label(LABEL),
        graph=tft.TFTransformOutput(args.transform_graph_path),
        report=json.loads((folder / "run" / "training.json").read_text()),
    )


def has_label(trained):
    return trained.rows["paid_weight_xf"] > 0


def effective_weights(trained):
    """What each row counts in training, 0 where it has no label."""
    return has_label(trained) * trained.rows[EXAMPLE_WEIGHT]


def answer(trained, *without):
    """Predictions for the rows with a label, served to requests without what is named."""
    signature = tf.saved_model.load(trained.args.serving_model_dir).signatures["serving_default"]
    sent = [encode(row, without) for row in ROWS]
    return signature(examples=tf.constant(sent))["probability"].numpy()[has_label(trained), 0]


def encode(row, without=()):
    example = tf.train.Example()
    for name in set(row) - set(without):
        values, feature = row[name], example.features.feature[name]
        if name == "paid":
            feature.bytes_list.value.extend(value.encode() for value in values)
        else:
            feature.float_list.value.extend(values)
    return example.SerializeToString()


def test_training_reads_weights_and_leaves_out_what_weighs_nothing(trained):
    head, _ = prepare_head(trained.args, trained.graph, trained.label)
    train, validate = read_for_fit(trained.args, trained.graph, trained.label, head)
    weights = effective_weights(trained)
    batches = list(train)
    assert sum(len(batch[1]) for batch in batches) == (weights > 0).sum()
    read = np.concatenate([counts.numpy() for _, _, counts in batches])
    np.testing.assert_allclose(sorted(read), sorted(weights[weights > 0]), rtol=1e-6)
    # What is watched is measured on all rows, each counting the same.
    watched = list(validate)
    assert {len(batch) for batch in watched} == {2}
    assert sum(len(batch[1]) for batch in watched) == has_label(trained).sum() == 190
    assert set(batches[0][0]) == set(watched[0][0]) == {"miles_scaled_xf"}


def test_the_loss_is_weighted_as_in_numpy(trained):
    keras.utils.set_random_seed(1)
    head, _ = prepare_head(trained.args, trained.graph, trained.label)
    features = parse_features(trained.args.custom_config["features"])
    model = build_model(features, search_space(SEARCH), head=head)
    train, validate = read_for_fit(trained.args, trained.graph, trained.label, head)
    answers = model.predict({"miles_scaled_xf": trained.rows["miles_scaled_xf"]}, verbose=0)[:, 0]
    truth = trained.rows["paid_xf"]
    losses = -np.log(np.where(truth == 1, answers, 1 - answers).astype(np.float64))
    weights = effective_weights(trained)
    expected = (weights * losses)[weights > 0].mean()  # Keras divides by the rows, not by weights
    got = model.evaluate(train, verbose=0, return_dict=True)["loss"]
    assert got == pytest.approx(expected, rel=1e-5)
    plain = model.evaluate(validate, verbose=0, return_dict=True)["loss"]
    assert plain == pytest.approx(losses[has_label(trained)].mean(), rel=1e-5)


def test_predictions_move_to_the_weighted_share_of_the_label(trained):
    weights, truth = effective_weights(trained), trained.rows["paid_xf"]
    share = (weights * truth).sum() / weights.sum()
    # Nothing tells rows apart: the best constant answer is the share; 200 steps come near it.
    assert answer(trained, "paid", "trust").mean() == pytest.approx(share, abs=0.06)
    # Without weights it would be 40 of 190; by chance down-sampling is not far from that.
    expected = {"balanced": (0.5, 1e-6), "sampled": (40 / 190, 0.06)}
    assert share == pytest.approx(expected[trained.name][0], abs=expected[trained.name][1])


def test_no_request_needs_the_label_or_the_weight_and_neither_changes_the_answer(trained):
    bare = answer(trained, "paid", "trust")
    assert np.isfinite(bare).all()
    assert answer(trained).tolist() == bare.tolist()


def test_how_many_rows_are_learned_from_is_in_the_report(trained):
    seen = {"rows": 200, "without_label": 10}
    kept = {"learned_from": int((effective_weights(trained) > 0).sum())}
    assert trained.report["labels"] == {
        "train": seen | kept,
        "validate": seen,
    }
    assert (kept["learned_from"] < 190) == (trained.name == "sampled")


def test_trials_are_weighted_the_same_way(trained):
    kwargs = tuner.tuner_fn(trained.args).fit_kwargs
    assert len(kwargs["x"].element_spec) == 3
    assert len(kwargs["validation_data"].element_spec) == 2


def test_training_refuses_data_of_no_weight(trained, tmp_path):
    path = str(tmp_path / "none.gz")
    example = tf.train.Example()
    example.features.feature["paid_xf"].int64_list.value.append(0)
    for name, value in (("paid_weight_xf", 1.0), (EXAMPLE_WEIGHT, 0.0)):
        example.features.feature[name].float_list.value.append(value)
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        writer.write(example.SerializeToString())
    args = types.SimpleNamespace(**{**vars(trained.args), "train_files": [path]})
    with pytest.raises(ValueError, match="weighs more than 0") as caught:
        prepare_head(args, trained.graph, trained.label)
    assert str(caught.value) == (
        f"{path}: none of 1 rows with a label weighs more than 0; expected some to learn from. "
        "Hint: compare weighting in the settings with the data."
    )


# Metrics.


def test_metrics_are_of_the_rows_as_they_are(trained, tmp_path):
    """TFMA, told what the pipeline tells it, against scikit-learn without any weight."""
    run_beam_in_process()
    weighting = [f"weighting={json.dumps(TRAINED[trained.name])}"]
    rule = [f"label={json.dumps(LABEL)}", "evaluation.slices=[]"]
    rule += ["evaluation.thresholds={auc: {at_least: 0}}"]
    config = build_eval_config(load_settings(overrides=[*rule, *weighting]))
    assert config.model_specs[0].example_weight_key == "paid_weight_xf"
    path = str(tmp_path / "raw.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for row in ROWS:
            writer.write(encode(row))
    shared = tfma.default_eval_shared_model(trained.args.serving_model_dir, eval_config=config)
    result = tfma.run_model_analysis(shared, config, path, output_path=str(tmp_path / "out"))
    metrics = {name: value["doubleValue"] for name, value in result.get_metrics_for_slice().items()}
    truth, answers = trained.rows["paid_xf"][has_label(trained)], answer(trained)
    # TFMA counts in 10,000 steps of the score.
    assert metrics["auc"] == pytest.approx(roc_auc_score(truth, answers), abs=1e-3)
    assert metrics["accuracy"] == pytest.approx(accuracy_score(truth, answers > 0.5), abs=1e-6)
    assert metrics["calibration"] == pytest.approx(answers.mean() / truth.mean(), rel=1e-4)
    assert metrics["example_count"] == 190
