"""What the bytes of a row show, against the same row parsed by protobuf."""

import contextlib
import math
import warnings

import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.model.columns import Column
from serving.model.servable import RefusedError, Signature
from serving.server.row_checks import ExampleCheck

NAMES = ["", "x", "y", "é" * 70, "n" * 20_000]
FLOATS = st.sampled_from([0.0, 1.0, -2.5, 3.4e38, math.nan, math.inf, -math.inf])
VALUES = st.one_of(
    st.tuples(st.just("float_list"), st.lists(FLOATS, max_size=40)),
    st.tuples(st.just("int64_list"), st.lists(st.sampled_from([0, 1, -1, 2**62]), max_size=3)),
    st.tuples(st.just("bytes_list"), st.lists(st.binary(max_size=300), max_size=3)),
    st.none(),
)
ROWS = st.dictionaries(st.sampled_from(NAMES), VALUES)
SIGNATURE = Signature(
    "s", {}, (), "examples", {name: Column(name, "float", False) for name in NAMES}, list
)


def _example(columns):
    example = tf.train.Example()
    for name, value in columns.items():
        feature = example.features.feature[name]
        if value is not None:
            getattr(feature, value[0]).value.extend(value[1])
    return example.SerializeToString()


def _said(required, row):
    """What the check should say, by the parsed row; None for nothing.

    Raises:
        DecodeError, SystemError: The row is not a tf.Example, so the graph refuses it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features = tf.train.Example.FromString(row).features.feature
    if missing := [name for name in required if not _values(features, name)]:
        return "without", missing
    for name in NAMES:
        if name in features and not all(map(math.isfinite, features[name].float_list.value)):
            return "odd", name
    return None


def _values(features, name):
    kind = features[name].WhichOneof("kind") if name in features else None
    return kind and getattr(features[name], kind).value


def _check(required, row):
    check = ExampleCheck(required, SIGNATURE)
    try:
        expected = _said(required, row)
    except (DecodeError, SystemError):
        with contextlib.suppress(RefusedError):  # refused by the one or the other
            check.check("examples", [row])
        return
    if expected is None:
        check.check("examples", [row])
        return
    with pytest.raises(RefusedError) as refused:
        check.check("examples", [row])
    what, names = expected
    if what == "without":
        assert str(refused.value) == str(RefusedError.lacking("examples[0]", names))
    else:
        assert str(refused.value).startswith(f"examples[0].{names}"[:500])


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(st.sampled_from(NAMES), unique=True), st.lists(ROWS, min_size=1, max_size=2))
def test_rows_are_refused_as_their_parsed_messages_are(required, parts):
    """Two messages after each other are one message, whose columns are those of both."""
    _check(required, b"".join(map(_example, parts)))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(ROWS, st.data())
def test_rows_with_bytes_cut_changed_or_added_are_refused_as_their_parsed_messages_are(row, data):
    made = bytearray(_example({**row, "x": ("float_list", [1.0])}))
    place = data.draw(st.integers(0, min(len(made), 400) - 1))
    match data.draw(st.sampled_from(["cut", "change", "add"])):
        case "cut":
            del made[place:]
        case "change":
            made[place] = data.draw(st.integers(0, 255))
        case "add":
            made[place:place] = data.draw(st.binary(min_size=1, max_size=4))
    _check(["x"], bytes(made))
