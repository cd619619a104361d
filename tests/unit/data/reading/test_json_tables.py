"""JSON lines to learn from: what is a row, a column, a value; what is said of files without one."""

import gzip
import json
from functools import partial

import pytest

from data.reading.pieces import kinds_in, plan_file, read_piece
from data.reading.rows import Wanted
from data.reading.rows_file import open_rows
from data.sources.files import check_source_files
from data.sources.sample import read_sample
from fareline.errors import DataError

OPEN = partial(open, mode="rb")


def read(path, known=()):
    """Rows, the lines and reasons of bad ones, and kinds; all in one piece."""
    _, [piece] = plan_file(str(path), OPEN)
    kinds = {**kinds_in(piece, dict(known), OPEN), **dict(known)}
    rows, bad = [], []
    for batch in read_piece(piece, kinds, OPEN):
        columns = {name: array.to_pylist() for name, array in batch.columns.items()}
        rows += [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
        bad += [(row.line, row.fault.reason) for row in batch.bad]
    return rows, bad, kinds


LINES = """\
{"n": 1, "x": 1.5, "s": "a", "none": null}

{"n": 2, "x": 2, "s": "", "late": 7}
{}
{"n": null, "x": 1e400}
{"n": 3, "x": NaN}
[1]
{"n": 4, "n": 5}
{"n": 9223372036854775807, "x": -0.0, "s": "\\u00e4"}
{"n": 5, "s": "\\ud800"}
{"\\ud800": 1}
{"n": 6, "s": "\\ud83d\\ude95"}
"""


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_what_a_row_and_a_value_are(tmp_path, ending, ends):
    path = tmp_path / f"t{ending}"
    content = ("\ufeff" + LINES.replace("\n", ends)).encode()
    path.write_bytes(gzip.compress(content) if ending.endswith(".gz") else content)
    rows, bad, kinds = read(path)
    assert kinds == {"n": "int", "x": "float", "s": "string", "none": "unknown", "late": "int"}
    names = ("n", "x", "s", "late")
    assert [tuple(row[name] for name in names) for row in rows] == [
        (1, 1.5, b"a", None),
        (2, 2.0, b"", 7),
        (2**63 - 1, -0.0, "ä".encode(), None),
        (6, None, "🚕".encode(), None),
    ]
    assert bad == [
        (5, "not_finite"), (6, "not_json"), (7, "not_json"), (8, "not_json"), (10, "not_utf8"),
        (11, "not_utf8"),
    ]  # fmt: skip
    predicted = [
        row for rows in open_rows(path, Wanted(kinds | {"none": "int"})) for row in rows.bad
    ]
    assert [(row.line, row.fault.reason) for row in predicted] == bad


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "int"),
        ([1, 2.0], "float"),
        ([2**63, 1], "float"),
        ([1, "1"], "string"),
        ([None, None], "unknown"),
        ([None, "a"], "string"),
        ([True, 1], "int"),
        ([True, None], "int"),
        ([True, 0.5], "float"),
        ([[True], 1], None),
        ([[1], 1], None),
        ([{"a": 1}, "a"], None),
    ],
)
def test_kinds_are_found_by_all_lines(tmp_path, values, kind):
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps({"a": value, "b": 1}) + "\n" for value in values))
    kinds = read(path)[2]
    assert kinds == {"b": "int"} | ({"a": kind} if kind else {})
    source = check_source_files(path, ["b"])
    assert len(source.notes) == (kind is None)
    if kind is None:
        assert "column 'a' (" in source.notes[0]
        for used in ({"required_columns": ["a"]}, {"required_columns": ["b"], "used": ["a"]}):
            with pytest.raises(DataError, match="column 'a' holds .*; expected numbers or texts"):
                check_source_files(path, **used)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "it is empty"),
        (b"\n\n{}\n", "it is empty"),
        (b'[{"a": 1}]', r"no line is an object \(line 1: list: expected an object\)"),
        (b'{\n "a": 1\n}\n', r"no line is an object \(line 1: "),
        ('{"a": 1}\n'.encode("utf-16"), r"no line is an object \(line 1: UTF-16 text\)"),
        (b"a,b\n1,2\n", r"no line is an object \(line 1: Expecting value"),
    ],
)
def test_a_file_without_an_object_is_refused_in_one_line(tmp_path, content, found):
    path = tmp_path / "t.jsonl"
    path.write_bytes(content)
    for read_it in (
        lambda: check_source_files(path, ["a"]),
        lambda: check_source_files(path, ()),
        lambda: read_sample(path, {}),
    ):
        with pytest.raises(DataError, match=f"{path}: {found}.*Hint: write each row") as refused:
            read_it()
        assert "\n" not in str(refused.value)


def test_files_may_lack_what_is_missing_in_all_their_rows(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n' * 3)
    (tmp_path / "b.jsonl").write_text('{"a": 1, "b": "x"}\n' * 3)
    assert check_source_files(tmp_path, ["b"]).header == ("a", "b")
    with pytest.raises(DataError, match="lacks the required column 'c'.*nearest to 'c' is "):
        check_source_files(tmp_path, ["c"])
    assert read_sample(tmp_path, {}).kinds == {"a": "int", "b": "string"}
