"""Spellings of a missing value: every reader takes them as no value; and JSON lines as a source."""

import gzip
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from data.reading.csv_header import CsvFormat, as_missing
from data.reading.kinds import merge_kinds
from data.reading.pieces import kinds_in, plan_file, read_piece
from data.reading.rows import Wanted
from data.reading.rows_file import open_rows
from data.sources.sample import read_sample

KINDS = {"i": "int", "f": "float", "s": "string", "t": "string"}
MISSING = as_missing({"?": "all", "-999": ["i", "f"], "NA": ["s"], " ": ["s"]})
FORMAT = CsvFormat(missing=MISSING)
ROWS = [
    ("1", "1.5", "a", "x"),
    ("?", "-999", "NA", "NA"),
    ("-999", "?", " ", "-999"),
    (" ? ", "-999.0", "?", " "),
    ("-99", "2", "NAN", "?"),
]
EXPECTED = [
    (1, 1.5, b"a", b"x"),
    (None, None, None, b"NA"),
    (None, None, None, b"-999"),
    (None, None, None, b" "),
    (-99, 2.0, b"NAN", None),
]


def _open(path):
    return open(path, "rb")


def read(path, kinds=None, csv_format=FORMAT):
    """Rows, bad rows and kinds, as a run reads them."""
    pieces = plan_file(str(path), _open, csv_format=csv_format)[1]
    found = merge_kinds(kinds_in(p, kinds or {}, _open) for p in pieces)
    rows, bad = [], []
    for piece in pieces:
        for batch in read_piece(piece, {**found, **(kinds or {})}, _open):
            columns = [batch.columns[name].to_pylist() for name in sorted(batch.columns)]
            rows += zip(*columns, strict=True)
            bad += batch.bad
    return rows, bad, found


def in_order(rows):
    """As `sorted` columns have them: f, i, s, t."""
    return [(f, i, s, t) for i, f, s, t in rows]


@pytest.mark.parametrize("kinds", [None, KINDS])
@pytest.mark.parametrize(("separator", "decimal"), [(",", "."), (";", ",")])
@pytest.mark.parametrize("broken", [False, True])
def test_csv(tmp_path, kinds, separator, decimal, broken):
    path = tmp_path / "rows.csv"
    lines = [separator.join(KINDS)]
    lines += [separator.join((i, f.replace(".", decimal), s, t)) for i, f, s, t in ROWS]
    if broken:  # the cells are then looked at one by one
        lines.append("1")
    path.write_text("\n".join(lines) + "\n")
    csv_format = CsvFormat(separator, decimal, missing=MISSING)
    rows, bad, found = read(path, kinds, csv_format)
    assert rows == in_order(EXPECTED)
    assert len(bad) == broken
    assert kinds or found == KINDS


def test_without_them_they_are_texts(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("i\n1\n?\n")
    assert read(path, csv_format=CsvFormat())[2] == {"i": "string"}


def test_a_column_of_nothing_else_has_no_kind(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("i,s\n1,?\n2,NA\n")
    rows, bad, kinds = read(path)
    assert (rows, bad, kinds) == ([(1, None), (2, None)], [], {"i": "int", "s": "unknown"})


def test_parquet(tmp_path):
    path = tmp_path / "rows.parquet"
    frame = {"i": [1, -999], "f": [-999.0, 2.5], "s": ["NA", "a"], "t": ["NA", "?"]}
    pd.DataFrame(frame).to_parquet(path)
    assert read(path)[0] == [(None, 1, None, b"NA"), (2.5, None, b"a", None)]


def test_predictions_take_them_as_training_does(tmp_path):
    csv_path, json_path = tmp_path / "rows.csv", tmp_path / "rows.jsonl"
    csv_path.write_text("i,f,s,t\n" + "\n".join(map(",".join, ROWS)) + "\n")
    values = [(1, 1.5, "a", "x"), (-999, -999.0, "NA", "NA"), (None, None, " ", "-999"),
              (-999, -999, "?", " "), (-99, 2, "NAN", "?")]  # fmt: skip
    json_path.write_text(
        "".join(json.dumps(dict(zip(KINDS, row, strict=True))) + "\n" for row in values)
    )
    for path in (csv_path, json_path):
        found = []
        for rows in open_rows(path, Wanted(KINDS), FORMAT):
            assert not rows.bad
            found += zip(*(rows.features[name].to_pylist() for name in KINDS), strict=True)
        assert found == EXPECTED, path
    table = pa.table(
        {n: pa.array(c) for n, c in zip(KINDS, zip(*values, strict=True), strict=True)}
    )
    pa.parquet.write_table(table, tmp_path / "rows.parquet")
    [rows] = open_rows(tmp_path / "rows.parquet", Wanted(KINDS), FORMAT)
    assert list(zip(*(rows.features[n].to_pylist() for n in KINDS), strict=True)) == EXPECTED


# JSON lines as a source.


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
def test_json_lines(tmp_path, ending):
    path = tmp_path / f"rows{ending}"
    lines = [
        '{"a": 1, "b": "x", "c": true}',
        "",
        '{"a": 2.5, "d": [1], "c": null}',
        "{",
        '{"b": 3}',
    ]
    text = "\n".join(lines).encode()
    path.write_bytes(gzip.compress(text) if ending.endswith(".gz") else text)
    rows, bad, kinds = read(path, csv_format=CsvFormat())
    assert kinds == {"a": "float", "b": "string", "c": "int"}  # a list has no form in an example
    assert rows == [(1.0, b"x", 1), (2.5, None, None)]
    assert [(row.line, row.fault.reason) for row in bad] == [(4, "not_json"), (5, "wrong_type")]
    assert read_sample(path, {}).rows == 2


def test_json_lines_that_do_not_fit_the_schema_are_set_apart(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": "1"}\n{"a": 1.5}\n{"a": [1]}\n{"a": true}\n')
    rows, bad, _ = read(path, {"a": "int"}, CsvFormat())
    assert rows == [(1,), (1,)]
    assert [(row.line, row.fault.reason) for row in bad] == [
        (2, "wrong_type"), (3, "wrong_type"), (4, "wrong_type")
    ]  # fmt: skip
