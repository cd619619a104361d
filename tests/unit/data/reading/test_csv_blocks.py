"""data.reading.csv_*: what Python's csv module reads, or set apart with its line."""

import csv
import io
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.reading import csv_blocks
from data.reading.csv_batches import UNCLOSED, read_block
from data.reading.csv_blocks import (
    count_lines,
    is_open_at_end,
    iter_blocks,
    read_header,
    record_ends,
)
from data.reading.values import check_value
from fareline.errors import DataError

KINDS = {"i": "int", "f": "float", "s": "string"}
SEED = {"max_examples": 300, "deadline": None, "derandomize": True}


def rows_of(text):
    return list(csv.reader(io.StringIO(text, newline="")))


@settings(**SEED)
@given(st.text(alphabet='a",\n\r', max_size=30), st.integers(1, 9))
def test_blocks_of_any_size_hold_the_records_of_the_csv_module(text, size):
    blocks = list(iter_blocks(io.BytesIO(text.encode()), "f", block_bytes=size))
    parts = [part.decode() for block in blocks for part in (block.data, block.rest)]
    assert "".join(parts) == text
    assert [row for part in parts for row in rows_of(part)] == rows_of(text)
    line = 1
    for block in blocks:
        assert block.first_line == line
        line += count_lines(block.data)


@settings(**SEED)
@given(st.text(alphabet='a",\n\r', max_size=30))
def test_each_record_ends_where_the_csv_module_ends_it(text):
    data = text.encode()
    ends = sorted({0, *record_ends(data).tolist(), len(data)})
    records = [rows_of(data[a:b].decode()) for a, b in itertools.pairwise(ends)]
    assert all(len(each) == 1 for each in records)
    assert [each[0] for each in records] == rows_of(text)


CELL = st.one_of(
    st.text(alphabet='a",\n\r x0159.+-_eé\t', max_size=5),
    st.sampled_from(
        ["nan", "inf", "1e400", "0x10", "1e39", "9223372036854775807", "9223372036854775808"]
    ),
    st.sampled_from(["1.0", "5", "-3", "+2", "2.5", "", '""', "\ufeff1", "007"]),
)
QUOTED = CELL.map(lambda cell: '"' + cell.replace('"', '""') + '"')
GOOD = st.tuples(
    st.sampled_from(["1", "", "22", "-5"]),
    st.sampled_from(["1.5", "", "2", "-1e3"]),
    st.sampled_from(["x", "", '"a,b"', '"a\n""b"']),
)
RECORD = st.one_of(
    st.lists(CELL, min_size=2, max_size=4), st.lists(QUOTED, min_size=3, max_size=3), GOOD, GOOD
).map(",".join)
END = st.sampled_from(["\n", "\r\n", "\n\n", "\r\n\r\n", "\r"])
FILE = st.lists(st.tuples(RECORD, END), max_size=6).map(
    lambda lines: "".join(record + end for record, end in lines)
)


def expected_rows(text):
    """What the csv module and Python's own int and float make of it; reasons of the bad rows."""
    good, reasons = [], []
    for cells in filter(None, rows_of(text)):
        if len(cells) != 3:
            reasons.append("wrong_number_of_fields")
            continue
        read = [
            (None, None) if cell == "" else check_value(cell, kind)
            for cell, kind in zip(cells, KINDS.values(), strict=True)
        ]
        faults = [fault.reason for _, fault in read if fault]
        if faults:
            reasons.append(faults[0])
        else:
            good.append(tuple(v.encode() if isinstance(v, str) else v for v, _ in read))
    return good, reasons


def read(data, size=1 << 20, kinds=KINDS):
    good, bad = [], []
    for block in iter_blocks(io.BytesIO(data), "f", block_bytes=size):
        batch = read_block(block, "f", list(kinds), kinds)
        good += zip(*(batch.columns[name].to_pylist() for name in kinds), strict=True)
        bad += batch.bad
    return good, bad


@settings(**SEED)
@given(FILE, st.sampled_from([5, 1000]))
def test_every_row_is_read_as_the_csv_module_reads_it_or_set_apart(text, size):
    data = text.encode()
    if is_open_at_end(data):
        ends = record_ends(data)
        text = data[: ends[-1] if len(ends) else 0].decode()
    good, bad = read(data, size)
    assert (good, [row.fault.reason for row in bad if row.fault.reason != UNCLOSED]) == (
        expected_rows(text)
    )


def test_lines_reasons_and_rows_of_what_is_set_apart():
    data = (
        b'1,2.5,"two\r\nlines"\r\n'  # lines 1 and 2
        b"2,3\r\n"  # 3
        b"\r\n"
        b"x,3,a\r\n"  # 5
        b"3,4,b\xff\r\n"  # 6
        b"9223372036854775808,1,c\r\n"  # 7
        b'4,1e39,"d ""e"""\r\n'  # 8
        b"0x10,1,f\r\n"  # 9
        b"5,,\r\n"  # 10
        b"6,7,g,h"  # 11
    )
    good, bad = read(data)
    assert good == [(1, 2.5, b"two\r\nlines"), (5, None, None)]
    assert [(row.line, row.fault.reason, row.row) for row in bad] == [
        (3, "wrong_number_of_fields", "2,3"),
        (5, "not_an_integer", {"i": "x", "f": "3", "s": "a"}),
        (6, "not_utf8", {"i": "3", "f": "4", "s": "b\\xff"}),
        (7, "out_of_range", {"i": "9223372036854775808", "f": "1", "s": "c"}),
        (8, "not_finite", {"i": "4", "f": "1e39", "s": 'd "e"'}),
        (9, "not_an_integer", {"i": "0x10", "f": "1", "s": "f"}),
        (11, "wrong_number_of_fields", "6,7,g,h"),
    ]
    assert bad[1].fault.message == "i: x: expected an integer"


def test_a_zero_byte_in_a_cell_is_kept_and_shown_as_an_escape_where_the_row_is_set_apart():
    good, bad = read(b"1,2,a\0b\nx,3,c\0\n")
    assert good == [(1, 2.0, b"a\0b")]
    assert [row.row for row in bad] == [{"i": "x", "f": "3", "s": "c\\x00"}]


def test_every_line_behind_a_quote_that_never_closes_is_set_apart():
    good, bad = read(b'1,2,a\n2,3,"b\n3,4,c\n4,5,d\n')
    assert good == [(1, 2.0, b"a")]
    assert [(row.line, row.fault.reason, row.row) for row in bad] == [
        (2, "unclosed_quote", '2,3,"b'),
        (3, "unclosed_quote", "3,4,c"),
        (4, "unclosed_quote", "4,5,d"),
    ]
    assert bad[0].fault.message == "behind a quote in the record of line 2 that is never closed"


def test_a_thousand_columns_and_a_cell_of_ten_megabytes():
    kinds = {f"c{i}": "int" for i in range(999)} | {"text": "string"}
    row = ",".join(map(str, range(999)))
    huge = b"x" * 10_000_000
    good, bad = read(f"{row},a\n{row},".encode() + b'"' + huge + b'\n"\n', 1 << 16, kinds)
    assert bad == []
    assert [cells[:999] for cells in good] == [tuple(range(999))] * 2
    assert [cells[999] for cells in good] == [b"a", huge + b"\n"]


def test_a_row_without_end_is_refused_before_memory_is(monkeypatch):
    monkeypatch.setattr(csv_blocks, "LONGEST_RECORD_BYTES", 1000)
    with pytest.raises(DataError) as error:
        list(iter_blocks(io.BytesIO(b'a\n"' + b"x\n" * 1000), "t.csv", block_bytes=100))
    assert str(error.value).startswith("t.csv, line 2: a row of more than 0 MB begins;")


@pytest.mark.parametrize(
    ("data", "names", "end", "lines"),
    [
        (b"a,b\n1,2\n", ("a", "b"), 4, 1),
        (b"\xef\xbb\xbfa,b\r\n1,2", ("a", "b"), 8, 1),
        (b'"a\nb","c,d"\n', ("a\nb", "c,d"), 12, 2),
        (b"a", ("a",), 1, 0),
    ],
)
def test_header(data, names, end, lines):
    header = read_header(io.BytesIO(data), "t.csv")
    assert (header.names, header.end, header.lines) == (names, end, lines)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "the file is empty"),
        (b"\xff,b\n", "not UTF-8 text (byte 0xff"),
        (b"a,b\0\n1,2\n", "a zero byte in the header"),
    ],
)
def test_no_header(data, found):
    with pytest.raises(DataError, match="t.csv: ") as error:
        read_header(io.BytesIO(data), "t.csv")
    assert found in str(error.value)


def test_quotes_that_are_plain_characters_take_the_other_way_to_the_same_ends():
    # The inch sign is no quote; seen as one it would hide the next line end.
    data = b'a,5" pipe\n"x\ny",2\n'
    assert record_ends(data).tolist() == [10, 18]
    assert np.array_equal(record_ends(b'"x\ny",2\n'), [8])
