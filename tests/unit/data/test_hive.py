"""Folders that say columns: the same rows as pyarrow reads, by every reader, or a refusal."""

import json
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet
import pytest

from data.reading.kinds import merge_kinds
from data.reading.pieces import kinds_in, plan_file, read_piece
from data.reading.rows import Wanted
from data.reading.rows_file import open_rows
from data.sources.csv import check_csv_example_gen_reads_alike, check_csv_source
from data.sources.files import check_source_files
from data.sources.hive import keys_above, keys_of
from data.sources.local_query import LocalQuery, count_rows, read_query
from data.sources.query import find_tables
from data.sources.sample import read_sample
from fareline.errors import DataError

OPEN = partial(open, mode="rb")
EMPTY = "__HIVE_DEFAULT_PARTITION__"
WRITERS = {
    ".parquet": pyarrow.parquet.write_table,
    ".csv": pyarrow.csv.write_csv,
    ".feather": pyarrow.feather.write_feather,
    ".jsonl": lambda table, path: path.write_text(
        "".join(json.dumps(row) + "\n" for row in table.to_pylist())
    ),
}


def write(root, folders, ending=".parquet"):
    """A table in parts, two rows in each: x counts on."""
    for number, folder in enumerate(folders):
        (root / folder).mkdir(parents=True)
        table = pa.table({"x": [2 * number, 2 * number + 1]})
        WRITERS[ending](table, root / folder / f"part{ending}")
    return root


def as_pyarrow(root):
    """The rows as pyarrow reads them, and the kinds of their keys."""
    table = pyarrow.dataset.dataset(root, format="parquet", partitioning="hive").to_table()
    names = [name for name in table.schema.names if name != "x"]
    kinds = {n: "int" if table.schema.field(n).type == pa.int32() else "string" for n in names}
    return sorted(table.to_pylist(), key=lambda row: row["x"]), kinds


def decoded(columns):
    plain = {
        name: [v.decode() if isinstance(v, bytes) else v for v in array.to_pylist()]
        for name, array in columns.items()
    }
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


def train(root):
    source = check_source_files(root, ())
    pieces = [
        piece
        for file in source.files
        for piece in plan_file(str(file), OPEN, keys=keys_of(str(file), source.pattern))[1]
    ]
    kinds = merge_kinds(kinds_in(piece, {}, OPEN) for piece in pieces)
    batches = [batch for piece in pieces for batch in read_piece(piece, kinds, OPEN)]
    return [row for batch in batches for row in decoded(batch.columns)], kinds


def sample(root):
    found = read_sample(root, {})
    return [row for columns in found.columns() for row in decoded(columns)], found.kinds


def query(root):
    tables = find_tables({"t": root}, "sql.files")
    files = {"t": [str(file) for file in tables.files["t"]]}
    keys = {path: keys_of(path, tables.patterns["t"]) for path in files["t"]}
    asked = LocalQuery("SELECT * FROM t ORDER BY x", files, keys=keys)
    assert sum(count_rows(asked).values()) == 2 * len(files["t"])
    batches = list(read_query(asked, {}))
    kinds = {n: "string" if a.type == pa.large_binary() else "int" for n, a in
             batches[0].columns.items()}  # fmt: skip
    return [row for batch in batches for row in decoded(batch.columns)], kinds


PARTS = {
    "numbers": ["year=2025/month=01", "year=2025/month=12", "year=2026/month=02"],
    "texts": ["city=Bonn", "city=New%20York", "city=K%C3%B6ln", "city=5"],
    "a number too long": ["id=2147483648", "id=1"],
    "signs": ["n=-5", "n=0"],
    "a plus is text": ["n=+5", "n=1"],
    "fractions are text": ["n=1.5", "n=2"],
    "missing": [f"k={EMPTY}", "k=7"],
    "missing text": [f"k={EMPTY}/m=1", "k=a/m=2"],
    "odd names": ["pay type=1", "pay type=2"],
}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("reader", [train, sample, query])
def test_keys_are_columns_as_pyarrow_has_them(tmp_path, reader, parts):
    root = write(tmp_path / "base=1", parts)  # what is above the source is no key
    rows, kinds = reader(root)
    wanted, wanted_kinds = as_pyarrow(root)
    assert sorted(rows, key=lambda row: row["x"]) == wanted
    assert {name: kind for name, kind in kinds.items() if name != "x"} == wanted_kinds


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("reader", [train, sample, query])
def test_in_every_format(tmp_path, reader, ending):
    parts = ["year=2025/m=a", "year=2026/m=b"]
    root = write(tmp_path / "t", parts, ending)
    if reader is query and ending in (".feather", ".jsonl"):
        with pytest.raises(DataError, match="expected Parquet or CSV files"):
            reader(root)
        return
    rows, kinds = reader(root)
    assert rows == [{"x": x, "year": 2025 + x // 2, "m": "ab"[x // 2]} for x in range(4)]
    assert kinds == {"x": "int", "year": "int", "m": "string"}


def test_a_schema_says_what_the_keys_are(tmp_path):
    root = write(tmp_path, ["n=1", "n=02"])
    for kind, values in (("string", [b"1", b"02"]), ("float", [1.0, 2.0]), ("int", [1, 2])):
        found = []
        for name in ("1", "02"):
            path = str(root / f"n={name}/part.parquet")
            _, [piece] = plan_file(path, OPEN, keys={"n": name})
            [batch] = read_piece(piece, {"x": "int", "n": kind}, OPEN)
            found.append(batch.columns["n"].to_pylist()[0])
        assert found == values
    _, [piece] = plan_file(path, OPEN, keys={"n": "two"})
    with pytest.raises(DataError, match="folder is named n=two, and two: expected an integer"):
        list(read_piece(piece, {"x": "int", "n": "int"}, OPEN))


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
def test_predictions_take_them_from_the_folders_above_a_file(tmp_path, ending):
    root = write(tmp_path, ["year=2026/m=b"], ending)
    path = root / f"year=2026/m=b/part{ending}"
    kinds = {"x": "int", "year": "int", "m": "string"}
    given = keys_above(path)
    assert given == {"year": "2026", "m": "b"}
    [rows] = open_rows(path, Wanted(kinds, frozenset(kinds), given=given))
    assert decoded(rows.features) == [{"x": x, "year": 2026, "m": "b"} for x in (0, 1)]
    [rows] = open_rows(path, Wanted({"x": "int"}, given={"x": "9"}))  # what the file says counts
    assert decoded(rows.features) == [{"x": 0}, {"x": 1}]
    [rows] = open_rows(path, Wanted({"x": "int", "m": "int"}, given=given))
    assert [row.fault.message for row in rows.bad] == ["m: b: expected an integer"] * 2


def test_where_a_run_begins_the_columns_are_there_and_the_pattern_says_where(tmp_path):
    root = write(tmp_path / "[x]", ["year=2025/m=a", "year=2026/m=b"], ".csv")
    for check in (check_csv_source, check_source_files):
        found = check(root, ["year", "x"])
        assert (found.input_base, found.pattern) == (root, "year=*/m=*/*.csv")
        assert found.header == ("x", "year", "m")
        with pytest.raises(DataError, match="lacks the required column 'yaer'.*'year'"):
            check(root, ["yaer"])
    plain = write(tmp_path / "x", ["year=2025", "year=2026"], ".csv")
    with pytest.raises(DataError, match="folders that say the column year.*data.reader=columnar"):
        check_csv_example_gen_reads_alike(check_csv_source(plain, ()))


def test_a_pattern_of_spans_says_no_columns():
    assert keys_of("/d/year=2026/month=01/a.csv", "year={YYYY}/month={MM}/*.csv") == {}
    assert keys_of("/d/span-3/city=a%20b/x.csv", "span-{SPAN}/city=*/*.csv") == {"city": "a b"}


@pytest.mark.parametrize(
    ("folders", "found"),
    [
        (["a=1", "b=1"], "holds folders of a= and of b="),
        (["a=1/b=1", "a=1/c=1"], "holds folders of b= and of c="),
        (["a=1", "a=1/b=2"], "a=1: holds files, and there are folders of b= at the level below"),
        (["a=1", "a=2/b=2"], "a=1: holds files, and there are folders of b= at the level below"),
        (["a=1/a=2"], "holds folders of a= in folders of a="),
        (["a=1", "."], "holds files, and there are folders of a= at the level below"),
    ],
)
def test_folders_that_are_no_table_are_refused(tmp_path, folders, found):
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pa.table({"x": [1]}), tmp_path / folder / "t.parquet")
    with pytest.raises(DataError, match=f"{tmp_path}.*{found}.*; expected folders of one key"):
        check_source_files(tmp_path, ())


def test_a_folder_that_may_not_be_listed_is_named(tmp_path, monkeypatch):
    root = write(tmp_path, ["k=1"])
    listed = Path.iterdir

    def refuse(path):
        if path.name == "k=1":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    for check in (check_source_files, check_csv_source):
        with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)"):
            check(root, ())


def test_a_name_that_is_no_utf8_is_refused(tmp_path):
    root = write(tmp_path, ["k=%FF"])
    with pytest.raises(DataError, match="k=%FF: the bytes after a % are not UTF-8"):
        check_source_files(root, ())


@pytest.mark.parametrize("reader", [train, sample, query])
def test_a_column_in_both_places_is_refused(tmp_path, reader):
    root = write(tmp_path, ["x=1", "x=2"])
    with pytest.raises(DataError, match="column 'x', which the name of its folder has too"):
        reader(root)


def test_hidden_folders_and_others_are_passed_over(tmp_path):
    root = write(tmp_path, ["k=1", "k=2", "_k=3", ".k=4", "other/k=5"])
    assert [row["k"] for row in train(root)[0]] == [1, 1, 2, 2]
