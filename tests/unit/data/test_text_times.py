"""Days and times written as text, against the calendar of the standard library."""

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.splitting.text_times import parse_time, time_text

UTC = datetime.timezone.utc


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("1970-01-01", 0),
        ("1970-01-02", 86_400_000_000),
        (" 1970-01-01 00:01 ", 60_000_000),
        ("1970-01-01T00:00:01", 1_000_000),
        ("1970-01-01 00:00:01.5", 1_500_000),
        ("1970-01-01 00:00:01,25", 1_250_000),
        ("1970-01-01T00:00:00.123456789", 123_456),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T01:00:00+01", 0),
        ("1969-12-31T22:30:00-0130", 0),
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01 00:00:00 UTC", 0),
        ("1969-12-31", -86_400_000_000),
    ],
)
def test_forms_that_are_read(text, same_as):
    assert parse_time(text) == same_as


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "20240131", "2024-W05", "2024-1-5", "31.01.2024", "01/31/2024", "2024-02-30",
        "2024-13-01", "2024-01-01T25:00", "2024-01-01T10:00+24:00", "2024-01-01T10:00+01:60",
        "2024-01-01 10", "2024-01-01T", "0000-01-01", "0001-01-01T00:00+01:00",
        "9999-12-31T23:59-01:00", "२०२४-०१-०१", "2024-01-01\n2024-01-02", "1704067200",
    ],
)  # fmt: skip
def test_other_texts_are_no_times(text):
    assert parse_time(text) is None


@settings(max_examples=300, deadline=None)
@given(
    st.datetimes(datetime.datetime(2, 1, 1), datetime.datetime(9998, 1, 1)),
    st.datetimes(datetime.datetime(2, 1, 1), datetime.datetime(9998, 1, 1)),
    st.integers(-23 * 60, 23 * 60),
)
def test_any_time_is_read_as_python_reads_it_and_texts_are_in_its_order(one, other, minutes):
    zone = datetime.timezone(datetime.timedelta(minutes=minutes))
    micros = parse_time(one.replace(tzinfo=zone).isoformat())
    since = one.replace(tzinfo=zone) - datetime.datetime(1970, 1, 1, tzinfo=UTC)
    assert micros == since // datetime.timedelta(microseconds=1)
    assert parse_time(time_text(micros)) == micros
    theirs = parse_time(other.isoformat())
    assert (time_text(micros) < time_text(theirs)) == (micros < theirs)
