"""Every feature kind and the label rule, against values computed with NumPy, pandas and Decimal."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from data.taxi import taxi_csv_path
from preprocessing.labels import parse_label
from preprocessing.transform import exceeds_share, preprocessing_fn

CONFIG = {
    "task": "binary",
    "features": {
        "numeric": {"fare": {"log": False}, "miles": {"log": True}},
        "bucketized": {"miles": 4},
        "vocabulary": {"company": {"size": 2, "oov_buckets": 3}},
        "categorical": {"hour": 24},
    },
    "label": {"column": "tips", "above": {"column": "fare", "times": 0.2}},
}
SPEC = {
    "fare": tf.io.VarLenFeature(tf.float32),
    "miles": tf.io.VarLenFeature(tf.float32),
    "company": tf.io.VarLenFeature(tf.string),
    "hour": tf.io.VarLenFeature(tf.int64),
    "tips": tf.io.VarLenFeature(tf.float32),
}
# Eight rows; an absent key is a missing value.
ROWS = [
    {"fare": 10.0, "miles": 1.0, "company": "a", "hour": 0, "tips": 2.0},
    {"fare": 20.0, "miles": 2.0, "company": "a", "hour": 23, "tips": 4.01},
    {"fare": 5.0, "miles": 3.0, "company": "a", "hour": 24, "tips": 0.0},
    {"fare": 5.0, "miles": 4.0, "company": "b", "hour": -1, "tips": 1.01},
    {"fare": 7.5, "miles": 5.0, "company": "b", "tips": 1.5},
    {"fare": 40.0, "miles": 6.0, "company": "c", "hour": 7, "tips": 9.0},
    {"fare": 0.0, "miles": 7.0, "company": "d", "hour": 7, "tips": 0.0},
    {"hour": 12, "miles": 8.0, "tips": 1.0},
]
LATER_ROW = {"fare": 12.5, "company": "never seen", "hour": 5, "tips": 0.0}


@pytest.fixture(scope="module")
def transformed(tmp_path_factory):
    """The rows, and one that was not analyzed, transformed: {name: array [9]}."""
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    # VarLen features travel as lists in dictionaries of instances.
    rows = [{k: [v] for k, v in row.items()} for row in (*ROWS, LATER_ROW)]
    rows = [{name: row.get(name, []) for name in SPEC} for row in rows]
    with tft_beam.Context(temp_dir=str(tmp_path_factory.mktemp("tft"))):
        transform_fn = (rows[:-1], metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, CONFIG)
        )
        (data, _) = ((rows, metadata), transform_fn) | tft_beam.TransformDataset()
    assert len(data) == len(rows)
    return {name: np.array([row[name] for row in data]) for name in data[0]}


def test_outputs_have_one_value_per_row(transformed):
    assert set(transformed) == {
        "fare_scaled_xf",
        "miles_scaled_xf",
        "miles_bucket_xf",
        "company_vocab_xf",
        "hour_category_xf",
        "tips_xf",
    }
    assert {values.shape for values in transformed.values()} == {(9, 1)}
    assert transformed["fare_scaled_xf"].dtype == np.float32
    assert transformed["miles_bucket_xf"].dtype == np.int64


def test_numbers_are_z_scores_of_the_present_values(transformed):
    fares = np.array([row["fare"] for row in ROWS if "fare" in row])
    # float32 against float64: 1e-6 is about 8 times the spacing of float32 at 2.
    expected = (np.array([10, 20, 5, 5, 7.5, 40, 0]) - fares.mean()) / fares.std()
    got = transformed["fare_scaled_xf"][:, 0]
    np.testing.assert_allclose(got[:7], expected, atol=2e-6)
    assert got[7] == 0  # missing: the mean
    np.testing.assert_allclose(got[8], (12.5 - fares.mean()) / fares.std(), atol=2e-6)


def test_log_is_taken_before_the_z_score(transformed):
    logs = np.log1p(np.arange(1, 9))
    got = transformed["miles_scaled_xf"][:, 0]
    np.testing.assert_allclose(got[:8], (logs - logs.mean()) / logs.std(), atol=2e-6)
    assert got[8] == 0


def test_buckets_are_quantiles_and_missing_has_its_own(transformed):
    expected = pd.qcut(np.arange(1, 9), 4, labels=False) + 1
    assert transformed["miles_bucket_xf"][:, 0].tolist() == [*expected, 0]


def test_vocabulary_by_frequency_then_hash_buckets_and_missing(transformed):
    got = transformed["company_vocab_xf"][:, 0].tolist()
    assert got[:5] == [1, 1, 1, 2, 2]  # a three times, b twice
    assert all(3 <= index <= 5 for index in [got[5], got[6], got[8]])  # c, d, never seen
    assert got[7] == 0


def test_categories_as_they_are_one_place_outside_and_missing(transformed):
    assert transformed["hour_category_xf"][:, 0].tolist() == [1, 24, 25, 25, 0, 8, 8, 13, 6]


def test_label_is_more_than_the_share_of_the_fare(transformed):
    # 2.00 of 10.00 and 1.50 of 7.50 are exactly 20 %, so not more; a fare missing counts as 0.
    assert transformed["tips_xf"][:, 0].tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]


def test_dense_columns_give_the_same_as_sparse_ones():
    dense = {"tips": tf.constant([[2.0], [4.01]]), "fare": tf.constant([[10.0], [20.0]])}
    sparse = {name: tf.sparse.from_dense(column) for name, column in dense.items()}
    label = parse_label(CONFIG["label"])
    assert exceeds_share(dense, label).numpy().tolist() == [[0], [1]]
    assert exceeds_share(sparse, label).numpy().tolist() == [[0], [1]]


def test_label_of_all_taxi_trips_equals_exact_decimal_arithmetic():
    trips = pd.read_csv(taxi_csv_path(), dtype=str, usecols=["fare", "tips"])
    exact = [Decimal(tip) > Decimal("0.2") * Decimal(fare) for fare, tip in trips.values]
    columns = {n: tf.constant(trips[[n]].values.astype(np.float32)) for n in ("fare", "tips")}
    got = exceeds_share(columns, parse_label(CONFIG["label"])).numpy()[:, 0]
    assert sum(exact) == 3374
    assert got.tolist() == [int(positive) for positive in exact]


def test_transform_graph_repeats_the_analysis_on_new_data(tmp_path):
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    rows = [{name: [row[name]] if name in row else [] for name in SPEC} for row in ROWS]
    with tft_beam.Context(temp_dir=str(tmp_path / "tmp")):
        transform_fn = (rows, metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, CONFIG)
        )
        _ = transform_fn | tft_beam.WriteTransformFn(str(tmp_path / "graph"))
    layer = tft.TFTransformOutput(str(tmp_path / "graph")).transform_features_layer()
    # As in serving: no label, and a request with one field only.
    empty = {
        name: tf.sparse.from_dense(tf.zeros([1, 0], spec.dtype))
        for name, spec in SPEC.items()
        if name not in ("tips", "hour")
    }
    got = layer(empty | {"hour": tf.sparse.from_dense(tf.constant([[3]], tf.int64))})
    assert "tips_xf" not in got
    assert {name: value.numpy().tolist() for name, value in got.items()} == {
        "fare_scaled_xf": [[0.0]],
        "miles_scaled_xf": [[0.0]],
        "miles_bucket_xf": [[0]],
        "company_vocab_xf": [[0]],
        "hour_category_xf": [[4]],
    }
