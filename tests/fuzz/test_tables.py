"""Any column names and any cells: every reader reads what Python's csv module does, or refuses."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.reading.csv_batches import UNCLOSED
from data.reading.pieces import plan_file, read_piece
from data.reading.rows import Wanted
from data.reading.rows_file import open_rows
from fareline.errors import DataError
from tests.fuzz.examples import examples
from tests.unit.data.reading.test_csv_blocks import FILE, KINDS, expected_rows

# As a table may have them: any Unicode text but the zero byte, which Python's csv module cannot
# write before 3.11.
_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
_NAME = st.one_of(
    _TEXT,
    st.sampled_from(
        ["a/b", "pay type", "pay-type", "Ä", "\u0061\u0308", "a\nb", 'a"b', "a,b", " a ", "0", "..",
         "é" * 200, "__x__", "serving_default", "a:0", "%", "\ufeffa", "{SPAN}", "a=b", "None"]
    ),
).filter(lambda name: name.strip())  # fmt: skip
_NAMES = st.lists(_NAME, min_size=1, max_size=5, unique=True)
_CELL = st.one_of(
    _TEXT, st.sampled_from(["", "NaN", "1", "0x1", "a,b", '"', "\n", "\r\n", "\ufeff"])
)


@st.composite
def _tables(draw):
    names = draw(_NAMES)
    row = st.lists(_CELL, min_size=len(names), max_size=len(names))
    return names, draw(st.lists(row, max_size=4))


def _file(folder, names, rows, end):
    path = folder.getbasetemp() / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL)
        writer.writerows([names, *rows])
    return path


def _open(path):
    return open(path, "rb")


def _training(path, kinds):
    """Rows and reasons by the reader of training."""
    _, pieces = plan_file(str(path), _open)
    good, bad = [], []
    for piece in pieces:
        for batch in read_piece(piece, kinds, _open):
            columns = [batch.columns[name].to_pylist() for name in kinds]
            good += zip(*columns, strict=True)
            bad += [row.fault.reason for row in batch.bad]
    return good, bad


def _predictions(path, kinds):
    good, bad, blank = [], [], 0
    for rows in open_rows(path, Wanted(kinds)):
        columns = [rows.features[name].to_pylist() for name in kinds]
        good += zip(*columns, strict=True)
        bad += [row.fault.reason for row in rows.bad]
        blank += rows.blank
    return good, bad, blank


@settings(**examples(30))
@given(_tables(), st.sampled_from(["\n", "\r\n"]))
def test_any_table_is_read_as_it_was_written(tmp_path_factory, table, end):
    names, rows = table
    path = _file(tmp_path_factory, names, rows, end)
    kinds = dict.fromkeys(names, "string")
    wanted = [tuple(cell.encode() or None for cell in row) for row in rows]
    assert _training(path, kinds) == (wanted, [])
    filled = [row for row in wanted if any(row)]
    assert _predictions(path, kinds) == (filled, [], len(wanted) - len(filled))


@settings(**examples(30))
@given(FILE)
def test_any_text_is_read_as_the_csv_module_reads_it_or_set_apart(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "text.csv"
    path.write_bytes(b"i,f,s\n" + text.encode())
    good, bad = _training(path, KINDS)
    if UNCLOSED not in bad:
        assert (good, bad) == expected_rows(text)


@settings(**examples(10))
@given(st.binary(max_size=60))
@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet", ".csv.gz", ".tfrecord"])
def test_any_bytes_as_a_file_are_rows_or_an_error_of_ours(tmp_path_factory, ending, content):
    path = tmp_path_factory.getbasetemp() / f"noise{ending}"
    path.write_bytes(content)
    for read in (lambda: list(open_rows(path, Wanted({"a": "int"}))), lambda: _whole(path)):
        try:
            read()
        except DataError as error:
            assert str(error).startswith(str(path))


def _whole(path):
    _, pieces = plan_file(str(path), _open)
    for piece in pieces:
        for _ in read_piece(piece, dict.fromkeys(piece.names, "string"), _open):
            pass


def test_the_csv_module_writes_what_it_reads():
    """What the first property takes for granted."""
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["\r", "\n\r"], ["", '"']])
    assert list(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [["\r", "\n\r"], ["", '"']]
