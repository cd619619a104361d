"""What a request must carry: the columns that the network's inputs are made of, and no others."""

import types

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

from models.network import build_model
from models.signatures import export_model
from preprocessing.features import parse_features
from preprocessing.labels import parse_label
from preprocessing.transform import preprocessing_fn
from serving.model.servable import RefusedError, Servable
from serving.server.instances import read_body
from serving.server.request_log import as_entity

ALWAYS = tf.io.FixedLenFeature([1], tf.float32)
# As schema inference has it where every row has a value: a column that is required, used or not.
SPEC = {
    "miles": ALWAYS,
    "wait": ALWAYS,
    "zone": tf.io.VarLenFeature(tf.int64),
    "area": ALWAYS,  # no feature
    "note": tf.io.FixedLenFeature([1], tf.string),  # no feature
    "weight": ALWAYS,
    "part": tf.io.FixedLenFeature([1], tf.string),  # of the split, and of slices
    "paid": tf.io.FixedLenFeature([1], tf.string),
}
CONFIG = {
    "task": "binary",
    "features": {"numeric": {"miles": {}}, "categorical": {"zone": 3}},
    "label": {"column": "paid", "positive": "card"},
    "weighting": {"column": "weight"},
}
HYPERPARAMETERS = {"learning_rate": 0.01, "dropout": 0.0, "width": 4, "depth": 1,
                   "embedding_size": 2}  # fmt: skip
ROWS = [
    {"miles": [i / 4], "wait": [float(i % 5)], "zone": [i % 3] if i % 2 else [], "area": [1.0 + i],
     "note": ["n"], "weight": [1.0 + i % 2], "part": ["a"], "paid": ["card" if i % 3 else "cash"]}
    for i in range(20)
]  # fmt: skip


def _with_wait(inputs):
    """A preprocessing_fn of one's own: one feature is made of two columns."""
    outputs = preprocessing_fn(inputs, CONFIG)
    outputs["miles_scaled_xf"] += 0.1 * inputs["wait"]
    return outputs


@pytest.fixture(scope="module", params=["ours", "own"])
def exported(request, tmp_path_factory):
    """A network, not trained, with the transform graph of either preprocessing_fn."""
    folder = tmp_path_factory.mktemp(request.param)
    transform = _with_wait if request.param == "own" else lambda x: preprocessing_fn(x, CONFIG)
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    with tft_beam.Context(temp_dir=str(folder / "tmp")):
        _, transform_fn = (ROWS, metadata) | tft_beam.AnalyzeAndTransformDataset(transform)
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder / "graph"))
    metadata_io.write_metadata(metadata, str(folder / "graph" / "metadata"))  # as TFX does
    model = build_model(parse_features(CONFIG["features"]), HYPERPARAMETERS)
    graph = tft.TFTransformOutput(str(folder / "graph"))
    export_model(
        model,
        graph,
        "paid",
        str(folder / "model"),
        weight_column="weight",
        label_value=parse_label(CONFIG["label"]).some_value,
    )
    servable = Servable("taxi", 1, str(folder / "model"))
    yield types.SimpleNamespace(
        needed={"miles", "zone"} | ({"wait"} if request.param == "own" else set()),
        signatures=tf.saved_model.load(str(folder / "model")).signatures,
        servable=servable,
    )
    servable.close()


def _encode(row, columns):
    example = tf.train.Example()
    for name in columns:
        kind = {tf.int64: "int64_list", tf.float32: "float_list", tf.string: "bytes_list"}
        values = [v.encode() if isinstance(v, str) else v for v in row[name]]
        getattr(example.features.feature[name], kind[SPEC[name].dtype]).value.extend(values)
    return example.SerializeToString()


def _answers(signature, columns):
    requests = tf.constant([_encode(row, columns) for row in ROWS])
    return signature(examples=requests)["probability"].numpy()


def test_the_columns_that_are_features_are_all_that_a_request_needs(exported):
    columns = exported.servable.find_signature("").columns
    assert set(columns) == exported.needed
    assert {name for name, column in columns.items() if column.required} == (
        exported.needed - {"zone"}
    )
    serve = exported.signatures["serving_default"]
    answers = _answers(serve, exported.needed)
    assert np.isfinite(answers).all() and np.ptp(answers) > 0
    # A whole row, label and all, says nothing more.
    np.testing.assert_array_equal(_answers(serve, SPEC), answers)
    without_optional = _answers(serve, exported.needed - {"zone"})
    assert np.isfinite(without_optional).all()


def test_a_required_column_that_is_absent_is_named(exported):
    for name in exported.needed - {"zone"}:
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"Feature: {name} .*is required"):
            _answers(exported.signatures["serving_default"], exported.needed - {name})


def test_the_evaluator_still_gets_every_transformed_column(exported):
    examples = tf.constant([_encode(row, SPEC) for row in ROWS])
    features = exported.signatures["transform_features"](examples=examples)
    label = np.array([[int(row["paid"] == ["card"])] for row in ROWS])
    np.testing.assert_array_equal(features["paid_xf"], label)
    parsed = exported.servable.find_signature("transform_features").columns
    assert set(parsed) == set(SPEC)


def test_the_evaluator_may_ask_about_data_without_the_columns_that_no_feature_is_made_of(exported):
    """The baseline of a run was trained on other data, such as a CSV before spans of feedback."""
    needed = {name: SPEC[name] for name in exported.needed | {"weight", "paid"}}
    whole, bare = (
        exported.signatures["transform_features"](
            examples=tf.constant([_encode(row, spec) for row in ROWS])
        )
        for spec in (SPEC, needed)
    )
    assert set(whole) == set(bare) > {"miles_scaled_xf", "paid_xf"}
    for name in whole:
        np.testing.assert_array_equal(whole[name], bare[name])


def test_a_plain_row_may_have_the_columns_of_the_training_data_that_no_feature_is_made_of(exported):
    signature = exported.servable.find_signature("")
    row = {name: values[0] for name, values in ROWS[1].items()}
    needed = {name: row[name] for name in exported.needed}
    whole, bare = (
        tf.train.Example.FromString(read_body({"instances": [each]}, signature)["examples"][0])
        for each in (row, needed)
    )
    assert whole == bare and set(whole.features.feature) == exported.needed
    for named, written in (("Zoë", "Zoë"), (7, "7"), (10**20, "1" + "0" * 20), (None, None)):
        about = row | {"cab": named}
        for body in ({"instances": [about]}, {"inputs": {k: [v] for k, v in about.items()}}):
            encoded = read_body(body, signature, entity="cab")["examples"][0]
            assert as_entity(encoded, "cab", None) == written
    for named in (True, ["Zoë"], {"a": 1}, float("nan"), "\ud800"):
        with pytest.raises(RefusedError, match="cab: .*expected"):
            read_body({"instances": [row | {"cab": named}]}, signature, entity="cab")
    with pytest.raises(RefusedError, match="no column 'cab'"):
        read_body({"instances": [row | {"cab": "Zoë"}]}, signature)
    with pytest.raises(RefusedError, match="no column 'mils'; did you mean miles"):
        read_body({"instances": [row | {"mils": 1.0}]}, signature)
    with pytest.raises(RefusedError, match=r"instances\[0\]: without miles"):
        read_body({"instances": [needed | {"miles": None}]}, signature)
