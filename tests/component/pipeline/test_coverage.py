"""Examples counted by label and slice: as Transform labels them, and as pandas groups them."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf

from data.taxi import taxi_csv_path
from pipeline.data_gate.coverage import Demands, count, find_shortfalls
from preprocessing.labels import Amount, Classes, Flag, Share, parse_label
from preprocessing.transform import make_label

ABOVE = {"column": "tips", "above": {"column": "fare", "times": 0.2}}
HOURS = [("trip_start_hour", ())]
MILES = [("trip_miles", (1, 5))]


@pytest.fixture(scope="module")
def trips():
    """Trips as pandas has them; company is missing in a third, trip_miles planted so in some."""
    rows = pd.read_csv(taxi_csv_path()).sample(4_000, random_state=3).reset_index(drop=True)
    rows.loc[::50, "trip_miles"] = np.nan
    return rows


def batches(trips, size=1_500):
    """Arrow as examples are read: lists of float32, int64 or bytes, null where missing."""
    types = {
        "trip_start_hour": pa.int64(),
        "payment_type": pa.large_binary(),
        "company": pa.large_binary(),
    }
    for start in range(0, len(trips), size):
        part = trips[start : start + size]
        yield {
            name: pa.array(
                [
                    None if pd.isna(v) else [v.encode() if isinstance(v, str) else v]
                    for v in part[name]
                ],
                pa.large_list(types.get(name, pa.float32())),
            )
            for name in ("tips", "fare", "trip_miles", "trip_start_hour", "payment_type", "company")
        }


def sparse(values, dtype):
    present = [[i, 0] for i, value in enumerate(values) if not pd.isna(value)]
    return tf.SparseTensor(
        present, tf.constant([v for v in values if not pd.isna(v)], dtype), [len(values), 1]
    )


@pytest.mark.parametrize(
    ("settings", "task"),
    [
        (ABOVE, "binary"),
        ({"positive": "Cash"}, "binary"),
        ({"positive": "Cash", "negative": "Credit Card"}, "binary"),
        ({"classes": ["Cash", "Credit Card"]}, "multiclass"),
        ({"classes": ["Cash", "Credit Card"], "other": "class"}, "multiclass"),
        ({"column": "company", "classes": ["Flash Cab"], "other": "class"}, "multiclass"),
    ],
)
def test_labels_are_those_of_transform(trips, settings, task):
    label = parse_label({"column": "payment_type", "other": "drop", **settings}, task)
    inputs = {
        name: sparse(trips[name], tf.string if trips[name].dtype == object else tf.float32)
        for name in label.columns
    }
    made = make_label(inputs, label)
    values = made[label.output].numpy().ravel()
    if label.weight_output:
        values = values[made[label.weight_output].numpy().ravel() > 0]
    expected = {
        label.names[value]: int(number)
        for value, number in zip(*np.unique(values, return_counts=True), strict=True)
    }
    assert dict(count(batches(trips), label, []).labels) == expected
    assert sum(expected.values()) > 1_000


def test_a_number_has_no_labels(trips):
    label = Amount("tips")
    assert label.names == ()
    assert dict(count(batches(trips), label, []).labels) == {}


def test_slices_are_those_of_pandas(trips):
    slices = [HOURS, MILES, [("payment_type", ()), ("company", ())]]
    counts = count(batches(trips), parse_label(ABOVE), slices)
    assert counts.examples == 4_000
    expected = {
        f"trip_start_hour={hour}": n for hour, n in trips.trip_start_hour.value_counts().items()
    }
    miles = trips.trip_miles.dropna().astype("float32")
    expected |= {
        "trip_miles=below 1": (miles < 1).sum(),
        "trip_miles=1 to below 5": ((miles >= 1) & (miles < 5)).sum(),
        "trip_miles=5 or more": (miles >= 5).sum(),
    }
    # A row without a company is in no such slice.
    expected |= {
        f"company={company}, payment_type={payment}": n
        for (company, payment), n in trips.groupby(["company", "payment_type"]).size().items()
    }
    assert dict(counts.slices) == expected


def test_what_there_is_too_little_of(trips):
    label = parse_label(ABOVE)
    counts = {"eval": count(batches(trips[:40]), label, [MILES])}
    few = trips[:40]
    positives = counts["eval"].labels["1"]
    assert 0 < positives < 40
    found = find_shortfalls(
        Demands({"eval": 41}, {"eval": positives + 1}, {"eval": 9}), counts, label
    )
    short = [n for n in ((few.trip_miles < 1).sum(), (few.trip_miles >= 5).sum()) if n < 9]
    assert [(a.column, a.kind, a.splits) for a, _ in found][:2] == [
        ("(data set)", "TOO_FEW_EXAMPLES", ("eval",)),
        ("tips", "TOO_FEW_EXAMPLES_OF_LABEL", ("eval",)),
    ]
    assert [(a.found, e.expected, e.rows) for a, e in found][:2] == [
        ("40 examples", "at least 41", 40),
        (f"{positives} examples of label 1", f"at least {positives + 1}", positives),
    ]
    slices = [(a.column, a.found, e.rows) for a, e in found[2:]]
    assert len(slices) == len(short) > 0
    for column, words, rows in slices:
        assert words == f"{rows} example{'s' * (rows != 1)} of {column}"
    enough = Demands({"eval": 40}, {"eval": positives}, {"eval": 1})
    assert find_shortfalls(enough, counts, label) == []


def test_a_label_that_does_not_occur_is_too_few_and_a_split_without_demands_is_not_looked_at():
    label = Classes("x", values=("a", "b"))
    rows = [{"x": pa.array([["a"], ["a"], None], pa.large_list(pa.large_string()))}]
    [(anomaly, evidence)] = find_shortfalls(
        Demands({}, {"train": 1}, {}), {"train": count(rows, label, [])}, label
    )
    assert (anomaly.found, evidence.rows) == ("0 examples of label b", 0)
    assert Demands({"a": 1}, {"b": 2}, {}).splits == ["a", "b"]


def test_rules_on_lists_and_on_columns_that_are_not_there():
    """A row's first value counts; a missing amount is 0, as in Transform."""
    share = Share("tips", reference="fare", times=0.2)
    rows = [
        {
            "tips": pa.array([[3.0, 0.0], [], None], pa.large_list(pa.float32())),
            "fare": pa.array([[10.0], [10.0], [10.0]], pa.large_list(pa.float32())),
        }
    ]
    assert dict(count(rows, share, []).labels) == {"1": 1, "0": 2}
    flag = Flag("nowhere", other="drop", positive="x", negative=None)
    assert dict(count(rows, flag, [[("nowhere", ())]]).labels) == {}
    assert json.dumps(count(rows, flag, [[("nowhere", ())]]).slices) == "{}"
