"""Rows cut by time: every row in exactly one span, as it was, in folders that TFX understands."""

import csv
import datetime
import hashlib
import json
from collections import Counter

import pandas as pd
import pytest
from tfx.components.example_gen import utils as example_gen_utils
from tfx.proto import example_gen_pb2, range_config_pb2

from data.generate.cut_spans import LISTING, PERIODS, Cut, cut_into_spans
from data.taxi import taxi_csv_path
from fareline.errors import DataError


@pytest.fixture(scope="module")
def quarters(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spans") / "quarters"
    return folder, cut_into_spans([taxi_csv_path()], Cut("quarter"), folder)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    return tuple(header), [tuple(row) for row in rows]


def write(path, *times, header="a,t"):
    path.write_text(header + "\n" + "".join(f"x,{time}\n" for time in times), encoding="utf-8")
    return path


def test_every_row_is_in_exactly_one_span_as_it_was(quarters):
    folder, listing = quarters
    header, rows = rows_of(taxi_csv_path())
    found = []
    for span in listing["spans"]:
        span_header, span_rows = rows_of(folder / span["path"])
        assert span_header == header
        assert len(span_rows) == span["rows"]
        found += span_rows
    assert Counter(found) == Counter(rows)
    assert listing["rows"] == len(rows) == 15_002


@pytest.mark.parametrize("by", PERIODS)
def test_periods_are_those_of_pandas(tmp_path, by):
    listing = cut_into_spans([taxi_csv_path()], Cut(by), tmp_path / "spans")
    starts = pd.to_datetime(pd.read_csv(taxi_csv_path())["trip_start_timestamp"], unit="s")
    periods = starts.dt.to_period({"month": "M", "quarter": "Q", "year": "Y"}[by])
    expected = periods.value_counts().sort_index()
    assert [span["rows"] for span in listing["spans"]] == expected.tolist()
    assert [span["begin"] for span in listing["spans"]] == [
        str(period.start_time.date()) for period in expected.index
    ]
    assert [span["end"] for span in listing["spans"]] == [
        str((period + 1).start_time.date()) for period in expected.index
    ]
    assert [span["span"] for span in listing["spans"]] == list(range(1, len(expected) + 1))


def test_the_bounds_of_a_period_are_to_the_second(tmp_path):
    midnight = int(datetime.datetime(2014, 1, 1, tzinfo=datetime.timezone.utc).timestamp())
    source = write(tmp_path / "rows.csv", midnight - 1, midnight, -1)
    listing = cut_into_spans([source], Cut("month", "t"), tmp_path / "spans")
    assert [(s["period"], s["span"], s["rows"]) for s in listing["spans"]] == [
        ("1969-12", 1, 1),
        ("2013-12", 529, 1),
        ("2014-01", 530, 1),
    ]


@pytest.mark.parametrize("layout", ["span", "date"])
def test_tfx_finds_the_spans_by_the_pattern(tmp_path, layout):
    folder = tmp_path / "spans"
    listing = cut_into_spans([taxi_csv_path()], Cut("year", layout=layout), folder)
    numbers = [span["span"] for span in listing["spans"]]

    def resolve(range_config=None):
        split = example_gen_pb2.Input.Split(name="all", pattern=listing["pattern"])
        _, span, version = example_gen_utils.calculate_splits_fingerprint_span_and_version(
            str(folder), [split], range_config
        )
        return span, version, split.pattern

    assert resolve()[:2] == (numbers[-1], 1)
    for span in listing["spans"]:
        only = range_config_pb2.StaticRange(
            start_span_number=span["span"], end_span_number=span["span"]
        )
        number, version, pattern = resolve(range_config_pb2.RangeConfig(static_range=only))
        assert (number, version) == (span["span"], 1)
        [path] = folder.glob(pattern)
        assert str(path.relative_to(folder)) == span["path"]


def test_a_second_version_is_added_beside_the_first(quarters, tmp_path):
    first = write(tmp_path / "first.csv", 0, 40 * 86400)
    second = write(tmp_path / "second.csv", 0, 1, 40 * 86400)
    folder = tmp_path / "spans"
    cut_into_spans([first], Cut("month", "t"), folder)
    listing = cut_into_spans([second], Cut("month", "t", version=2), folder)
    assert [(s["span"], s["version"], s["rows"]) for s in listing["spans"]] == [
        (1, 2, 2),
        (2, 2, 1),
    ]
    kept = json.loads((folder / LISTING).read_text())["spans"]
    assert [(s["span"], s["version"]) for s in kept] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    for span in kept:
        content = (folder / span["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == span["sha256"]
        assert content.count(b"\n") - 1 == span["rows"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.csv", "second.csv", "spans"]


def test_bytes_that_are_no_text_and_rows_that_are_broken_are_copied(tmp_path):
    source = tmp_path / "rows.csv"
    source.write_bytes(b'\xef\xbb\xbft,a\r\n5,"two\nlines, ""quoted"""\r\n\r\n6,Caf\xe9\r\n7\r\n')
    listing = cut_into_spans([source], Cut("year", "t"), tmp_path / "spans")
    content = (tmp_path / "spans" / listing["spans"][0]["path"]).read_bytes()
    assert content == b't,a\n5,"two\nlines, ""quoted"""\n6,Caf\xe9\n7\n'
    assert listing["rows"] == 3


@pytest.mark.parametrize("time", ["", "noon", "12.5", "9" * 30])
def test_a_row_without_a_time_is_named_and_nothing_is_written(tmp_path, time):
    source = write(tmp_path / "rows.csv", 5, time)
    with pytest.raises(DataError) as caught:
        cut_into_spans([source], Cut("month", "t"), tmp_path / "spans")
    assert str(caught.value) == (
        f"{source}, line 3: t is {time!r}; expected seconds since 1970 in every row, since a row "
        "without a time is in no span. Hint: correct or remove the row."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_a_version_that_is_there_is_not_replaced(tmp_path):
    source, folder = write(tmp_path / "rows.csv", 5), tmp_path / "spans"
    cut_into_spans([source], Cut("month", "t"), folder)
    before = sorted(folder.rglob("*"))
    with pytest.raises(DataError, match="span-1/version-1: already exists; expected a version "):
        cut_into_spans([source], Cut("month", "t"), folder)
    assert sorted(folder.rglob("*")) == before


def test_spans_that_were_cut_otherwise_are_not_mixed(tmp_path):
    source, folder = write(tmp_path / "rows.csv", 5), tmp_path / "spans"
    cut_into_spans([source], Cut("month", "t"), folder)
    with pytest.raises(DataError, match="holds spans that were cut with by month; expected year. "):
        cut_into_spans([source], Cut("year", "t", version=2), folder)
    later = write(tmp_path / "later.csv", 40 * 86400)
    with pytest.raises(DataError, match="begins on 1970-01-01, that of these rows on 1970-02-01; "):
        cut_into_spans([later], Cut("month", "t", version=2), folder)


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("")
    with pytest.raises(DataError, match=": is not empty; expected a new folder, "):
        cut_into_spans([taxi_csv_path()], Cut("year"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_column_that_is_not_there_is_named(tmp_path):
    source = write(tmp_path / "rows.csv", 5)
    with pytest.raises(DataError, match="has no column 'when'; expected it among its 2 columns. "):
        cut_into_spans([source], Cut("month", "when"), tmp_path / "spans")
