"""Patterns of spans mean what they mean to TFX's ExampleGen, and mistakes are said."""

import glob
import re

import pytest
from tfx.components.example_gen import utils as example_gen_utils
from tfx.proto import example_gen_pb2, range_config_pb2

from data.sources.span_patterns import (
    Span,
    choose,
    describe,
    find_spans,
    gaps,
    has_span,
    split_pattern,
)
from fareline.errors import DataError
from monitoring.feedback.folders import PATTERN

SPANS = "span-{SPAN}/version-{VERSION}/*.csv"


def files(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("a\n1\n")
    return folder


def find(folder, pattern):
    return find_spans(str(folder), pattern, glob.glob)


def as_tfx_resolves(folder, pattern, number=None):
    """TFX's own answer: span, version, and the pattern filled in."""
    split = example_gen_pb2.Input.Split(name="all", pattern=pattern)
    chosen = None
    if number is not None:
        only = range_config_pb2.StaticRange(start_span_number=number, end_span_number=number)
        chosen = range_config_pb2.RangeConfig(static_range=only)
    _, span, version = example_gen_utils.calculate_splits_fingerprint_span_and_version(
        str(folder), [split], chosen
    )
    return Span(span, version, split.pattern)


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        (SPANS, ["span-1/version-1/a.csv", "span-2/version-1/a.csv", "span-2/version-10/a.csv",
                 "span-2/version-9/a.csv", "span-10/version-3/a.csv"]),
        (PATTERN, [f"span-{s}/version-{v}/{f}" for s, v in ((1, 1), (1, 2), (2, 1))
                   for f in ("rows.parquet", "states.parquet", "span.json")]),
        ("span-{SPAN}/*", ["span-1/a.csv", "span-7/b.csv"]),
        ("{SPAN:3}.csv", ["001.csv", "012.csv"]),
        ("s{SPAN:2}/v{VERSION:3}/*.csv", ["s01/v001/a.csv", "s01/v002/a.csv", "s03/v001/a.csv"]),
        ("{YYYY}-{MM}-{DD}/*.csv", ["2013-01-01/a.csv", "2016-12-31/a.csv", "1970-01-01/a.csv"]),
        ("{YYYY}{MM}{DD}/v{VERSION}/*", ["20130101/v1/a.csv", "20130101/v2/a.csv"]),
    ],
)  # fmt: skip
def test_spans_and_versions_are_those_of_tfx(tmp_path, pattern, paths):
    files(tmp_path, *paths)
    found = find(tmp_path, pattern)
    assert found[-1] == as_tfx_resolves(tmp_path, pattern)
    for span in found:
        assert span == as_tfx_resolves(tmp_path, pattern, span.number)
        assert glob.glob(str(tmp_path / span.pattern))
    assert [span.number for span in found] == sorted({span.number for span in found})


def test_a_pattern_is_split_where_it_begins_to_be_one():
    assert split_pattern(f"/data/quarters/{SPANS}") == ("/data/quarters", SPANS)
    assert split_pattern("gs://bucket/a/{YYYY}/{MM}/{DD}/x.csv") == (
        "gs://bucket/a",
        "{YYYY}/{MM}/{DD}/x.csv",
    )
    assert has_span("a/{SPAN}/b") and has_span("{YYYY}") and has_span("{VERSION:2}")
    assert not has_span("a/*/b.csv") and not has_span("{span}")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("{SPAN}/{YYYY}-{MM}-{DD}/*", "names the span twice, by number and by date"),
        ("{YYYY}-{MM}/*", "has a date that is not whole, or is there twice"),
        ("{YYYY}-{MM}-{DD}-{DD}/*", "has a date that is not whole, or is there twice"),
        ("{SPAN}/{SPAN}/*", "names something twice"),
        ("{SPAN}/{VERSION}/{VERSION}/*", "names something twice"),
        ("v{VERSION}/*", "has a version and no span"),
        ("{SPAN:x}/*", "{SPAN:x} has no such width"),
        ("{SPAN:0}/*", "{SPAN:0} has no such width"),
    ],
)
def test_a_pattern_that_tfx_refuses_is_refused(tmp_path, pattern, found):
    message = f"/d/{pattern}: {found}; expected {{SPAN}} once,"
    with pytest.raises(DataError, match=re.escape(message)):
        split_pattern(f"/d/{pattern}")
    files(tmp_path, "1/1/1/1", "2013-01-01/a", "v1/a")
    with pytest.raises((ValueError, AssertionError, RuntimeError)):
        as_tfx_resolves(tmp_path, pattern)


def test_a_path_without_a_number_is_named(tmp_path):
    files(tmp_path, "span-1/version-1/a.csv", "span-old/version-1/a.csv")
    with pytest.raises(DataError) as caught:
        find(tmp_path, SPANS)
    assert str(caught.value) == (
        f"{tmp_path}/span-old/version-1/a.csv: matches the pattern, but its span or version is not "
        f"a number or a date; expected paths like {SPANS}. Hint: move the file elsewhere, or "
        "correct the pattern."
    )
    files(tmp_path, "2013-02-30/a.csv")
    with pytest.raises(DataError, match="2013-02-30/a.csv: matches the pattern, but "):
        find(tmp_path, "{YYYY}-{MM}-{DD}/*.csv")


def test_leading_zeros_want_a_width(tmp_path):
    files(tmp_path, "span-01/a.csv")
    with pytest.raises(DataError, match="/span-01/a.csv: 01 has leading zeros; expected {SPAN:2}"):
        find(tmp_path, "span-{SPAN}/*.csv")
    assert [span.number for span in find(tmp_path, "span-{SPAN:2}/*.csv")] == [1]


def spans(*numbers):
    return [Span(number, None, f"{number}/*") for number in numbers]


def test_the_latest_span_is_chosen_or_the_one_named_with_those_before_it():
    there = spans(1, 2, 3, 5)
    assert choose(there, "{SPAN}/*", None, 1, "x") == spans(5)
    assert choose(there, "{SPAN}/*", 2, 1, "x") == spans(2)
    assert choose(there, "{SPAN}/*", None, 3, "x") == spans(2, 3, 5)
    assert choose(there, "{SPAN}/*", 2, 4, "x") == spans(1, 2)


def test_a_span_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(DataError) as caught:
        choose(spans(1, 2, 3, 5), "{SPAN}/*", 4, 1, "/d/{SPAN}/*")
    assert str(caught.value) == (
        "/d/{SPAN}/*, span 4: is not there; expected one of 1 to 3, 5. Hint: name one of these "
        "with data.span, or leave it out for the latest."
    )
    with pytest.raises(DataError, match="^/d/{SPAN}: matches no file; expected at least one "):
        choose([], "{SPAN}", None, 1, "/d/{SPAN}")


def test_numbers_in_words():
    assert describe([1, 2, 3, 7, 9, 10]) == "1 to 3, 7, 9 to 10"
    assert describe([15706, 16071], "{YYYY}-{MM}-{DD}") == "15706 (2013-01-01), 16071 (2014-01-01)"
    assert describe(range(1, 60, 2)).split(", ") == [
        *("1", "3", "5", "7", "9", "11", "…", "51", "53", "55", "57", "59"),
    ]


def test_gaps_are_numbers_between_spans():
    assert gaps(spans(1, 2, 5, 7), "{SPAN}/*") == [3, 4, 6]
    assert gaps(spans(1, 2), "{SPAN}/*") == gaps([], "{SPAN}") == []
    assert gaps(spans(1, 400), "{YYYY}-{MM}-{DD}/*") == []
