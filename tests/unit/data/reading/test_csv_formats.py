"""Separators, decimal marks and encodings: one table is the same however its CSV is written."""

import contextlib
import csv
import gzip
import io
import re
import sqlite3
import zipfile
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather

from data.reading import pieces
from data.reading.csv_header import CsvFormat
from data.reading.pieces import kinds_in, plan_file, read_piece
from data.reading.rows import Wanted
from data.reading.rows_file import open_rows
from data.sources.csv import check_csv_source
from data.sources.files import check_source_files, find_files
from data.sources.local_query import LocalQuery, read_query
from data.sources.sample import read_sample
from data.sources.visible import visible
from fareline.errors import DataError

OPEN = partial(open, mode="rb")
KINDS = {"count": "int", "fare": "float", "company": "string"}
ROWS = [(1, 0.5, "Köln"), (-7, None, 'a "b"; c'), (None, 1234.25, "x\ny|z"), (3, -2.0, "t\tu,v")]
EXPECTED = [(n, x, None if s is None else s.encode()) for n, x, s in ROWS]


def write(path, csv_format, rows=ROWS, mark=""):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=csv_format.separator, lineterminator="\n")
    writer.writerow(KINDS)
    for count, fare, company in rows:
        fare = "" if fare is None else str(fare).replace(".", csv_format.decimal)
        writer.writerow(["" if count is None else count, fare, company])
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "wb") as file:
        file.write((mark + text.getvalue()).encode(csv_format.encoding))
    return path


def rows_of(columns):
    values = [[scalar.as_py() for scalar in columns[name]] for name in KINDS]
    return list(zip(*values, strict=True))


def train(path, csv_format, kinds=KINDS):
    [piece] = plan_file(str(path), OPEN, csv_format=csv_format)[1]
    assert kinds_in(piece, {}, OPEN) == kinds
    return [r for b in read_piece(piece, kinds, OPEN) if not b.bad for r in rows_of(b.columns)]


def predict(path, csv_format):
    batches = list(open_rows(path, Wanted(KINDS), csv_format))
    assert not any(rows.bad for rows in batches)
    return [row for rows in batches for row in rows_of(rows.features)]


def sample(path, csv_format):
    return [r for c in read_sample(path, {}, csv_format=csv_format).columns() for r in rows_of(c)]


def query(path, csv_format):
    asked = LocalQuery("FROM t", {"t": [str(path)]}, ["company"], csv_format=csv_format)
    return [r for b in read_query(asked, KINDS) for r in rows_of(b.columns)]


FORMATS = [
    CsvFormat(";", ","), CsvFormat("\t"), CsvFormat("|", ","), CsvFormat(";", "."),
    CsvFormat(encoding="windows-1252"), CsvFormat(";", ",", "utf-16"),
    CsvFormat(encoding="utf-16-le"), CsvFormat("\t", ",", "latin-1"),
]  # fmt: skip


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
@pytest.mark.parametrize("csv_format", FORMATS, ids=str)
@pytest.mark.parametrize("reader", [train, predict, sample, query])
def test_every_reader_reads_every_way_of_writing(tmp_path, reader, csv_format, ending):
    if reader is query and not csv_format.is_utf8:
        pytest.skip("the settings refuse that")
    path = write(tmp_path / f"t{ending}", csv_format)
    assert reader(path, csv_format) == EXPECTED
    assert check_csv_source(path, KINDS, True, csv_format=csv_format).header == tuple(KINDS)
    assert check_source_files(path, KINDS, csv_format=csv_format).header == tuple(KINDS)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False),
            st.text(st.characters(codec="latin-1", exclude_characters="\0\r\x85"), min_size=1),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(FORMATS),
    st.sampled_from([16, 1 << 20]),
)
def test_a_table_is_the_same_however_it_is_written(tmp_path, monkeypatch, rows, csv_format, size):
    blocks = pieces.iter_blocks
    with monkeypatch.context() as patch:
        patch.setattr(pieces, "iter_blocks", partial(blocks, block_bytes=size))
        if csv_format.encoding == "windows-1252":
            rows = [(n, x, s.encode("latin-1").decode("cp1252", "replace")) for n, x, s in rows]
            rows = [(n, x, s.replace("\ufffd", "?")) for n, x, s in rows]
        path = write(tmp_path / "t.csv", csv_format, rows)
        found = []
        for piece in plan_file(str(path), OPEN, csv_format=csv_format)[1]:
            for batch in read_piece(piece, KINDS, OPEN):
                assert not batch.bad
                found += rows_of(batch.columns)
        assert found == [(n, None if x is None else float(x), s.encode()) for n, x, s in rows]
        assert predict(path, csv_format) == found


def test_a_point_is_no_decimal_comma(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("count;fare;company\n1;2,5;a\n2;2.5;b\n3.0;1;c\n")
    csv_format = CsvFormat(";", ",")
    [piece] = plan_file(str(path), OPEN, csv_format=csv_format)[1]
    [batch] = read_piece(piece, KINDS, OPEN)
    [rows] = open_rows(path, Wanted(KINDS), csv_format)
    for bad in (batch.bad, rows.bad):
        assert [(row.line, row.fault.reason) for row in bad] == [
            (3, "not_a_number"),
            (4, "not_an_integer"),
        ]
        assert bad[0].fault.message == "fare: 2.5: expected a number with ',' as decimal mark"
    assert kinds_in(piece, {}, OPEN)["fare"] == "string"


def test_what_is_no_text_of_the_encoding_is_a_bad_row(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"count,fare,company\n1,2,a\n2,3,\x81\n")
    csv_format = CsvFormat(encoding="windows-1252")
    [piece] = plan_file(str(path), OPEN, csv_format=csv_format)[1]
    [batch] = read_piece(piece, KINDS, OPEN)
    assert [(row.line, row.fault.reason) for row in batch.bad] == [(3, "not_utf8")]


@pytest.mark.parametrize(
    ("encoding", "mark", "said"),
    [
        ("utf-16", "", "UTF-16 text (byte order mark); .* iconv -f UTF-16 -t UTF-8"),
        ("utf-16-le", "\ufeff", "UTF-16 text (byte order mark)"),
        ("utf-16-be", "\ufeff", "UTF-16 text (byte order mark)"),
        ("utf-16-le", "", "looks like UTF-16LE text .* iconv -f UTF-16LE -t UTF-8"),
        ("utf-16-be", "", "looks like UTF-16BE text .* iconv -f UTF-16BE -t UTF-8"),
        ("utf-32", "", "UTF-32 text (byte order mark)"),
    ],
)
def test_wide_text_is_called_by_its_name(tmp_path, encoding, mark, said):
    path = write(tmp_path / "t.csv", CsvFormat(encoding=encoding), mark=mark)
    said = said.replace("(", r"\(").replace(")", r"\)")
    for read in (
        partial(check_csv_source, path, ()),
        partial(check_source_files, path, ()),
        partial(read_sample, path, {}),
        lambda: next(open_rows(path, Wanted(KINDS))),
    ):
        with pytest.raises(DataError, match=said):
            read()


@pytest.mark.parametrize(
    ("byte", "name"),
    [(b"\xe9", "WINDOWS-1252"), (b"\x80", "WINDOWS-1252"), (b"\x81", "ISO-8859-1")],
)
def test_other_text_is_called_by_a_name_that_fits(tmp_path, byte, name):
    path = tmp_path / "t.csv"
    path.write_bytes(b"fare,caf" + byte + b"\n1,2\n")
    for check in (check_csv_source, check_source_files):
        with pytest.raises(DataError, match=f"iconv -f {name} -t UTF-8, or set .*: {name.lower()}"):
            check(path, ())


def test_a_mark_of_utf8_is_no_part_of_a_name(tmp_path):
    path = write(tmp_path / "t.csv", CsvFormat(), mark="\ufeff")
    assert train(path, CsvFormat()) == predict(path, CsvFormat()) == EXPECTED


@pytest.mark.parametrize(
    ("csv_format", "said"),
    [
        (
            CsvFormat(";", ","),
            r"a semicolon looks like its separator \(3 columns\), with decimal commas; expected "
            r'commas .* set data.source.csv_format: {separator: ";", decimal: ","}',
        ),
        (CsvFormat(";"), r'separator \(3 columns\); .* {separator: ";"}'),
        (CsvFormat("\t"), r'a tab looks like its separator .* {separator: "\\t"}'),
        (CsvFormat("|"), r'a bar looks like its separator .* {separator: "\|"}'),
    ],
)
def test_another_separator_is_recognized(tmp_path, csv_format, said):
    path = write(tmp_path / "t.csv", csv_format, [(1, 0.5, "a")])
    for read in (
        partial(check_csv_source, path, ()),
        partial(check_source_files, path, ()),
        partial(read_sample, path, {}),
        lambda: next(open_rows(path, Wanted(KINDS))),
    ):
        with pytest.raises(DataError, match=said) as caught:
            read()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("separator", "name"), [(":", "colon"), ("^", "caret"), (" ", "blank")])
def test_a_rare_separator_is_named_where_a_column_is_sought_in_vain(tmp_path, separator, name):
    path = tmp_path / "t.csv"
    path.write_text(f'i{separator}"f"{separator}s\n1{separator}2{separator}a\n')
    kinds = {"i": "int", "f": "float"}
    said = f'a {name} looks like its separator: set data.source.csv_format.separator: "{separator}"'
    for read in (
        partial(check_csv_source, path, ["f"]),
        lambda: next(open_rows(path, Wanted(kinds))),
        lambda: next(open_rows(path, Wanted(kinds, frozenset(["i"])))),
    ):
        with pytest.raises(DataError, match=re.escape(f"Hint: {said}.")):
            read()
    # In a name of its own it is no separator.
    assert plan_file(str(path), OPEN)[1][0].names == (f'i{separator}"f"{separator}s',)


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "\ufeffsep=;", "sep=\t"])
@pytest.mark.parametrize("csv_format", [CsvFormat(), CsvFormat(";"), CsvFormat(encoding="cp1252")])
def test_the_line_for_excel_is_no_header(tmp_path, line, csv_format):
    path = tmp_path / "t.csv"
    text = f"{line}\r\ni;f;s\r\n1;2;a\r\n"
    path.write_text(text, encoding="utf-8", newline="")
    if "\ufeff" in line and not csv_format.is_utf8:
        path.write_text(text, encoding="utf-16", newline="")
        csv_format = CsvFormat(encoding="utf-16")
    written = '"\\t"' if "\t" in line else '";"'
    for read in (
        partial(check_csv_source, path, ["f"], csv_format=csv_format),
        partial(plan_file, str(path), OPEN, csv_format=csv_format),
        lambda: next(open_rows(path, Wanted(KINDS), csv_format)),
    ):
        with pytest.raises(
            DataError, match="begins with .*(?i:sep=).*, a line for Excel; "
        ) as caught:
            read()
        hint = f"tail -n +2, and set data.source.csv_format: {{separator: {written}}}."
        assert str(caught.value).endswith(hint)


@pytest.mark.parametrize("name", [";", "a;b", "x|y", "a\tb"])
@pytest.mark.parametrize("rows", ["", '"1;2"\n', "7\n"])
def test_another_separator_in_quotes_is_a_part_of_the_name(tmp_path, name, rows):
    path = tmp_path / "t.csv"
    path.write_text(f'"{name}"\n{rows}')
    assert plan_file(str(path), OPEN)[1][0].names == (name,)
    if rows:
        assert check_csv_source(path, [name]).header == (name,)
        assert check_source_files(path, [name]).header == (name,)


def test_one_column_is_one_column(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\nx\ny;z;w\n")
    assert check_source_files(path, ()).header == ("a;b",)


def test_no_row_that_can_be_read_says_why(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("# exported\n" + "fare,hour\n" + "1,2\n" * 5)
    with pytest.raises(
        DataError,
        match=r"holds no row that can be read: all 6 wrong_number_of_fields, the first in line 2 "
        r"\(2 fields; expected 1\)",
    ):
        read_sample(path, {})


def _zip(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("xl/workbook.xml", "<x/>")


def _sqlite(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (_zip, "is a ZIP file, as Excel workbooks are"),
        (lambda path: path.write_bytes(gzip.compress(b"a,b\n1,2\n")), "is a gzip file"),
        (lambda path: pq.write_table(pa.table({"a": [1]}), path), "is a Parquet file"),
        (lambda path: feather.write_feather(pa.table({"a": [1]}), path), "is an Arrow file"),
        (_sqlite, "is an SQLite database"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_name(tmp_path, write, said):
    path = tmp_path / "t.csv"
    write(path)
    for read in (sample, predict):
        with pytest.raises(DataError, match=f"{said}; expected a UTF-8 CSV file") as caught:
            read(path, CsvFormat())
        assert "Hint: " in str(caught.value) and "iconv" not in str(caught.value)


@pytest.mark.parametrize("content", ["a,b\n", "PAR1,PK\n", "<html></html>\n"])
def test_a_header_alone_is_no_row_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=r"t\.csv: holds no row; expected at least one"):
        read_sample(path, {})


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_what_others_leave_in_a_folder_is_passed_over(tmp_path, ending):
    content = tmp_path / f"a{ending}"
    if ending == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet

        pyarrow.parquet.write_table(pa.table({"fare": np.arange(3.0)}), content)
    else:
        with (gzip.open if ending.endswith(".gz") else open)(content, "wt") as file:
            file.write("fare\n0.5\n1.5\n2\n")
    for name in (f"._a{ending}", f"_part{ending}", ".DS_Store", "_SUCCESS", "_metadata"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    (tmp_path / f"empty{ending}").write_bytes(b"")
    assert find_files(tmp_path)[0] == (content,)
    assert read_sample(tmp_path, {}).rows == 3
    if ending != ".parquet":
        assert check_csv_source(tmp_path, ["fare"]).files == (content,)
    assert find_files(tmp_path / f"_part{ending}")[0] == (tmp_path / f"_part{ending}",)


def test_what_a_pattern_names_is_not_hidden():
    paths = ["/d/_a.csv", "/d/b.csv", "/d/.c.csv"]
    assert visible(paths, "*.csv") == ["/d/b.csv"]
    assert visible(["/d/_a.csv"], "/d/_a.csv") == ["/d/_a.csv"]
    assert visible(["/d/_t/0/x.csv", "/d/u/0/x.csv"], "/d/*/0/*.csv") == ["/d/u/0/x.csv"]
    assert visible(["/d/_t/x.csv"], "/d/_t/*.csv") == ["/d/_t/x.csv"]
