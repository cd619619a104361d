"""Names of slices, and the features that TFMA slices by."""

import pytest

from pipeline.settings.slicing import (
    FeatureKey,
    bucket_name,
    feature_key,
    is_name_of,
    parse_feature_key,
    slice_name,
)


@pytest.mark.parametrize(
    ("column", "boundaries", "key"),
    [
        ("fare", (), "fare"),
        ("fare", (1.0, 2.5, 10.0), "fare [1, 2.5, 10]"),
        ("a [b", (-1.0,), "a [b [-1]"),
        ("fare", (1e-7, 1e22), "fare [1e-07, 10000000000000000000000]"),
    ],
)
def test_the_features_name_holds_column_and_boundaries(column, boundaries, key):
    assert feature_key(column, boundaries) == key
    assert parse_feature_key(key) == FeatureKey(column, boundaries)


@pytest.mark.parametrize("name", ["shift", "shift [1, 2]", "a [b"])
def test_a_function_of_the_users_is_in_the_name(name):
    key = feature_key(name, (), "taxi_code.judge.shift")
    assert parse_feature_key(key) == FeatureKey(name, function="taxi_code.judge.shift")
    assert parse_feature_key(feature_key(key)) == FeatureKey(key)  # a column of that very name


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (-3, "below 1"),
        (0.999, "below 1"),
        (1, "1 to below 2.5"),  # a boundary belongs to the bucket above it
        (2.5, "2.5 or more"),
        (900, "2.5 or more"),
    ],
)
def test_buckets(value, name):
    assert bucket_name(value, [1.0, 2.5]) == name


def test_names_of_slices_are_sorted_by_column():
    assert slice_name([("b", 2), ("a", "x=y")]) == "a=x=y, b=2"
    assert slice_name([]) == "overall"


@pytest.mark.parametrize(
    ("name", "columns", "expected"),
    [
        ("a", ["a"], True),
        ("a=1", ["a"], True),
        ("a=", ["a"], False),
        ("ab", ["a"], False),
        ("b", ["a"], False),
        ("b, a", ["a", "b"], True),  # all slices by both, in any order
        ("a=1, b=x, y", ["b", "a"], True),
        ("b=1, a=2", ["a", "b"], False),  # one slice is named as reports name it
        ("a=1", ["a", "b"], False),
        ("a.c=1", ["a.c"], True),
        ("abc=1", ["a.c"], False),
        ("a, b", ["a, b"], True),  # one column of that name
        ("a", ["a, b"], False),
        ("a=b", ["a=b"], True),
    ],
)
def test_which_slices_a_name_is_about(name, columns, expected):
    assert is_name_of(name, columns) is expected
