"""data.sources.local_query, data.sources.query: what a query may read, says, and refuses."""

import collections
import contextlib
import csv

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
import tensorflow as tf

from data.example_query import ExampleQuery
from data.sources.local_query import LocalQuery, count_rows, open_query, read_query
from data.sources.query import check_query, find_tables
from data.taxi import taxi_csv_path
from fareline.errors import DataError, FarelineError

TRIPS = "company,fare,hour\nA,1.5,1\nB,,2\nA,4,3\n,2.25,4\n"
ZONES = [(1, "North"), (2, "South"), (3, "North")]


@pytest.fixture
def tables(tmp_path):
    (tmp_path / "trips").mkdir()
    (tmp_path / "trips" / "a.csv").write_text(TRIPS)
    zones = pa.table({"hour": [h for h, _ in ZONES], "zone": [z for _, z in ZONES]})
    pyarrow.parquet.write_table(zones, tmp_path / "zones.parquet")
    return {"trips": [str(tmp_path / "trips/a.csv")], "zones": [str(tmp_path / "zones.parquet")]}


def rows(text, tables, kinds=None, **more):
    found = []
    for batch in read_query(LocalQuery(text, tables, **more), kinds or {}):
        assert not batch.bad
        found += zip(*(array.to_pylist() for array in batch.columns.values()), strict=True)
    return found


def refusal(text, tables):
    with pytest.raises(DataError) as caught:
        rows(text, tables)
    return str(caught.value)


def test_tables_of_both_formats_are_joined(tables):
    text = """
        SELECT zone, count(*) AS trips, sum(hour) AS hours, avg(fare) AS fare
        FROM trips LEFT JOIN zones USING (hour) GROUP BY zone ORDER BY trips DESC, zone NULLS LAST
    """
    # A sum of integers has 64 bits, as in BigQuery, and not the 128 that DuckDB counts in.
    assert rows(text, tables) == [
        (b"North", 2, 4, 2.75),
        (b"South", 1, 2, None),
        (None, 1, 4, 2.25),
    ]


def test_a_column_that_is_empty_in_every_row_fits_any_type(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("fare,tract\n1.5,\n2,\n")
    tables = find_tables({"trips": path}, "data.source.sql.files")
    query, kinds = LocalQuery("FROM trips", {"trips": [str(path)]}), {"tract": "int"}
    check_query(query, tables, ["tract"], kinds)
    [batch] = read_query(query, kinds)
    assert (str(batch.columns["tract"].type), batch.columns["tract"].null_count) == ("int64", 2)
    path.write_text("fare,tract\n1.5,\n2,north\n")
    message = r"column 'tract' is string; expected integers"
    with pytest.raises(DataError, match=message):
        check_query(query, tables, ["tract"], kinds)


def test_types_are_those_of_the_schema_where_it_has_the_column(tables):
    kinds = {"fare": "int", "hour": "float", "company": "string"}
    [batch] = read_query(LocalQuery("FROM trips", tables), kinds)
    assert [str(array.type) for array in batch.columns.values()] == [
        "large_binary",
        "int64",
        "double",
    ]
    assert batch.columns["fare"].to_pylist() == [None, 4]
    assert [(bad.line, bad.fault.reason) for bad in batch.bad] == [
        (1, "wrong_type"),
        (4, "wrong_type"),
    ]
    assert rows("SELECT hour FROM trips WHERE hour = '1'", tables, text_columns=["hour"]) == [
        (b"1",)
    ]


def test_columns_of_csv_are_typed_by_all_values(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("n\n" + "1\n" * 30_000 + "x\n")
    assert rows("SELECT n FROM t WHERE n <> '1'", {"t": [str(path)]}) == [(b"x",)]


def test_rows_come_in_the_same_order_every_time():
    tables = {"trips": [str(taxi_csv_path())]}
    text = "SELECT company, count(*) AS n, random() AS r FROM trips GROUP BY company"
    first = rows(text, tables)
    assert first == rows(text, tables)
    with open(taxi_csv_path(), newline="") as file:
        counted = collections.Counter(row["company"] or None for row in csv.DictReader(file))
    assert {(name and name.decode()): n for name, n, _ in first} == counted


def test_rows_of_files_are_counted(tmp_path):
    for name, count in (("a", 3), ("b", 0)):
        (tmp_path / f"{name}.csv").write_text("x,y\n" + "1,2\n" * count)
    paths = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    assert count_rows(LocalQuery("", {"t": paths})) == {paths[0]: 3, paths[1]: 0}


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_csv('{other}')",
        "SELECT * FROM '{other}'",
        "SELECT * FROM read_text('{other}')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM trips WHERE EXISTS (SELECT * FROM read_blob('{other}'))",
        "SELECT * FROM parquet_metadata('{other}')",
        "SELECT * FROM sniff_csv('{other}')",
    ],
)
def test_no_other_file_is_read(tables, tmp_path, text):
    other = tmp_path / "other.csv"
    other.write_text("secret\n1\n")
    said = refusal(text.format(other=other, folder=tmp_path), tables)
    assert 'Cannot access file "' in said and "secret" not in said
    assert said.endswith(
        "expected a query of the tables alone, and the tables are trips, zones. "
        "Hint: name the file in data.source.sql.files."
    )


def test_nothing_of_python_and_no_extension_is_reached(tables):
    frame = pa.table({"x": [1]})  # noqa: F841 - what a replacement scan would find
    assert "Table with name frame does not exist" in refusal("FROM frame", tables)
    assert refusal("SELECT getenv('HOME')", tables).startswith(
        "data.source.sql.query, line 1, column 8: Scalar Function with name getenv does not exist"
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("COPY trips TO '{folder}/out.csv'", "found COPY"),
        ("SET enable_external_access = true", "found SET"),
        ("ATTACH '{folder}/db'", "found ATTACH"),
        ("INSTALL httpfs", "found LOAD"),
        ("DROP VIEW trips", "found DROP"),
        ("SELECT 1; SELECT 2", "found SELECT and SELECT"),
        ("-- nothing", "is empty"),
    ],
)
def test_a_query_is_one_select(tables, tmp_path, text, found):
    before = sorted(tmp_path.rglob("*"))
    assert refusal(text.format(folder=tmp_path), tables) == (
        f"data.source.sql.query: {found}; expected one SELECT. Hint: write one query, without "
        "anything else."
    )
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "SELECT company,\n  fair\nFROM trips",
            'line 2, column 3: Referenced column "fair" not found in FROM clause; expected a query '
            "that DuckDB can answer. Hint: did you mean fare or hour.",
        ),
        (
            "FROM trip",
            "line 1, column 6: Table with name trip does not exist; expected a query that DuckDB "
            "can answer. Hint: the tables are trips, zones.",
        ),
        (
            "SELEC fare FROM trips",
            'line 1, column 1: syntax error at or near "SELEC"; expected a query that DuckDB can '
            "answer. Hint: the tables are trips, zones.",
        ),
        (
            "SELECT no_such_function(1) FROM trips",
            None,
        ),
    ],
)
def test_mistakes_have_a_place(tables, text, said):
    found = refusal(text, tables)
    assert "\n" not in found
    assert found.startswith("data.source.sql.query")
    assert said is None or found == f"data.source.sql.query, {said}"


def test_what_goes_wrong_on_the_way_is_said_too(tables):
    text = "SELECT CAST(company AS INTEGER) AS c FROM trips"
    assert refusal(text, tables).startswith(
        "data.source.sql.query, line 1, column 8: Could not convert string 'A' to INT32"
    )
    assert "out of bounds" in refusal(
        "SELECT sum(hour + 9223372036854775000) AS s FROM trips", tables
    )


def test_times_are_seconds_and_what_has_no_form_is_passed_over(tables):
    asked = LocalQuery(
        "SELECT to_timestamp(7) AS at, {'a': fare} AS pair, fare FROM trips LIMIT 1", tables
    )
    [batch] = read_query(asked, {})
    assert list(batch.columns) == ["at", "fare"]
    assert batch.columns["at"].to_pylist() == [7]


def test_names_are_distinct(tables):
    assert refusal("SELECT fare, fare FROM trips", tables) == (
        "data.source.sql.query: has two columns 'fare'; expected each name once. Hint: rename one."
    )


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_column_without_a_name_is_none_to_sql(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    if ending == "csv":  # as pandas writes the index
        path.write_text(",fare\n0,1.5\n")
    else:
        pyarrow.parquet.write_table(pa.table({"": [0], "fare": [1.5]}), path)
    assert refusal("FROM t", {"t": [str(path)]}) == (
        f"{path}: has a column without a name; expected a name for each column, as SQL has it. "
        "Hint: name it, or read the file with data.source.files."
    )


def test_files_of_a_table_have_one_header(tmp_path):
    for name, header in (("a", "x,y"), ("b", "y,x")):
        (tmp_path / f"{name}.csv").write_text(f"{header}\n1,2\n")
    paths = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    assert refusal("FROM t", {"t": paths}) == (
        f"{paths[1]}: its header differs from that of {paths[0]}; expected the same columns in the "
        "same order in all files of a table. Hint: make tables of their own of them, and join "
        "these in the query."
    )


def test_a_large_answer_is_streamed_and_sorted_on_disk(tmp_path):
    text = "SELECT hash(i)::VARCHAR AS h FROM range(200000) AS t(i) ORDER BY h"
    path = tmp_path / "t.csv"
    path.write_text("x\n1\n")
    with open_query(LocalQuery(text, {"t": [str(path)]})) as reader:
        sizes = [batch.num_rows for batch in reader]
    assert sum(sizes) == 200_000
    assert max(sizes) <= 65_536


# Finding the files, and asking before a run.


def test_tables_are_below_one_folder(tmp_path):
    for name in ("trips/2015/a.parquet", "trips/2016/b.parquet", "zones/z.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            path.write_text("hour\n1\n")
        else:
            pyarrow.parquet.write_table(pa.table({"hour": [1]}), path)
    paths = {"trips": tmp_path / "trips/*/*.parquet", "zones": tmp_path / "zones"}
    found = find_tables(paths, "data.source.sql.files")
    assert found.base == tmp_path
    assert found.patterns == {"trips": "trips/*/*.parquet", "zones": "zones/*.csv"}
    assert [path.name for path in found.files["trips"]] == ["a.parquet", "b.parquet"]
    assert found.files["zones"] == (tmp_path / "zones/z.csv",)
    alone = find_tables({"z": tmp_path / "zones/z.csv"}, "")
    assert (alone.base, alone.patterns) == (tmp_path / "zones", {"z": "z.csv"})


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "*.parquet",
            "files.t: no file is {folder}/*.parquet; expected Parquet or CSV files, all of one "
            "kind. Hint: check the path.",
        ),
        (
            "*.*",
            "files.t: {folder}/*.* has files that end in .csv and in .tfrecord; expected Parquet "
            "or CSV files, all of one kind. Hint: name a table for each kind.",
        ),
        ("b.tfrecord", "files.t: {folder}/b.tfrecord has files that end in .tfrecord; expected"),
        ("**/*.csv", "files.t: found {folder}/**/*.csv; expected no **. Hint: name each level"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, path, said):
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "b.tfrecord").write_bytes(b"x")
    with pytest.raises(DataError) as caught:
        find_tables({"t": tmp_path / path}, "files")
    assert str(caught.value).startswith(said.format(folder=tmp_path))


def check(tmp_path, text, required=(), kinds=None):
    (tmp_path / "t.csv").write_text(TRIPS)
    tables = find_tables({"trips": tmp_path / "t.csv"}, "")
    query = LocalQuery(text, {"trips": [str(tmp_path / "t.csv")]})
    return check_query(query, tables, required, kinds or {})


def test_a_query_is_asked_before_a_run(tmp_path):
    found = check(tmp_path, "SELECT fare, company FROM trips", ["company"])
    assert found.header == ("fare", "company")
    assert found.files == (tmp_path / "t.csv",)
    assert found.pattern == {"trips": "t.csv"}
    assert found.sample == {"fare": ["1.5", "4.0", "2.25"], "company": ["A", "B", "A"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "SELECT fare FROM trips",
            "data.source.sql.query: lacks the required column 'company'; expected it among the "
            "columns found (1). Hint: nearest to 'company' is 'fare'.",
        ),
        (
            "SELECT * FROM trips WHERE fare > 9",
            "data.source.sql.query: the query returns no row; expected rows to learn from. Hint: "
            "look into its conditions, and into trips.",
        ),
        (
            "SELECT 1 AS company, fare FROM trips",
            "data.source.sql.query: column 'company' is int32; expected text, as other files or "
            "the schema have it. Hint: write the column with that type.",
        ),
    ],
)
def test_what_a_run_cannot_use_is_said_before_it(tmp_path, text, said):
    with pytest.raises(DataError) as caught:
        check(tmp_path, text, ["company", "fare"][: text.count(",") + 1], {"company": "string"})
    assert str(caught.value) == said


@pytest.mark.parametrize("broken", ["nothing", "file", "query", "reading"])
def test_every_connection_is_closed(tmp_path, monkeypatch, broken):
    opened = []
    connect = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda *a: opened.append(connect(*a)) or opened[-1])
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"x": [1, 2]}), path)
    if broken == "file":
        path.write_bytes(b"PAR1")
    text = {"query": "SELECT y FROM t", "reading": "SELECT CAST('a' || x AS INT) AS n FROM t"}
    query = LocalQuery(text.get(broken, "SELECT x FROM t"), {"t": [str(path)]})
    example = tf.train.Example()
    example.features.feature["x"].int64_list.value.append(1)
    records = str(tmp_path / "examples")
    with tf.io.TFRecordWriter(records) as writer:
        writer.write(b"?" if broken == "file" else example.SerializeToString())
    condition = "y = 1" if broken == "query" else "CAST('a' || x AS INT) = 1"
    condition = "x = 1" if broken in ("nothing", "file") else condition
    for ask, fails in (
        (lambda: list(read_query(query, {})), broken != "nothing"),
        (lambda: count_rows(query), broken == "file"),
        (lambda: ExampleQuery(condition).ask({"train": [records]}, 1), broken != "nothing"),
    ):
        with pytest.raises(FarelineError) if fails else contextlib.nullcontext():
            ask()
    assert len(opened) == 3
    for connection in opened:
        with pytest.raises(duckdb.ConnectionException):
            connection.execute("SELECT 1")


def test_a_table_of_another_encoding_is_refused_with_the_cause(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("stadt,n\nKöln,1\n".encode("latin-1"))
    query = LocalQuery("SELECT * FROM t", {"t": [str(path)]}, [])
    with pytest.raises(
        DataError, match="t.csv cannot be read .*not utf-8 encoded.*in UTF-8"
    ) as told:
        list(read_query(query, {}))
    assert "\n" not in str(told.value) and "stadt" not in str(told.value)
