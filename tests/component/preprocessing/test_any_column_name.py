"""Columns of any name and values of any text: traced in every role, and analyzed in memory."""

import tempfile

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tensorflow_transform import impl_helper
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

from models.heads import choose_head
from models.network import build_model
from models.signatures import ServingModule
from preprocessing.features import parse_features
from preprocessing.labels import parse_label
from preprocessing.transform import preprocessing_fn
from preprocessing.weighting import EXAMPLE_WEIGHT

SMALL = {"learning_rate": 0.01, "dropout": 0.1, "width": 2, "depth": 1, "embedding_size": 2}
VOCABULARY = {"size": 3, "oov_buckets": 1}
ODD = [
    "od280/od315",
    "pay type",
    "pay-type",
    "Größe",
    "{x}",
    'q"uote',
    "it's",
    "x.y",
    "1st",
    "2020",
]
ODD += [
    "a,b",
    "class",
    "None",
    "A",
    "a",
    "z" * 300,
    "日本",
    "x:0",
    "^a",
    "_x",
    "a\\b",
    "%s",
    "[1]",
    "/",
]
ODD += ["\x01\t", "\u202e🚕 ", "fare", "FARE", "é", "e\u0301"]
NAMES = st.lists(
    st.sampled_from(ODD)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n\r"), min_size=1),
    min_size=6,
    max_size=6,
    unique=True,
)


@settings(derandomize=True, deadline=None, max_examples=2)
@example(ODD[:6])
@example(ODD[6:12])
@example(ODD[12:18])
@example(ODD[18:24])
@example(ODD[24:])
@given(NAMES)
def test_any_name_is_traced_and_gets_an_input_in_every_role(names):
    number, bucketed, text, category, label, weight = names
    features = {
        "numeric": {number: {"log": True}},
        "bucketized": {bucketed: 3},
        "vocabulary": {text: VOCABULARY},
        "categorical": {category: 4},
    }
    config = {
        "task": "binary",
        "features": features,
        "label": {"column": label, "other": "drop"},
        "weighting": {"column": weight},
    }
    specs = {
        name: tf.SparseTensorSpec([None, None], tf.string if name == text else tf.int64)
        for name in names
    }
    with tempfile.TemporaryDirectory() as folder:
        _, _, outputs = impl_helper.trace_preprocessing_function(
            lambda inputs: preprocessing_fn(inputs, config),
            specs,
            use_tf_compat_v1=False,
            base_temp_dir=folder,
        )
    model = build_model(parse_features(features), SMALL)
    rule = parse_label(config["label"])
    made = {tensor.name for tensor in model.inputs}
    assert set(outputs) == made | {rule.output, rule.weight_output, EXAMPLE_WEIGHT}
    assert len(made) == 4


LINES = ["one\ntwo", "one\\ntwo", "a\r\nb", "one\ntwo", "one\ntwo", "a\r\nb", "never", "b"]
ROOMS = [2.0, 2.0, 2.0, 1.0, 1.0, 0.0, None, 7.0]
COLUMNS = {
    "pay type": tf.string,
    "pay-type": tf.string,
    "rooms/m²": tf.float32,
    "bought?": tf.string,
}


CONFIG = {
    "task": "multiclass",
    "features": {
        "vocabulary": {
            "pay type": {"size": 3, "oov_buckets": 1},
            "pay-type": {"size": 2, "oov_buckets": 1},
            "rooms/m²": {"size": 2, "oov_buckets": 1},
        },
        "categorical": {"rooms/m²": 3},
    },
    "label": {"column": "bought?", "classes": ["y", "n"]},
}


@pytest.fixture(scope="module")
def analyzed(tmp_path_factory):
    """Rows of columns with odd names and odd values, transformed; and the graph."""
    specs = {name: tf.io.VarLenFeature(dtype) for name, dtype in COLUMNS.items()}
    rows = [
        {
            "pay type": [LINES[i]],
            "pay-type": [["cash", "card"][i % 2]],
            "rooms/m²": [] if ROOMS[i] is None else [ROOMS[i]],
            "bought?": ["yn"[i % 2]],
        }
        for i in range(8)
    ]
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(specs))
    folder = tmp_path_factory.mktemp("tft")
    with tft_beam.Context(temp_dir=str(folder / "tmp")):
        transform_fn = (rows, metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, CONFIG)
        )
        (data, _) = ((rows, metadata), transform_fn) | tft_beam.TransformDataset()
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder / "graph"))
    metadata_io.write_metadata(metadata, str(folder / "graph" / "metadata"))  # as TFX does
    return {name: [int(row[name][0]) for row in data] for name in data[0]}, folder / "graph"


def test_columns_of_like_names_have_vocabularies_of_their_own(analyzed):
    transformed, graph = analyzed
    cash, card = transformed["pay-type_vocab_xf"][:2]
    assert {cash, card} == {1, 2}
    assert transformed["pay-type_vocab_xf"] == [cash, card] * 4
    assert len(set(transformed["pay type_vocab_xf"])) == 4
    names = {path.name for path in (graph / "transform_fn" / "assets").iterdir()}
    assert len(names) == 3
    assert "pay-type" in names


def test_values_of_several_lines_are_in_the_vocabulary(analyzed):
    transformed, _ = analyzed
    found = dict(zip(LINES, transformed["pay type_vocab_xf"], strict=True))
    assert found["one\ntwo"] == 1  # three times
    assert found["a\r\nb"] == 2  # twice
    assert found["one\\ntwo"] != 1  # the text with a backslash is another


def test_whole_numbers_that_are_floats_are_categories(analyzed):
    transformed, graph = analyzed
    [stem] = [name for name in transformed if name.startswith("rooms") and "vocab" in name]
    assert transformed[stem.replace("vocab", "category")] == [3, 3, 3, 2, 2, 1, 0, 4]
    assert transformed[stem][:7] == [1, 1, 1, 2, 2, 3, 0]
    layer = tft.TFTransformOutput(str(graph)).transform_features_layer()
    asked = tf.sparse.from_dense(tf.constant([[2.5], [-0.5], [1.0]]))
    empty = tf.sparse.from_dense(tf.fill([3, 1], ""))
    labelled = tf.sparse.from_dense(tf.fill([3, 1], "y"))
    got = layer({"bought?": labelled, "rooms/m²": asked, "pay type": empty, "pay-type": empty})
    assert np.ravel(got[stem.replace("vocab", "category")]).tolist() == [4, 4, 2]
    assert np.ravel(got[stem]).tolist() == [3, 3, 2]
    assert np.ravel(got["bought?_xf"]).tolist() == [0, 0, 0]


def test_requests_need_no_label_where_every_row_must_have_one(analyzed):
    """The transform graph fails where a label is missing, or is none; requests have none."""
    _, graph = analyzed
    label = parse_label(CONFIG["label"], "multiclass")
    head = choose_head(label)
    model = build_model(parse_features(CONFIG["features"]), SMALL, head=head)
    transform_output = tft.TFTransformOutput(str(graph))
    column = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"cash"]))
    features = tf.train.Features(feature={"pay-type": column})
    requests = tf.constant([tf.train.Example(features=features).SerializeToString()] * 3)

    def serve(value):
        module = ServingModule(model, transform_output, label.column, head, label_value=value)
        return module.serving_default(requests)

    assert serve(label.some_value)["probabilities"].shape == (3, 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="no label by its rule"):
        serve("neither")
