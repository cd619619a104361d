"""Evidence of anomalies: the rows at fault are counted as plain Python counts them."""

import math

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.gate.anomalies import DATA_SET, Anomaly
from schema.gate.evidence import Evidence, collect_evidence

SCHEMA = text_format.Parse(
    """
    feature { name: "fare" type: FLOAT presence { min_fraction: 1.0 min_count: 1 }
              value_count { min: 1 max: 1 } float_domain { min: 0.0 max: 10000.0 } }
    feature { name: "hour" type: INT int_domain { min: 0 max: 23 } }
    feature { name: "open" type: INT int_domain { min: 3 } }
    feature { name: "kind" type: BYTES domain: "kinds" }
    feature { name: "company" type: BYTES string_domain { value: "A" value: "B" value: "C"
              value: "D" value: "E" value: "F" } presence { min_fraction: 0.6 } }
    string_domain { name: "kinds" value: "Cash" value: "Card" }
    """,
    schema_pb2.Schema(),
)


def evidence_of(column, kind, *arrays, schema=SCHEMA):
    (found,) = collect_evidence(
        [Anomaly(column, kind, "", ("train",))], schema, [{column: array} for array in arrays]
    )
    return found


def test_values_outside_a_range_are_counted_over_batches():
    generator = np.random.default_rng(5)
    values = [generator.normal(100, 200, 50).round(2).tolist() for _ in range(3)]
    values[1][7] = None
    arrays = [pa.array([None if v is None else [v] for v in part]) for part in values]
    found = evidence_of("fare", "FLOAT_TYPE_SMALL_FLOAT", *arrays)
    wrong = [v for part in values for v in part if v is not None and not 0 <= v <= 10000]
    assert 0 < len(wrong) == found.rows
    assert found.example == f"{wrong[0]:.7g}"
    assert found.expected == "FLOAT, 0 to 10000"


def test_a_row_of_several_wrong_values_counts_once():
    lists = pa.array([[1, 30, 31], [5], None, []], pa.large_list(pa.int64()))
    assert evidence_of("hour", "INT_TYPE_BIG_INT", lists) == Evidence("INT, 0 to 23", 1, "30")


def test_a_bound_on_one_side():
    found = evidence_of("open", "INT_TYPE_SMALL_INT", pa.array([2, 3, None, 1]))
    assert found == Evidence("INT, 3 or more", 2, "2")


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("kind", "BYTES, one of Cash, Card"),
        ("company", "BYTES, one of A, B, C, D, E and 1 more"),
    ],
)
def test_new_categories(column, expected):
    cells = pa.array(
        [[b"Bitcoin"], [b"Cash"], [b"A"], [b"Bitcoin"]], pa.large_list(pa.large_binary())
    )
    found = evidence_of(column, "ENUM_TYPE_UNEXPECTED_STRING_VALUES", cells)
    assert found == Evidence(expected, 3, "Bitcoin")


def test_a_column_of_another_type_is_wrong_wherever_it_has_a_value():
    cells = pa.array([[b"12.5"], None, [b"free"]], pa.large_list(pa.large_binary()))
    assert evidence_of("fare", "UNEXPECTED_DATA_TYPE", cells).rows == 2


def test_absence_and_emptiness():
    cells = pa.array([[1.0], None, [], [2.0, 3.0]], pa.large_list(pa.float32()))
    assert evidence_of("fare", "FEATURE_TYPE_LOW_FRACTION_PRESENT", cells) == Evidence(
        "in every row", 2
    )
    assert evidence_of("fare", "FEATURE_TYPE_LOW_NUMBER_VALUES", cells) == Evidence("1 value", 2)
    assert evidence_of("company", "FEATURE_TYPE_LOW_FRACTION_PRESENT", cells).expected == (
        "in at least 0.6 of the rows"
    )


def test_a_missing_column_is_missing_in_every_row():
    (found,) = collect_evidence(
        [Anomaly("fare", "SCHEMA_MISSING_COLUMN", "", ("train",))],
        SCHEMA,
        [{"hour": pa.array([1, 2, 3])}],
    )
    assert found == Evidence("in every row", 3)


def test_a_new_column_and_one_about_no_row():
    found = collect_evidence(
        [
            Anomaly("tip", "SCHEMA_NEW_COLUMN", "", ("train",)),
            Anomaly(DATA_SET, "DATASET_LOW_NUM_EXAMPLES", "", ("train",)),
            Anomaly("fare", "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH", "", ("train",)),
        ],
        SCHEMA,
        [{"tip": pa.array([None, 1, 2])}],
    )
    assert found[0] == Evidence("no such column", 2, "1")
    assert [e.rows for e in found[1:]] == [None, None]


def test_numbers_that_are_none():
    cells = pa.array([[1.0], [math.nan], [math.inf]], pa.large_list(pa.float32()))
    assert evidence_of("fare", "FLOAT_TYPE_HAS_NAN", cells) == Evidence("finite numbers", 1, "nan")
    assert evidence_of("fare", "FLOAT_TYPE_HAS_INF", cells) == Evidence("finite numbers", 1, "inf")


def test_long_and_broken_values_are_shown_short():
    cells = pa.array([[b"\xff" + b"x" * 100]], pa.large_list(pa.large_binary()))
    example = evidence_of("kind", "ENUM_TYPE_UNEXPECTED_STRING_VALUES", cells).example
    assert example.startswith("\\xffxxx")
    assert len(example) == 60
    assert example.endswith("…")
