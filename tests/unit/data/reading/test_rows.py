"""data.reading.rows_file: every format is read right, or quarantined with line and reason."""

import csv
import decimal
import gzip
import io
import json
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.reading import rows_file
from data.reading import values as row_values
from data.reading.pieces import plan_file, read_piece
from data.reading.rows import Wanted
from data.reading.rows_file import open_rows
from data.reading.values import TYPES, check_value, convert
from fareline.errors import DataError

WANTED = Wanted({"fare": "float", "hour": "int", "company": "string"}, frozenset({"fare", "hour"}))


def read(path, content, wanted=WANTED):
    """Values of the model's columns row by row, lines of bad rows with reasons, blank lines."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    good, bad, blank = [], [], 0
    for rows in open_rows(path, wanted):
        columns = [
            rows.features[n].to_pylist() if n in rows.features else [None] * len(rows)
            for n in wanted.kinds
        ]
        good += zip(*columns, strict=True)
        bad += [(row.line, row.fault.reason) for row in rows.bad]
        blank += rows.blank
    return good, bad, blank


def test_a_header_that_is_no_utf8_is_refused_in_a_line(tmp_path):
    with pytest.raises(DataError, match=r"t.csv: not UTF-8 text \(byte 0x80 in the header\)"):
        read(tmp_path / "t.csv", b"\x80,hour,fare\n1,2,3\n")


def test_a_csv_with_everything_that_goes_wrong(tmp_path):
    content = (
        b"\xef\xbb\xbfhour,fare,company,note\r\n"
        b'1,2.5,"a ""quoted"" name","two\r\nlines"\r\n'  # lines 2 and 3
        b"2,3\r\n"  # 4: too few
        b"\r\n"
        b"3,abc,x,\r\n"  # 6
        b"4,1,b\xff,\r\n"  # 7
        b"5.0, 7 ,,\r\n"  # 8: right
        b"99999999999999999999,1,,\r\n"  # 9
        b"6,,,\r\n"  # 10: required
        b"7,nan,,\r\n"  # 11
        b"8,1,c,d,e\r\n"  # 12: too many
        b"9.5,1,,\r\n"  # 13
        b"0x10,1,,\r\n"  # 14
        b"10,1e39,,\r\n"  # 15: no float32
        b"11,1,,\xff\r\n"  # 16: in a column of no model
        b"12,1,z,end"  # 17
    )
    good, bad, blank = read(tmp_path / "t.csv", content)
    assert good == [
        (2.5, 1, b'a "quoted" name'),
        (7.0, 5, None),
        (1.0, 12, b"z"),
    ]
    assert bad == [
        (4, "wrong_number_of_fields"),
        (6, "not_a_number"),
        (7, "not_utf8"),
        (9, "out_of_range"),
        (10, "missing_value"),
        (11, "not_finite"),
        (12, "wrong_number_of_fields"),
        (13, "not_an_integer"),
        (14, "not_an_integer"),
        (15, "not_finite"),
        (16, "not_utf8"),
    ]
    assert blank == 1


def test_the_quarantined_row_is_readable(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"hour,fare\n1,b\xff\n1\n")
    first, second = [row for rows in open_rows(path, WANTED) for row in rows.bad]
    assert first.row == {"hour": "1", "fare": "b\\xff"}
    assert first.fault.message == "fare: b\\xff: expected UTF-8"
    assert (second.row, second.fault.message) == ("1", "1 fields; expected 2")


@pytest.mark.parametrize("block", [256, 4096, 1 << 20])
def test_lines_and_order_hold_across_blocks_and_equal_pythons_csv_module(
    tmp_path, monkeypatch, block
):
    monkeypatch.setattr(rows_file, "_BLOCK_BYTES", block)
    generator = np.random.default_rng(5)
    text, expected_good, expected_bad, line = io.StringIO(), [], [], 2
    text.write("fare,hour,company\n")
    for number in range(1500):
        company = ["a", 'q"q', "x,y", "l1\nl2", "l1\nl2\nl3"][generator.integers(5)]
        kind = generator.integers(12)
        row = [str(number / 4), str(number), company]
        if kind == 0:
            row[0], reason = "much", "not_a_number"
        elif kind == 1:
            row, reason = [*row, "more"], "wrong_number_of_fields"
        elif kind == 2:
            row[1], reason = "", "missing_value"
        else:
            reason = None
            expected_good.append((number / 4, number, company.encode()))
        if reason:
            expected_bad.append((line, reason))
        csv.writer(text, lineterminator="\n").writerow(row)
        line += 1 + company.count("\n")
    good, bad, blank = read(tmp_path / "t.csv", text.getvalue().encode())
    assert good == expected_good
    assert bad == expected_bad
    assert blank == 0


def test_a_large_cell_is_read_and_what_an_open_quote_takes_in_is_no_row(tmp_path, monkeypatch):
    cell = "x" * 10_000_000
    good, bad, _ = read(tmp_path / "t.csv", f"fare,hour,company\n1,2,{cell}\n3,4,y\n".encode())
    assert [len(row[2]) for row in good] == [10_000_000, 1] and bad == []
    monkeypatch.setattr(rows_file, "_BLOCK_BYTES", 1000)
    rest = "5,6,z\n" * 500
    # As in training: which lines behind it are rows, nobody can know.
    good, bad, _ = read(tmp_path / "t.csv", f'fare,hour,company\n1,2,a\n1,2,"open\n{rest}'.encode())
    assert good == [(1.0, 2, b"a")]
    assert bad == [(line, "unclosed_quote") for line in range(3, 504)]


def test_json_lines(tmp_path):
    lines = [
        b'{"fare": 1, "hour": 3.0, "company": "a", "other": [1]}',
        b'{"fare": "2", "hour": 3}',
        b"",
        b"{",
        b"[1]",
        b'{"fare": NaN, "hour": 3}',
        b'{"fare": 1.5, "hour": 3.5}',
        b'{"fare": true, "hour": 3}',
        b'{"fare": 1, "hour": 18446744073709551616}',
        b'{"fare": null, "hour": 3}',
        b'{"fare": 1, "hour": 3, "company": 7}',
        b'{"fare": 1, "hour": 3, "company": "\xff"}',
        b'{"fare": 1, "hour": 3, "fare": 2}',
        b'{"fare": 1, "hour": 3, "other": {"x": 1, "x": 1}}',
        b'{"hour": -1, "company": "", "fare": 1e3}',
    ]
    good, bad, blank = read(tmp_path / "t.jsonl", b"\n".join(lines))
    # A truth value is 0 or 1, as in Parquet.
    assert good == [(1.0, 3, b"a"), (1.0, 3, None), (1000.0, -1, b"")]
    assert bad == [
        (2, "wrong_type"),
        (4, "not_json"),
        (5, "not_json"),
        (6, "not_json"),
        (7, "wrong_type"),
        (9, "out_of_range"),
        (10, "missing_value"),
        (11, "wrong_type"),
        (12, "not_utf8"),
        (13, "not_json"),
        (14, "not_json"),
    ]
    assert blank == 1


def write_parquet(path, **columns):
    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


def test_parquet_with_pandas_ways_and_bad_values(tmp_path):
    path = write_parquet(
        tmp_path / "t.parquet",
        fare=pa.array([1.5, float("inf"), 2.0, None, 3.0]),
        hour=pa.array([1.0, 2.0, 2.5, 3.0, float("nan")]),
        company=pa.array(["a", "b", None, "c", "d"]).dictionary_encode(),
    )
    good, bad, _ = read(path, None, Wanted(WANTED.kinds, frozenset({"fare"})))
    assert good == [(1.5, 1, b"a"), (3.0, None, b"d")]
    assert bad == [(2, "not_finite"), (3, "wrong_type"), (4, "missing_value")]


@pytest.mark.parametrize(
    ("kind", "array"),
    [
        ("int", pa.array([True, None, False])),
        ("int", pa.array([1, 2, None], pa.uint8())),
        ("float", pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("-3")])),
        ("float", pa.array([1, None, 3])),
        ("float", pa.array([[1.5, 2.5], [], None])),
        ("int", pa.array([[1], [2, 3], [4]], pa.large_list(pa.int32()))),
        ("string", pa.array([["a", "b"], None, ["c"]])),
        ("string", pa.array([b"\xff\x00", b"", None])),
        ("string", pa.array(["a", None, "b"], pa.large_string()).dictionary_encode()),
        ("string", pa.array([None, None, None], pa.float64())),
        ("float", pa.array([None, None, None], pa.timestamp("s"))),
    ],
    ids=lambda value: str(getattr(value, "type", value)),
)
def test_parquet_is_read_to_predict_as_it_was_read_to_train(tmp_path, kind, array):
    path = write_parquet(tmp_path / "t.parquet", x=array, y=[1, 2, 3])
    kinds = {"x": kind, "y": "int"}
    [rows] = open_rows(path, Wanted(kinds, frozenset({"y"})))
    [piece] = plan_file(str(path), partial(open, mode="rb"))[1]
    [batch] = read_piece(piece, kinds, partial(open, mode="rb"))
    assert [*rows.bad, *batch.bad] == [] and len(rows) == 3
    assert rows.features == batch.columns
    assert rows.typed()["x"].to_pylist() == array.to_pylist()
    # What is missing where a value is needed is missing in a list too.
    found = [
        row.line for rows in open_rows(path, Wanted(kinds, frozenset(kinds))) for row in rows.bad
    ]
    assert found == [i for i, value in enumerate(array.to_pylist(), 1) if value in (None, [])]


def test_parquet_of_another_type_says_so(tmp_path):
    path = write_parquet(tmp_path / "t.parquet", fare=["1"], hour=[1])
    with pytest.raises(DataError, match=r"column 'fare' is string; expected a number"):
        read(path, None)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"fare,hours\n1,2\n", r"lacks the column 'hour'; .* did you mean 'hours'"),
        ("t.csv", b"fare,hour,fare\n1,2,3\n", "the header repeats 'fare'"),
        ("t.csv", b"", "the file is empty; expected a UTF-8 CSV file"),
        ("t.jsonl", b'{"hour": 1, "far": 2}\n', "lacks the column 'fare'.*did you mean 'far'"),
        ("t.parquet", b"no parquet", "cannot be read"),
        ("t.txt", b"fare\n", "ends in .txt; expected a file that ends in .csv, .jsonl, .parquet"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / name, content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet", ".arrow"])
def test_a_file_without_any_column_of_the_model_is_refused(tmp_path, ending):
    wanted = Wanted({"fare": "float", "trip_miles": "float"})
    path, names = tmp_path / f"t{ending}", ["Fares", "Trip Miles", "x"]
    if ending.startswith(".csv"):
        content = ",".join(names) + "\n1,2,3\n"
    else:
        content = json.dumps(dict(zip(names, (1, 2, 3), strict=True)))
    if ending in (".parquet", ".arrow"):
        table = pa.table({name: [1.0] for name in names})
        if ending == ".parquet":
            pyarrow.parquet.write_table(table, path)
        else:
            pyarrow.feather.write_feather(table, path)
    else:
        with (gzip.open if ending.endswith(".gz") else open)(path, "wt") as file:
            file.write(content)
    with pytest.raises(
        DataError,
        match="has none of the columns that the model reads; expected some of fare, trip_miles. "
        "Hint: name 'fare' for 'Fares', 'trip_miles' for 'Trip Miles'",
    ):
        next(open_rows(path, wanted))


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "no.csv", None)
    with pytest.raises(DataError, match="is a folder"):
        read(tmp_path, None)


def test_a_thousand_columns_and_one_that_the_file_lacks(tmp_path):
    names = [f"c{i}" for i in range(1000)]
    text = ",".join([*names, "fare", "hour"]) + "\n" + ",".join(["x"] * 1000 + ["1", "2"])
    good, bad, _ = read(tmp_path / "t.csv", text.encode())
    assert (good, bad) == ([(1.0, 2, None)], [])


@pytest.mark.parametrize("kind", ["int", "float", "string"])
def test_whole_arrays_and_single_values_are_judged_alike(kind):
    texts = ["1", " 2 ", "-3", "+4", "5.0", "1e3", "", " ", "abc", "1_000", "0x1F", "nan", "inf"]
    texts += ["9223372036854775807", "9223372036854775808", "1.5", "1e400", "1,5", "--1"]
    array, faults = convert(pa.array(texts), kind)
    for index, text in enumerate(texts):
        value, fault = check_value(text, kind)
        assert (fault is not None) == (index in faults), text
        got = array[index].as_py()
        got = got.decode() if isinstance(got, bytes) else got
        assert got == value or (got is None and value is None), text
    assert array.type == TYPES[kind]


def values_of_all_kinds():
    texts = st.sampled_from(
        ["1", " 2\t", "+3", "1e3", "", "x", "\u0664", "0x1", "\n5", "5\n", "nan"]
    )
    texts |= st.integers(-(2**64), 2**64).map(str) | st.floats().map(str)
    texts |= st.integers(-(2**64), 2**64).map(lambda n: f"{n}.0")
    numbers = st.floats(width=32) | st.floats() | st.integers(-(2**54), 2**54).map(float)
    return st.one_of(
        st.lists(st.none() | texts).map(lambda found: pa.array(found, pa.string())),
        st.lists(st.none() | texts.map(str.encode) | st.binary()).map(
            lambda found: pa.array(found, pa.binary())
        ),
        st.lists(st.none() | numbers).map(lambda found: pa.array(found, pa.float64())),
        st.lists(st.none() | st.integers(0, 2**64 - 1)).map(
            lambda found: pa.array(found, pa.uint64())
        ),
        st.lists(st.none() | st.booleans()).map(lambda found: pa.array(found, pa.bool_())),
    )


@settings(max_examples=400, deadline=None)
@given(values_of_all_kinds(), st.sampled_from(sorted(TYPES)), st.integers(0, 3))
def test_a_value_is_converted_alike_alone_and_among_others(array, kind, start):
    array = array[start:]
    found, faults = convert(array, kind)
    alone = [convert(array[index : index + 1], kind) for index in range(len(array))]
    assert found.to_pylist() == [one.to_pylist()[0] for one, _ in alone]
    assert faults == {i: fault[0] for i, (_, fault) in enumerate(alone) if fault}
    assert found.type == TYPES[kind]


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_a_column_of_another_type_is_converted_in_one_pass(kind, monkeypatch):
    wrong = [f"n{i}\xff".encode("latin-1") for i in range(20_000)]
    calls = []
    arrow, python = dict(row_values._FAST), dict(row_values._CHECKS)
    monkeypatch.setitem(row_values._FAST, kind, lambda array: calls.append(1) or arrow[kind](array))
    monkeypatch.setitem(row_values._CHECKS, kind, lambda v: calls.append(1) or python[kind](v))
    found, faults = convert(pa.array([*wrong, *wrong, b"5"], pa.binary()), kind)
    assert list(faults) == list(range(40_000)) and found.null_count == 40_000
    assert {fault.reason for fault in faults.values()} == {"not_utf8"}
    assert len(calls) <= 2 + 20_000


def test_rows_keep_their_text_and_are_typed_where_the_output_has_types(tmp_path):
    (tmp_path / "t.csv").write_text("fare,hour,note\n012.50,7,a\n")
    [rows] = open_rows(tmp_path / "t.csv", WANTED)
    assert rows.source.to_pydict() == {"fare": ["012.50"], "hour": ["7"], "note": ["a"]}
    assert rows.typed().to_pydict() == {"fare": [12.5], "hour": [7], "note": ["a"]}
    assert json.dumps(rows.typed().to_pylist())
