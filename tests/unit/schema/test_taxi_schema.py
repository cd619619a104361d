"""The taxi schema passes the real data, however it is split, and finds each planted fault.

Faults are planted as CSV cells. TFX's own type inference, the encoding of CsvExampleGen (repeated
here, and compared with TFX's) and TFDV turn them into anomalies, without Beam. Expected are TFDV's
short descriptions, as TFDV 1.16 words them.
"""

import copy
import csv
import random
from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_transform.tf_metadata import schema_utils
from tfx_bsl.coders import csv_decoder, example_coder

from data.taxi import taxi_csv_path
from schema import curated

PLANTED = 7  # the row that gets the fault
SCHEMA = curated.load_schema(curated.schema_path("taxi", Path(".")))
COLUMNS = list(curated.column_types(SCHEMA))
REQUIRED = [
    "tips",
    "fare",
    "trip_miles",
    "payment_type",
    "trip_start_timestamp",
    "trip_start_month",
    "trip_start_day",
    "trip_start_hour",
]
OPTIONAL = [name for name in COLUMNS if name not in REQUIRED]


@pytest.fixture(scope="module")
def real_rows():
    with taxi_csv_path().open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def real_types(real_rows):
    """Of all rows: CsvExampleGen infers before it splits."""
    return inferred_types(real_rows)


@pytest.fixture(scope="module")
def real_examples(real_rows, real_types):
    """All rows, serialized."""
    return [to_example(row, real_types).SerializeToString() for row in real_rows]


@pytest.fixture
def rows(real_rows):
    """The first 300 rows, to be damaged."""
    return copy.deepcopy(real_rows[:300])


def inferred_types(rows):
    """Column types as CsvExampleGen infers them."""
    inferrer = csv_decoder.ColumnTypeInferrer(list(rows[0]), skip_blank_lines=True)
    types = inferrer.create_accumulator()
    for row in rows:
        types = inferrer.add_input(types, [cell.encode() for cell in row.values()])
    return types


def to_example(row, types):
    """Encodes a row as CsvExampleGen does: an empty cell is a feature with an empty list."""
    example = tf.train.Example()
    for name, cell in row.items():
        feature = example.features.feature[name]
        filled = [cell] if cell else []
        if types[name] == csv_decoder.ColumnType.INT:
            feature.int64_list.CopyFrom(tf.train.Int64List(value=map(int, filled)))
        elif types[name] == csv_decoder.ColumnType.FLOAT:
            feature.float_list.CopyFrom(tf.train.FloatList(value=map(float, filled)))
        elif types[name] == csv_decoder.ColumnType.STRING:
            feature.bytes_list.CopyFrom(tf.train.BytesList(value=[c.encode() for c in filled]))
    return example


def anomalies_of_examples(examples, environment="TRAINING"):
    serialized = [example.SerializeToString() for example in examples]
    return anomalies_of_serialized(serialized, environment)


def anomalies_of_serialized(serialized, environment="TRAINING"):
    """Validates; returns column -> (short description, description)."""
    batch = example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(serialized)
    stats = stats_impl.generate_statistics_in_memory(batch, tfdv.StatsOptions())
    found = tfdv.validate_statistics(stats, SCHEMA, environment=environment).anomaly_info
    return {name: (info.short_description, info.description) for name, info in found.items()}


def anomalies(rows, environment="TRAINING", types=None):
    types = types or inferred_types(rows)
    return anomalies_of_examples([to_example(row, types) for row in rows], environment)


def short(found):
    return {name: description for name, (description, _) in found.items()}


def drop(rows, column):
    for row in rows:
        del row[column]


# The real data.


def test_types_are_those_that_csv_example_gen_infers(real_types):
    enum = csv_decoder.ColumnType
    names = {enum.INT: "int", enum.FLOAT: "float", enum.STRING: "bytes"}
    inferred = {name: names[kind] for name, kind in real_types.items()}
    assert curated.column_types(SCHEMA) == inferred


def test_examples_here_are_encoded_as_csv_example_gen_encodes_them(real_rows, real_types):
    from tfx.components.example_gen.csv_example_gen import executor

    infos = [csv_decoder.ColumnInfo(name, kind) for name, kind in real_types.items()]
    encoder = executor._ParsedCsvToTfExample()
    for row in real_rows[:20]:
        [expected] = encoder.process([cell.encode() for cell in row.values()], infos)
        assert to_example(row, real_types) == expected


def test_real_data_is_clean(real_examples):
    assert anomalies_of_serialized(real_examples) == {}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_random_thirds_are_clean(real_examples, seed):
    shuffled = random.Random(seed).sample(real_examples, len(real_examples))
    for third in range(3):
        assert anomalies_of_serialized(shuffled[third::3]) == {}


def test_random_samples_of_a_hundred_rows_are_clean(real_examples):
    for seed in range(10):
        assert anomalies_of_serialized(random.Random(seed).sample(real_examples, 100)) == {}


def test_serving_data_without_the_label_is_clean(real_examples):
    examples = [tf.train.Example.FromString(each) for each in real_examples]
    for example in examples:
        del example.features.feature["tips"]
    assert anomalies_of_examples(examples, "SERVING") == {}


# Environments.


def test_serving_has_every_column_but_the_label():
    assert curated.columns_in_environment(SCHEMA, "TRAINING") == COLUMNS
    serving = curated.columns_in_environment(SCHEMA, "SERVING")
    assert set(COLUMNS) - set(serving) == {"tips"}


def test_label_is_missed_in_training_only(rows):
    drop(rows, "tips")
    assert anomalies(rows) == {"tips": ("Column dropped", "Column is completely missing")}
    assert anomalies(rows, "SERVING") == {}


def test_label_in_serving_data_is_found(rows):
    assert short(anomalies(rows, "SERVING")) == {"tips": "Column missing in environment"}


# Planted faults: one cell of one row in three hundred.


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("fare", "-5.0", "Out-of-range values"),
        ("fare", "1245000", "Out-of-range values"),
        ("fare", "nan", "Invalid values"),
        ("tips", "-0.01", "Out-of-range values"),
        ("tips", "4700", "Out-of-range values"),
        ("trip_miles", "-1.0", "Out-of-range values"),
        ("trip_miles", "20000", "Out-of-range values"),
        ("trip_seconds", "-1", "Out-of-range values"),
        ("trip_seconds", "86401", "Out-of-range values"),
        ("trip_start_month", "0", "Out-of-range values"),
        ("trip_start_month", "13", "Out-of-range values"),
        ("trip_start_day", "0", "Out-of-range values"),
        ("trip_start_day", "8", "Out-of-range values"),
        ("trip_start_hour", "-1", "Out-of-range values"),
        ("trip_start_hour", "24", "Out-of-range values"),
        ("trip_start_timestamp", "1356998399", "Out-of-range values"),
        ("trip_start_timestamp", "1400269500000", "Out-of-range values"),
        ("pickup_community_area", "0", "Out-of-range values"),
        ("pickup_community_area", "78", "Out-of-range values"),
        ("dropoff_community_area", "78", "Out-of-range values"),
        ("pickup_latitude", "0.0", "Out-of-range values"),
        ("pickup_latitude", "42.2", "Out-of-range values"),
        ("pickup_longitude", "87.63", "Out-of-range values"),
        ("dropoff_latitude", "-87.63", "Out-of-range values"),
        ("dropoff_longitude", "41.88", "Out-of-range values"),
        ("pickup_census_tract", "-1", "Out-of-range values"),
        ("pickup_census_tract", "36061000100", "Out-of-range values"),
        ("dropoff_census_tract", "81401", "Out-of-range values"),
        ("payment_type", "Bitcoin", "Unexpected string values"),
        ("payment_type", "credit card", "Unexpected string values"),
    ],
)
def test_one_bad_cell_is_found(rows, column, cell, expected):
    rows[PLANTED][column] = cell
    assert short(anomalies(rows)) == {column: expected}


def test_text_in_the_label_turns_the_column_and_is_found(rows):
    rows[PLANTED]["tips"] = "none"
    found = anomalies(rows)
    assert list(found) == ["tips"]
    assert "Expected data of type: FLOAT but got STRING" in found["tips"][1]


@pytest.mark.parametrize("column", REQUIRED)
def test_empty_cell_in_a_required_column_is_found(rows, column):
    rows[PLANTED][column] = ""
    assert short(anomalies(rows)) == {column: "Missing values"}


@pytest.mark.parametrize("column", OPTIONAL)
def test_empty_cell_in_an_optional_column_is_no_fault(rows, column):
    rows[PLANTED][column] = ""
    assert anomalies(rows) == {}


@pytest.mark.parametrize("column", [name for name in COLUMNS if name != "pickup_census_tract"])
def test_missing_column_is_found(rows, column):
    drop(rows, column)
    assert anomalies(rows) == {column: ("Column dropped", "Column is completely missing")}


def test_pickup_census_tract_may_be_missing_altogether(rows):
    drop(rows, "pickup_census_tract")
    assert anomalies(rows) == {}


def test_new_column_is_found(rows):
    for row in rows:
        row["tolls"] = "0.5"
    assert short(anomalies(rows)) == {"tolls": "New column"}


def test_two_values_in_one_column_are_found(rows):
    types = inferred_types(rows)
    examples = [to_example(row, types) for row in rows]
    examples[PLANTED].features.feature["fare"].float_list.value.append(1.0)
    assert short(anomalies_of_examples(examples)) == {"fare": "Superfluous values"}


@pytest.mark.parametrize(
    "column", [name for name in OPTIONAL if name.startswith(("pickup", "dropoff"))]
)
def test_place_column_emptied_in_a_whole_split(real_rows, real_types, column):
    # The types are those of all rows, so the empty column keeps its own.
    rows = [dict(row, **{column: ""}) for row in real_rows[:1000]]
    expected = {} if column == "pickup_census_tract" else {column: "Out-of-range values"}
    assert short(anomalies(rows, types=real_types)) == expected


@pytest.mark.parametrize("column", ["company", "trip_seconds"])
def test_emptied_column_that_the_schema_cannot_find(real_rows, real_types, column):
    """States a limit, which the schema's header names: to TFDV these empty cells are there."""
    rows = [dict(row, **{column: ""}) for row in real_rows[:1000]]
    assert anomalies(rows, types=real_types) == {}


@pytest.mark.parametrize("column", ["company", "trip_seconds", "dropoff_latitude"])
def test_presence_is_enforced_where_empty_cells_are_left_out(rows, column):
    """Readers other than CsvExampleGen leave an empty cell out of the example."""
    types = inferred_types(rows)
    examples = [to_example(row, types) for row in rows]
    for example in examples[: len(examples) * 3 // 4]:
        del example.features.feature[column]
    assert short(anomalies_of_examples(examples)) == {column: "Column dropped"}


# company: open, but not to anything.


def test_new_one_cab_companies_are_no_fault(rows):
    for number, row in enumerate(rows[:100]):
        row["company"] = f"{number} - Somebody's Cab"
    assert anomalies(rows) == {}


def test_company_recoded_is_found(rows):
    for row in rows:
        row["company"] = row["company"].upper()
    assert short(anomalies(rows)) == {"company": "Unexpected string values"}


# Parsing, as Transform and serving do it.


def test_every_feature_is_variable_length():
    spec = schema_utils.schema_as_feature_spec(SCHEMA).feature_spec
    dtypes = {"int": tf.int64, "float": tf.float32, "bytes": tf.string}
    expected = {
        name: tf.io.VarLenFeature(dtypes[kind])
        for name, kind in curated.column_types(SCHEMA).items()
    }
    assert spec == expected


def test_request_that_lacks_features_is_parsed_beside_one_that_has_them(real_rows, real_types):
    spec = schema_utils.schema_as_feature_spec(SCHEMA).feature_spec
    full = to_example(real_rows[2], real_types)
    requests = [full.SerializeToString(), tf.train.Example().SerializeToString()]
    parsed = tf.io.parse_example(requests, spec)
    assert parsed["fare"].dense_shape.numpy().tolist() == [2, 1]
    assert parsed["fare"].indices.numpy().tolist() == [[0, 0]]
    assert parsed["company"].values.numpy().tolist() == [b"Taxi Affiliation Services"]
