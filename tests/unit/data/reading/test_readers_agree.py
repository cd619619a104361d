"""One table, read by everyone who reads tables, in every format that each takes: the same rows.

The readers are those of training (a piece at a time), of predictions, of samples to look at, of
queries, and of the schema's check. What is compared is what an example holds: int64, float32 or
bytes, or nothing.
"""

import csv
import gzip
import json
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2

from data.reading.pieces import plan_file, read_piece
from data.reading.rows import Wanted
from data.reading.rows_file import open_rows
from data.sources.files import check_source_files
from data.sources.local_query import LocalQuery, read_query
from data.sources.sample import read_sample
from fareline.errors import DataError
from pipeline.settings.load import load_settings
from runners.contract import read_rows
from schema.review.statistics import make_statistics

KINDS = {"count": "int", "fare": "float", "company": "string", "zip": "string", "note": "string"}
ROWS = [
    (1, 0.1, "Ann's Cabs", "00501", None),
    (-7, -2.5, "Zürich, Nord", "10115", None),
    (None, 3.0, 'the "best"', "0", None),
    (2**53 + 1, 1e-30, "two\nlines", None, None),
    (-(2**63), None, " kept ", "1e3", None),
    (2**63 - 1, 3.4e38, "x" * 140_000, "0x1F", None),
    (0, 16777217.0, "nan", "007", None),
    (None, -0.0, None, "Ω", None),
]


def as_held(rows):
    """What examples hold of the rows."""
    return [
        (
            count,
            None if fare is None else float(np.float32(fare)),
            *(None if text is None else text.encode() for text in texts),
        )
        for count, fare, *texts in rows
    ]


EXPECTED = as_held(ROWS)
# What a query must cast itself: refused where the schema says that it is a number.
TEXT_TO_DUCKDB = ("+5", "005", "+1.5", "TRUE", "FALSE", "False")
ARROW = {"int": pa.int64(), "float": pa.float64(), "string": pa.string()}
JSON = (".jsonl", ".jsonl.gz")
CSV, TYPED = (".csv", ".csv.gz"), (".parquet", ".arrow", ".feather")
EXAMPLES = (".tfrecord", ".tfrecord.gz")


def write(path, ROWS=ROWS):  # noqa: N803 - the table, or another one
    """Writes a table in the format that the path ends in."""
    name = path.name
    if name.endswith(CSV):
        with (gzip.open if name.endswith(".gz") else open)(path, "wt", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(KINDS)
            writer.writerows(ROWS)
    elif name.endswith(JSON):
        lines = [json.dumps(dict(zip(KINDS, row, strict=True))) for row in ROWS]
        with (gzip.open if name.endswith(".gz") else open)(path, "wt") as file:
            file.write("\n".join(lines))
    elif name.endswith(TYPED):
        arrays = [
            pa.array(values, ARROW[kind])
            for values, kind in zip(zip(*ROWS, strict=True), KINDS.values(), strict=True)
        ]
        table = pa.table(dict(zip(KINDS, arrays, strict=True)))
        if name.endswith(".parquet"):
            pyarrow.parquet.write_table(table, path, row_group_size=3)
        else:
            pyarrow.feather.write_feather(table, path, chunksize=3)
    else:
        options = tf.io.TFRecordOptions("GZIP" if name.endswith(".gz") else "")
        with tf.io.TFRecordWriter(str(path), options) as writer:
            for row in ROWS:
                writer.write(example(dict(zip(KINDS, row, strict=True))))
    return path


def example(row):
    made = tf.train.Example()
    for name, value in row.items():
        feature = made.features.feature[name]
        if isinstance(value, str):
            feature.bytes_list.value.append(value.encode())
        elif value is not None:
            of = feature.int64_list if KINDS[name] == "int" else feature.float_list
            of.value.append(value)
    return made.SerializeToString()


def plain(array):
    """One column as an example holds it: each value, or None."""
    values = [scalar.as_py() for scalar in array]
    values = [(v[0] if v else None) if isinstance(v, list) else v for v in values]
    return [float(np.float32(v)) if isinstance(v, float) else v for v in values]


def train(path, kinds):
    open_file = partial(open, mode="rb")
    for piece in plan_file(str(path), open_file)[1]:
        for batch in read_piece(piece, kinds, open_file):
            assert not batch.bad
            yield batch.columns


def predict(path, kinds):
    for rows in open_rows(path, Wanted(kinds)):
        assert not rows.bad
        yield rows.features


def sample(path, kinds):
    found = read_sample(path, kinds)
    assert not found.bad and not found.misfits and found.is_whole
    yield from found.columns()


def query(path, kinds):
    texts = [name for name, kind in kinds.items() if kind == "string"]
    asked = LocalQuery("SELECT * FROM t", {"t": [str(path)]}, texts)
    for batch in read_query(asked, kinds):
        assert not batch.bad
        yield batch.columns


def check(path, kinds):
    """As `fareline schema check` reads; `statistics` are held against the rows below."""
    found = read_rows(path, contract(), load_settings())
    assert not found.bad and not found.misfits
    yield from found.columns()


def contract():
    types = {"int": schema_pb2.INT, "float": schema_pb2.FLOAT, "string": schema_pb2.BYTES}
    return schema_pb2.Schema(
        feature=[schema_pb2.Feature(name=name, type=types[kind]) for name, kind in KINDS.items()]
    )


READERS = {
    train: (*CSV, *JSON, *TYPED, *EXAMPLES),
    predict: (*CSV, *JSON, *TYPED),
    sample: (*CSV, *JSON, *TYPED, *EXAMPLES),
    query: (*CSV, ".parquet"),
    check: (*CSV, *JSON, *TYPED, *EXAMPLES),
}
CASES = [(reader, ending) for reader, endings in READERS.items() for ending in endings]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    return {ending: write(folder / f"t{ending}") for ending in {ending for _, ending in CASES}}


@pytest.mark.parametrize(("reader", "ending"), CASES)
def test_every_reader_reads_the_same_rows(files, reader, ending):
    assert rows_of(reader, files[ending], KINDS) == EXPECTED


TEXTS = st.none() | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1
)
TABLES = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False),
        TEXTS,
        TEXTS,
        st.text("xyz", min_size=1),  # or a line might be blank, and no row
    ),
    min_size=1,
    max_size=6,
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(TABLES)
def test_every_reader_reads_any_table_alike(tmp_path, rows):
    paths = {ending: write(tmp_path / f"t{ending}", rows) for _, ending in CASES}
    for reader, ending in CASES:
        if reader is not check:  # which reads as `sample` does, with settings
            assert rows_of(reader, paths[ending], KINDS) == as_held(rows), (reader, ending)


def rows_of(reader, path, kinds):
    found = []
    for columns in reader(path, kinds):
        rows = max(len(array) for array in columns.values())
        missing = [pa.scalar(None)] * rows
        found += zip(*(plain(columns.get(name, missing)) for name in kinds), strict=True)
    return found


@pytest.mark.parametrize("reader", [train, predict, sample, query, check])
@pytest.mark.parametrize(
    "cell",
    [
        ("count", "5", 5),
        ("count", " 5 ", 5),
        ("count", "+5", 5),
        ("count", "005", 5),
        ("count", "5.0", 5),
        ("count", "1e3", 1000),
        ("count", '"5"', 5),
        ("count", '""', None),
        ("count", "TRUE", 1),
        ("count", "FALSE", 0),
        ("fare", "5", 5.0),
        ("fare", "False", 0.0),
        ("fare", " .5", 0.5),
        ("fare", "5.", 5.0),
        ("fare", "+1.5", 1.5),
        ("fare", "1E3", 1000.0),
        ("fare", '""', None),
        ("company", '""', None),
        ("company", " ", b" "),
        ("company", '"a\r\nb"', b"a\r\nb"),
        ("company", "NULL", b"NULL"),
        ("company", "true", b"true"),
        ("company", "2015-01-01", b"2015-01-01"),
        ("zip", "1_000", b"1_000"),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_cell_is_read_alike_by_every_reader_of_csv(tmp_path, reader, cell, ends):
    name, text, value = cell
    path = tmp_path / "t.csv"
    cells = [text if each == name else "" for each in KINDS]
    cells[-1] = "x"  # or the line might be blank
    lines = ["\ufeff" + ",".join(KINDS), "1,2.5,a,b,", ",".join(cells), ""]
    path.write_bytes(ends.join(lines).encode())
    expected = [value if each == name else None for each in KINDS]
    expected[-1] = b"x"
    if reader is query and text in TEXT_TO_DUCKDB:
        with pytest.raises(
            DataError, match=f"column '{name}' is string; expected .*as other files"
        ):
            rows_of(reader, path, KINDS)
        return
    assert rows_of(reader, path, KINDS) == [(1, 2.5, b"a", b"b", None), tuple(expected)]


@pytest.mark.parametrize(
    ("reader", "ending"), [case for case in CASES if case[1] in (*CSV, *TYPED) and case[0] != check]
)
def test_every_reader_refuses_two_columns_of_one_name(tmp_path, reader, ending):
    path = tmp_path / f"t{ending}"
    if ending in CSV:
        with (gzip.open if ending.endswith(".gz") else open)(path, "wt") as file:
            file.write('fare,count,"fare"\n1,2,3\n')
    else:
        table = pa.table([pa.array([each]) for each in (1.0, 2, 3.0)], ["fare", "count", "fare"])
        parquet = ending == ".parquet"
        (pyarrow.parquet.write_table if parquet else pyarrow.feather.write_feather)(table, path)
    with pytest.raises(DataError, match="(repeats|has two columns) 'fare'.*; expected each "):
        list(reader(path, {"fare": "float", "count": "int"}))


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet", ".tfrecord"])
def test_the_check_of_the_schema_counts_these_rows(files, ending):
    [found] = make_statistics(check(files[ending], KINDS)).datasets
    assert found.num_examples == len(ROWS)
    common = {
        feature.path.step[0] or feature.name: (
            feature.num_stats.common_stats
            if feature.HasField("num_stats")
            else feature.string_stats.common_stats
        )
        for feature in found.features
    }
    for index, name in enumerate(KINDS):
        there = sum(row[index] is not None for row in ROWS)
        assert common[name].num_non_missing == there, name


@pytest.mark.parametrize("ending", [*CSV, *JSON, *TYPED, *EXAMPLES])
def test_the_check_before_a_run_sees_the_same_columns(files, ending):
    names = check_source_files(files[ending], ()).header
    assert names == (() if ending in EXAMPLES else tuple(KINDS))
