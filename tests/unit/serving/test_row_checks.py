"""What the check says of a row, against what the op that the graph has reads in it."""

import contextlib
import math
import struct

import pytest
import tensorflow as tf
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
SPEC = {name: tf.io.VarLenFeature(tf.float32) for name in NAMES}


def _example(columns):
    example = tf.train.Example()
    for name, value in columns.items():
        feature = example.features.feature[name]
        if value is not None:
            getattr(feature, value[0]).value.extend(value[1])
    return example.SerializeToString()


def _said(required, row):
    """What the check should say, by what the op reads; None for nothing.

    Raises:
        InvalidArgumentError, UnicodeDecodeError: The op refuses the row.
    """
    parsed = tf.io.parse_example([row], SPEC)
    values = {name: column.values.numpy() for name, column in parsed.items()}
    if missing := [name for name in required if not values[name].size]:
        return "without", missing
    for name in NAMES:
        if not all(map(math.isfinite, values[name])):
            return "odd", name
    return None


def _check(required, row):
    check = ExampleCheck(required, SIGNATURE)
    try:
        expected = _said(required, row)
    except (tf.errors.InvalidArgumentError, UnicodeDecodeError):
        with contextlib.suppress(RefusedError):  # refused by the one or the other
            check.check("examples", [row])
        with pytest.raises(RefusedError):  # a row that is refused hides no other
            check.check("examples", [row, _example({"x": ("float_list", [math.nan])})])
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
def test_rows_are_refused_for_what_the_graph_reads_in_them(required, parts):
    """Two messages after each other are one message, whose columns are those of both."""
    _check(required, b"".join(map(_example, parts)))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(ROWS, st.data())
def test_rows_with_bytes_cut_changed_or_added_are_refused_for_what_the_graph_reads(row, data):
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


def _varint(number, size=0):
    """A number in seven bits a byte; padded to so many bytes, as protobuf may have it."""
    found = []
    while number > 0x7F or len(found) + 1 < size:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


SIZES = st.sampled_from([0, 0, 0, 0, 2, 5, 10])


@st.composite
def _field(draw, tag, content):
    """A field with its length, which takes more bytes than it needs now and then."""
    return bytes([tag]) + _varint(len(content), draw(SIZES)) + content


@st.composite
def _lists(draw):
    """One list of a feature: in one part or in several, packed or not, of any kind."""
    packed = b"".join(struct.pack("<f", each) for each in draw(st.lists(FLOATS, max_size=2)))
    loose = b"\r" + struct.pack("<f", draw(FLOATS))
    tag, parts = draw(
        st.sampled_from(
            [
                (0x12, [draw(_field(0x0A, packed))]),
                (0x12, [draw(_field(0x0A, packed)), draw(_field(0x0A, packed))]),
                (0x12, [loose]),
                (0x12, [loose, draw(_field(0x0A, packed))]),
                (0x12, []),
                (0x1A, [draw(_field(0x0A, b"\x80\x7f"))]),
                (0x1A, [b"\x08\x01"]),
                (0x1A, []),
                (0x0A, [draw(_field(0x0A, packed))]),
                (0x7A, [packed]),  # a field that nobody knows
            ]
        )
    )
    return draw(_field(tag, b"".join(parts)))


@st.composite
def _entries(draw):
    """An entry of the map of columns: key and feature in either order, once or not."""
    key = draw(_field(0x0A, draw(st.sampled_from([b"x", b"y", b"", b"\xff\xfe", b"z"]))))
    lists = draw(st.sampled_from([1, 1, 1, 2, 0]))
    feature = draw(_field(0x12, b"".join(draw(_lists()) for _ in range(lists))))
    forms = ([key, feature],) * 4 + ([feature, key], [feature], [key], [key, feature, feature])
    return draw(_field(0x0A, b"".join(draw(st.sampled_from(forms)))))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    st.lists(st.lists(_entries(), max_size=3), min_size=1, max_size=2),
    st.sampled_from([b"", b"", b"", b"\x78\x01", b"\x0b\x0c", b"\x00"]),
    st.data(),
)
def test_rows_as_no_library_writes_them_are_refused_for_what_the_graph_reads(parts, rest, data):
    """Protobuf reads many of them otherwise, or not at all."""
    row = b"".join(data.draw(_field(0x0A, b"".join(entries))) for entries in parts) + rest
    _check(["x"], row)
