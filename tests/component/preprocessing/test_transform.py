"""Every feature kind and the label rule, against values computed with NumPy, pandas and Decimal."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from data.taxi import taxi_csv_path
from preprocessing.columns import on_values, stack, to_dense
from preprocessing.features import parse_features
from preprocessing.labels import parse_label
from preprocessing.moments import MomentsFn, add_exactly, sum_exactly, value_of
from preprocessing.transform import (
    bucketize,
    exceeds_share,
    look_up,
    make_label,
    preprocessing_fn,
    scale_numbers,
    take_category,
)

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
def analyzed(tmp_path_factory):
    """The rows, and one that was not analyzed, transformed: {name: array [9]}; and the graph."""
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    # VarLen features travel as lists in dictionaries of instances.
    rows = [{k: [v] for k, v in row.items()} for row in (*ROWS, LATER_ROW)]
    rows = [{name: row.get(name, []) for name in SPEC} for row in rows]
    folder = tmp_path_factory.mktemp("tft")
    with tft_beam.Context(temp_dir=str(folder / "tmp")):
        transform_fn = (rows[:-1], metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing_fn(inputs, CONFIG)
        )
        (data, _) = ((rows, metadata), transform_fn) | tft_beam.TransformDataset()
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder / "graph"))
    assert len(data) == len(rows)
    return {name: np.array([row[name] for row in data]) for name in data[0]}, folder / "graph"


@pytest.fixture
def transformed(analyzed):
    return analyzed[0]


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


def test_transform_graph_repeats_the_analysis_on_new_data(analyzed):
    layer = tft.TFTransformOutput(str(analyzed[1])).transform_features_layer()
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


# What one column at a time gives, by TFT's own functions: the reference for all at once.


def scale_alone(column, log):
    values = on_values(column, lambda x: tf.cast(x, tf.float32))
    if log:
        values = on_values(values, lambda x: tf.math.log1p(tf.maximum(x, 0.0)))
    return to_dense(tft.scale_to_z_score(values), 0.0)


def bucketize_alone(column, size):
    values = on_values(column, lambda x: tf.cast(x, tf.float32))
    indices = on_values(tft.bucketize(values, size), lambda x: tf.cast(x, tf.int64) + 1)
    return to_dense(indices, 0)


def transform_columns_alone(inputs, config):
    features = parse_features(config["features"])
    outputs = {f.output: scale_alone(inputs[f.column], f.log) for f in features.numeric}
    others = {"vocab": look_up, "category": take_category}
    for f in features.categories:
        if f.kind == "bucket":
            outputs[f.output] = bucketize_alone(inputs[f.column], f.size)
        else:
            outputs[f.output] = others[f.kind](inputs[f.column], f)
    return outputs | make_label(inputs, parse_label(config["label"], config["task"]))


FLOATS, INTEGERS = tf.float32, tf.int64
MANY = {
    "sparse": tf.io.VarLenFeature(FLOATS),
    "rare": tf.io.VarLenFeature(FLOATS),
    "never": tf.io.VarLenFeature(FLOATS),
    "counts": tf.io.VarLenFeature(INTEGERS),
    "dense": tf.io.FixedLenFeature([1], FLOATS),
    "scalar": tf.io.FixedLenFeature([], FLOATS),
    "years": tf.io.FixedLenFeature([1], INTEGERS),
    "constant": tf.io.FixedLenFeature([1], FLOATS),
    "odd": tf.io.FixedLenFeature([1], FLOATS),
    "colour": tf.io.VarLenFeature(tf.string),
    "y": tf.io.FixedLenFeature([1], INTEGERS),
}
NUMBERS = [name for name, spec in MANY.items() if spec.dtype != tf.string and name != "y"]


def many_rows(count=1200):
    rng = np.random.default_rng(13)
    amounts = rng.gamma(2, 30, (count, 3)).astype(np.float32)
    return [
        {
            "sparse": [float(amounts[i, 0])] if i % 7 else [],
            "rare": [float(amounts[i, 1])] if i % 100 == 3 else [],
            "never": [],
            "counts": [int(rng.integers(-5, 40))] if i % 3 else [],
            "dense": [float(rng.normal(-3, 2))],
            "scalar": float(amounts[i, 2]) - 20,
            "years": [int(rng.integers(1990, 2026))],
            "constant": [2.5],
            "odd": [float([np.nan, np.inf, -np.inf][i % 3] if i % 200 < 3 else i % 11)],
            "colour": [["red", "green", "blue", "grey"][int(rng.integers(4) ** 2 // 3)]],
            "y": [i % 2],
        }
        for i in range(count)
    ]


def many_config(numeric, bucketized, vocabulary=()):
    return {
        "task": "binary",
        "features": {
            "numeric": {name: {"log": log} for name, log in numeric.items()},
            "bucketized": bucketized,
            "vocabulary": {name: {"size": 2, "oov_buckets": 1} for name in vocabulary},
        },
        "label": {"column": "y"},
    }


MIXED = many_config(
    {name: name in ("rare", "counts", "scalar") for name in NUMBERS},
    {"sparse": 4, "rare": 10, "never": 40, "years": 10, "odd": 4},
    ["colour"],
)


def transform_rows(rows, spec, function, folder, batch_size=None, write=True):
    """The transformed rows, {name: array [rows, 1]}, and the folder of the graph, if written."""
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    with tft_beam.Context(temp_dir=str(folder / "tmp"), desired_batch_size=batch_size):
        (data, _), graph = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(function)
        if write:
            _ = graph | tft_beam.WriteTransformFn(str(folder / "graph"))
    return {name: np.array([row[name] for row in data]) for name in data[0]}, folder / "graph"


@pytest.mark.parametrize(
    "config",
    [
        MIXED,
        many_config({"dense": True}, {"rare": 5}),
    ],
    ids=["all kinds", "one of each"],
)
def test_columns_side_by_side_give_what_each_gives_alone(config, tmp_path):
    rows = many_rows()
    got, graph = transform_rows(
        rows, MANY, lambda inputs: preprocessing_fn(inputs, config), tmp_path / "together"
    )
    alone, graph_alone = transform_rows(
        rows, MANY, lambda inputs: transform_columns_alone(inputs, config), tmp_path / "alone"
    )
    assert got.keys() == alone.keys()
    for name, values in got.items():
        assert values.dtype == alone[name].dtype
        assert values.shape == alone[name].shape == (len(rows), 1)
        if values.dtype == np.int64:
            np.testing.assert_array_equal(values, alone[name], err_msg=name)
        else:
            # float32 against float64: its spacing is 1.2e-7, and z-scores reach 10.
            np.testing.assert_allclose(values, alone[name], rtol=1e-6, atol=1e-6, err_msg=name)
    words = [
        {path.name: path.read_bytes() for path in folder.rglob("assets/*")}
        for folder in (graph, graph_alone)
    ]
    assert words[0] == words[1]
    specs = [
        tft.TFTransformOutput(str(folder)).transformed_feature_spec()
        for folder in (graph, graph_alone)
    ]
    assert specs[0] == specs[1]


def test_z_scores_are_the_same_to_the_last_bit_at_any_batch_size(tmp_path):
    rows = [{"sparse": row["sparse"], "y": row["y"]} for row in many_rows()]
    spec = {name: MANY[name] for name in ("sparse", "y")}
    config = many_config({"sparse": True}, {"sparse": 10})
    found = [
        transform_rows(
            rows, spec, lambda x: preprocessing_fn(x, config), tmp_path / str(size), size, False
        )[0]
        for size in (1000, 997, 100, 37)
    ]
    assert len(np.unique(found[0]["sparse_scaled_xf"])) > 1000
    for other in found[1:]:
        for name, values in found[0].items():
            assert values.tobytes() == other[name].tobytes(), name


def test_without_numbers_there_is_nothing_to_stack():
    assert scale_numbers({}, []) == {}
    assert bucketize({}, []) == {}


def test_a_row_with_two_values_is_refused():
    column = tf.sparse.from_dense([[1.0, 2.0], [3.0, 0.0]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="out of bounds"):
        stack([column, column], tf.float64)


def test_sums_are_exact_in_any_order():
    rng = np.random.default_rng(13)
    values = rng.normal(size=(500, 4)) * 10.0 ** rng.integers(-30, 30, (500, 4))
    values[:, 3] = 0
    expected = [sum(map(Fraction, column)) for column in values.T]
    for rows in (values, values[::-1], rng.permutation(values)):
        parts = [sum_exactly(part) for part in np.array_split(rows, 7)]
        total = add_exactly(parts)
        assert [value_of(total, column) for column in range(4)] == expected


def test_mean_and_deviation_are_those_of_exact_arithmetic():
    rng = np.random.default_rng(13)
    # The second has a mean of a million deviations, where sums of squares in float64 fail.
    values = np.stack([rng.gamma(2, 300, 3000), 1e9 + rng.integers(0, 3000, 3000)], axis=1)
    moments = MomentsFn(2)
    states = [
        moments.add_input(moments.create_accumulator(), (part,))
        for part in np.array_split(values, 5)
    ]
    means, deviations = moments.extract_output(moments.merge_accumulators(states))
    for column in range(2):
        exact = [Fraction(value) for value in values[:, column]]
        mean = sum(exact) / len(exact)
        variance = sum((value - mean) ** 2 for value in exact) / len(exact)
        assert means[column] == float(mean)
        # A square is rounded once, to 1.1e-16 of itself.
        np.testing.assert_allclose(deviations[column], float(variance) ** 0.5, rtol=1e-6)
