"""Every label rule on literal rows, through TensorFlow Transform."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from preprocessing.labels import parse_label
from preprocessing.transform import make_label

SPEC = {
    "flag": tf.io.VarLenFeature(tf.int64),
    "share": tf.io.VarLenFeature(tf.float32),
    "paid": tf.io.VarLenFeature(tf.string),
    "zone": tf.io.VarLenFeature(tf.int64),
    "fare": tf.io.VarLenFeature(tf.float32),
}
# An absent key is an empty cell.
ROWS = [
    {"flag": 1, "share": 1.0, "paid": "card", "zone": 30, "fare": 12.5},
    {"flag": 0, "share": 0.0, "paid": "cash", "zone": 10, "fare": 0.0},
    {"flag": 2, "share": 0.5, "paid": "cheque", "zone": 40, "fare": -3.0},
    {},
    {"flag": -1, "share": float("nan"), "paid": "", "zone": 20, "fare": float("nan")},
    {"flag": 1, "share": 1.0, "paid": "Card", "zone": 10, "fare": float("inf")},
]
# Rule -> task, its settings, labels and weights. Where the weight is 0 the label means nothing.
RULES = {
    "zero_one": (
        "binary",
        {"column": "flag", "other": "drop"},
        ([1, 0, 0, 0, 0, 1], [1, 1, 0, 0, 0, 1]),
    ),
    "zero_one_in_floats": (
        "binary",
        {"column": "share", "other": "drop"},
        ([1, 0, 0, 0, 0, 1], [1, 1, 0, 0, 0, 1]),
    ),
    "one_value_against_all": (
        "binary",
        {"column": "paid", "positive": "card", "other": "drop"},
        ([1, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 1]),
    ),
    "two_values": (
        "binary",
        {"column": "paid", "positive": "card", "negative": "cash", "other": "drop"},
        ([1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0]),
    ),
    "two_numbers": (
        "binary",
        {"column": "zone", "positive": 10, "negative": 30, "other": "drop"},
        ([0, 1, 0, 0, 0, 1], [1, 1, 0, 0, 0, 1]),
    ),
    "classes": (
        "multiclass",
        {"column": "paid", "classes": ["cash", "card"], "other": "drop"},
        ([1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0]),
    ),
    "classes_and_other": (
        "multiclass",
        {"column": "paid", "classes": ["cash", "card"], "other": "class"},
        ([1, 0, 2, 0, 2, 2], [1, 1, 1, 0, 1, 1]),
    ),
    "classes_of_numbers": (
        "multiclass",
        {"column": "zone", "classes": [30, 20, 10], "other": "drop"},
        ([0, 2, 0, 0, 1, 2], [1, 1, 0, 0, 1, 1]),
    ),
    "amount": (
        "regression",
        {"column": "fare", "other": "drop"},
        ([12.5, 0, -3, 0, 0, 0], [1, 1, 1, 0, 0, 0]),
    ),
    # The label stays in the column's unit; below 0 there is no logarithm to learn.
    "amount_log": (
        "regression",
        {"column": "fare", "log": True, "other": "drop"},
        ([12.5, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0]),
    ),
}


def transform(rows, preprocessing_fn, folder):
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    rows = [{name: [row[name]] if name in row else [] for name in SPEC} for row in rows]
    with tft_beam.Context(temp_dir=str(folder)):
        (data, _), _ = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(preprocessing_fn)
    return {name: np.array([row[name] for row in data]) for name in data[0]}


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    """All rules at once: {rule_label, rule_weight: array [6, 1]}."""

    def preprocessing_fn(inputs):
        outputs = {}
        for rule, (task, section, _) in RULES.items():
            label = parse_label(section, task)
            made = make_label(inputs, label)
            outputs[f"{rule}_label"] = made.pop(label.output)
            outputs[f"{rule}_weight"] = made.pop(label.weight_output)
            assert made == {}
        return outputs

    return transform(ROWS, preprocessing_fn, tmp_path_factory.mktemp("tft"))


@pytest.mark.parametrize("rule", RULES)
def test_rows_get_their_label_and_others_none(labels, rule):
    task, _, (expected, weights) = RULES[rule]
    got = labels[f"{rule}_label"]
    assert got.shape == (6, 1)
    assert got.dtype == (np.float32 if task == "regression" else np.int64)
    assert got[:, 0].tolist() == expected
    assert labels[f"{rule}_weight"].dtype == np.float32
    assert labels[f"{rule}_weight"][:, 0].tolist() == weights


@pytest.mark.parametrize("rule", ["zero_one", "two_values", "classes", "amount_log"])
def test_with_error_a_row_without_a_label_is_refused(rule):
    task, section, (expected, weights) = RULES[rule]
    label = parse_label({**section, "other": "error"}, task)

    def make(rows):
        columns = {
            name: tf.RaggedTensor.from_row_lengths(
                tf.constant([row[name] for row in rows if name in row], spec.dtype),
                [int(name in row) for row in rows],
            ).to_sparse()
            for name, spec in SPEC.items()
        }
        return make_label(columns, label)

    good = [row for row, weight in zip(ROWS, weights, strict=True) if weight]
    made = make(good)
    assert set(made) == {label.output}  # no weight: there is nothing to leave out
    kept = [value for value, weight in zip(expected, weights, strict=True) if weight]
    assert made[label.output].numpy()[:, 0].tolist() == kept
    for row in (row for row, weight in zip(ROWS, weights, strict=True) if not weight):
        with pytest.raises(tf.errors.InvalidArgumentError, match="no label by its rule"):
            make([*good, row])


def test_transform_itself_stops_and_says_what_it_found(tmp_path):
    label = parse_label({"column": "paid", "classes": ["cash", "card"]}, "multiclass")
    with pytest.raises(Exception, match="paid is empty or no label by its rule") as caught:
        transform(ROWS, lambda inputs: make_label(inputs, label), tmp_path)
    assert "cheque" in str(caught.value)
    assert "label.other: drop leaves them out" in str(caught.value)
