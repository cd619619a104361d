"""Columns that look personal are told; the taxi data's are not."""

import gzip

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from data.sources.personal_columns import find_personal_columns, sample_columns
from data.taxi import taxi_csv_path

CARDS = ["4111111111111111", "5500 0000 0000 0004", "340000000000009", "6011-0000-0000-0004",
         "4012888888881881"]  # fmt: skip
PHONES = ["+1 312 555 0100", "(312) 555-0101", "312-555-0102", "+44 20 7946 0958", "312.555.0103"]


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("contact", [f"p{i}@example.org" for i in range(9)], "e-mail addresses"),
        ("paid_with", CARDS, "card numbers"),
        ("reached_at", PHONES, "telephone numbers"),
        ("driver_name", ["Ann", "Bo"], "names"),
        ("lastName", ["Ann", "Bo"], "names"),
        ("Full Name", ["Ann", "Bo"], "names"),
        ("name", ["Ann"], "names"),
    ],
)
def test_a_column_that_looks_personal(name, cells, expected):
    assert find_personal_columns({name: cells}) == {name: expected}


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("stamp", [str(1_400_000_000 + 900 * i) for i in range(50)]),
        ("tract", [str(17_031_010_100 + 100 * i) for i in range(50)]),
        ("price", ["12.45", "3.25", "4.50", "5.75", "100.00"]),
        ("day", ["2013-01-01", "2013-01-02", "2013-02-03", "2014-05-06", "2015-06-07"]),
        ("sixteen_digits", [str(4_111_111_111_111_110 + 2 * i) for i in range(50)]),
        ("filename_index", ["1", "2", "3"]),
        ("rename", ["yes", "no"]),
        ("few", ["a@example.org"]),
        ("mixed", ["a@example.org", *"bcdefg"]),
        ("name_code", ["1", "2"]),
    ],
)
def test_a_column_that_does_not(name, cells):
    assert find_personal_columns({name: cells}) == {}


def test_nothing_in_the_taxi_data_looks_personal():
    cells = sample_columns([taxi_csv_path()])
    assert len(cells) == 18
    assert all(len(values) == 1_000 for values in cells.values())
    assert find_personal_columns(cells) == {}


def test_files_are_sampled_whatever_is_in_them(tmp_path):
    one, two = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_bytes(b"\xef\xbb\xbfx,y\n1,\xff\n2\n")
    two.write_bytes(b'x,y\n3,"4\n5"\n')
    assert sample_columns([one, two]) == {"x": ["1", "2", "3"], "y": ["\ufffd", "4\n5"]}


def test_files_of_other_formats_are_sampled_too(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"x,y\n1,a\n"))
    table = pa.table({"x": [2, None], "y": pa.array([b"b", b"\xff"])})
    pyarrow.parquet.write_table(table, tmp_path / "b.parquet")
    pyarrow.feather.write_feather(table, str(tmp_path / "c.arrow"))
    for broken in ("d.parquet", "e.arrow", "f.csv.gz", "g.tfrecord"):
        (tmp_path / broken).write_bytes(b"neither of these")
    files = [*sorted(tmp_path.iterdir()), tmp_path / "gone.csv"]
    assert sample_columns(files) == {
        "x": ["1", "2", "2"],
        "y": ["a", "b", "\ufffd", "b", "\ufffd"],
    }
