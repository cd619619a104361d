"""data.reading.pieces: every format gives the same rows, in pieces too; all type columns."""

import csv
import gzip
import hashlib
import math
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from data.reading import columnar as columnar_files
from data.reading import pieces
from data.reading.kinds import kind_of_cells, merge_kinds
from data.reading.pieces import kinds_in, plan_file, read_piece
from data.sources.files import check_source_files
from data.sources.local_query import LocalQuery, read_query
from data.sources.sample import read_sample
from data.taxi import taxi_csv_path
from fareline.errors import DataError

KINDS = {"hour": "int", "fare": "float", "company": "string"}
ROWS = [
    (h % 24, None if h % 7 == 0 else h / 4, None if h % 5 == 0 else f'c,{h}"\n'.encode())
    for h in range(500)
]


def open_file(path):
    return open(path, "rb")


def table():
    hours, fares, companies = zip(*ROWS, strict=True)
    return pa.table(
        {
            "hour": pa.array(hours, pa.int16()),
            "fare": pa.array(fares),
            "company": pa.array([c and c.decode() for c in companies]).dictionary_encode(),
        }
    )


def write(folder, ending):
    path = folder / f"t{ending}"
    if ending in (".csv", ".csv.gz"):
        opened = gzip.open if ending.endswith(".gz") else open
        with opened(path, "wt", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(KINDS)
            writer.writerows((h, f, c and c.decode()) for h, f, c in ROWS)
    elif ending == ".parquet":
        pyarrow.parquet.write_table(table(), path, row_group_size=90)
    else:
        pyarrow.feather.write_feather(table(), path, chunksize=90)
    return str(path)


def rows_of(batches, names):
    found = []
    for batch in batches:
        assert not batch.bad
        found += zip(*(batch.columns[name].to_pylist() for name in names), strict=True)
    return found


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet", ".feather"])
def test_formats_and_sizes_of_pieces_make_no_difference(tmp_path, monkeypatch, ending):
    monkeypatch.setattr(pieces, "PIECE_BYTES", 1000)
    monkeypatch.setattr(columnar_files, "_ROWS_OF_A_PIECE", 100)
    blocks = pieces.iter_blocks
    monkeypatch.setattr(pieces, "iter_blocks", partial(blocks, block_bytes=700))
    path = write(tmp_path, ending)
    file, planned = plan_file(path, open_file)
    content = (tmp_path / f"t{ending}").read_bytes()
    assert (file.bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert len(planned) == 1 if ending == ".csv.gz" else len(planned) > 2
    for known in (KINDS, kinds_in(planned[0], {}, open_file)):
        found = [
            r for piece in planned for r in rows_of(read_piece(piece, known, open_file), KINDS)
        ]
        assert found == ROWS


def test_lines_count_on_from_piece_to_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_BYTES", 40)
    blocks = pieces.iter_blocks
    monkeypatch.setattr(pieces, "iter_blocks", partial(blocks, block_bytes=16))
    lines = ["a,b"] + [f'{i},"x\ny"' if i % 3 else f"{i},z,z" for i in range(60)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines))
    _, planned = plan_file(str(path), open_file)
    assert len(planned) > 5
    kinds = {"a": "int", "b": "string"}
    bad = [r for p in planned for batch in read_piece(p, kinds, open_file) for r in batch.bad]
    in_file = path.read_text().split("\n")
    assert [row.line for row in bad] == [
        number for number, text in enumerate(in_file, 1) if text.endswith(",z,z")
    ]


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".jsonl"])
def test_a_zero_byte_in_a_name_is_refused_whatever_the_column_is_for(tmp_path, ending):
    """TensorFlow Transform would fail on it without a word about the column."""
    path = tmp_path / f"t{ending}"
    if ending == ".jsonl":
        path.write_text('{"x": 1, "a\\u0000b": 2}\n')
    else:
        table = pa.table({"x": [1], "a\0b": [2]})
        writer = (
            pyarrow.parquet.write_table if ending == ".parquet" else pyarrow.feather.write_feather
        )
        writer(table, str(path))
    said = r"has a column 'a\\x00b'; expected names without a zero byte"
    with pytest.raises(DataError, match=said):
        for piece in plan_file(str(path), open_file)[1]:
            kinds_in(piece, {}, open_file)
    with pytest.raises(DataError, match=said):
        check_source_files(path, ["x"])


def test_nan_in_an_example_is_missing_and_an_infinite_number_a_bad_row(tmp_path):
    """As in Parquet."""
    import tensorflow as tf

    rows = [[0.5], [math.nan], [], [math.inf], [-math.inf], [1.5]]
    path = str(tmp_path / "t.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for number, values in enumerate(rows):
            made = tf.train.Example()
            made.features.feature["n"].int64_list.value.append(number)
            made.features.feature["x"].float_list.value.extend(values)
            writer.write(made.SerializeToString())
        writer.write(b"no example")
    _, [piece] = plan_file(path, open_file)
    [batch] = read_piece(piece, {"n": "int", "x": "float"}, open_file)
    assert batch.columns["n"].to_pylist() == [[0], [1], [2], [5]]
    assert batch.columns["x"].to_pylist() == [[0.5], [], [], [1.5]]
    assert [(row.line, row.fault.reason) for row in batch.bad] == [
        (4, "not_finite"), (5, "not_finite"), (7, "not_an_example")
    ]  # fmt: skip


def test_examples_are_read_back_as_they_were_written(tmp_path):
    import tensorflow as tf

    def example(**features):
        return tf.train.Example(features=tf.train.Features(feature=features))

    def ints(*values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    def floats(*values):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    path = str(tmp_path / "t.tfrecord.gz")
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        writer.write(example(a=ints(1, 2), b=floats(0.5)).SerializeToString())
        writer.write(b"no example")
        writer.write(example(a=ints(3), b=tf.train.Feature()).SerializeToString())
    _, [piece] = plan_file(path, open_file)
    kinds = kinds_in(piece, {}, open_file)
    assert kinds == {"a": "int", "b": "float"}
    [batch] = read_piece(piece, kinds, open_file)
    assert batch.columns["a"].to_pylist() == [[1, 2], [3]]
    assert batch.columns["b"].to_pylist() == [[0.5], None]
    assert [(bad.line, bad.fault.reason, bad.row) for bad in batch.bad] == [
        (2, "not_an_example", "no example")
    ]
    with pytest.raises(DataError, match="feature 'a' holds int; expected string, as other"):
        list(read_piece(piece, kinds | {"a": "string"}, open_file))


@pytest.fixture
def write_records(tmp_path):
    import tensorflow as tf

    def write(*records):
        path = str(tmp_path / "t.tfrecord")
        with tf.io.TFRecordWriter(path) as writer:
            for record in records:
                writer.write(record)
        return path

    return write


def _record(**features):
    import tensorflow as tf

    made = tf.train.Example()
    for name, (kind, *values) in features.items():
        getattr(made.features.feature[name], f"{kind}_list").value.extend(values)
    return made.SerializeToString()


def test_integers_of_examples_are_numbers_and_whole_numbers_integers(write_records):
    path = write_records(
        _record(n=("float", 2.0), x=("int64", 3), many=("int64", 1, 2)),
        _record(n=("float", float("nan"))),
        _record(n=("float", 2.5), x=("int64", 4)),
        _record(x=("int64", 5), many=("int64", 3)),
    )
    _, [piece] = plan_file(path, open_file)
    [batch] = read_piece(piece, {"n": "int", "x": "float", "many": "float"}, open_file)
    assert [array.to_pylist() for array in (batch.columns[n] for n in ("n", "x", "many"))] == [
        [[2], [], []], [[3.0], [], [5.0]], [[1.0, 2.0], [], [3.0]],
    ]  # fmt: skip
    assert [(bad.line, bad.fault.reason) for bad in batch.bad] == [(3, "wrong_type")]


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
def test_a_fraction_among_whole_numbers_of_any_width_is_a_bad_row(tmp_path, kind):
    path = str(tmp_path / "t.parquet")
    pyarrow.parquet.write_table(pa.table({"n": pa.array([2.0, 2.5, None], kind)}), path)
    [batch] = read_piece(plan_file(path, open_file)[1][0], {"n": "int"}, open_file)
    assert batch.columns["n"].to_pylist() == [2, None]
    assert [(bad.line, bad.fault.reason) for bad in batch.bad] == [(2, "wrong_type")]


def test_what_is_wrong_with_a_file_of_examples_is_said_without_tensorflows_words(write_records):
    path = write_records(_record(x=("int64", 1)), _record(x=("float", 1.5)))
    with pytest.raises(DataError) as mixed:
        kinds_in(plan_file(path, open_file)[1][0], {}, open_file)
    assert str(mixed.value).startswith(
        f"{path}: feature 'x' is int64_list in some examples and float_list in others; expected "
    )
    whole = Path(path).read_bytes()
    for content, said in (
        (whole[:-7], "truncated record at "),
        (b"\x00" + whole[1:], "corrupted record at 0"),
        (b"no record at all", "corrupted record at 0 (Is this even a TFRecord file?)"),
    ):
        Path(path).write_bytes(content)
        with pytest.raises(DataError) as damaged:
            kinds_in(plan_file(path, open_file)[1][0], {}, open_file)
        assert f"{path}: damaged behind record 0 ({said}" in str(damaged.value)
        assert "function_node" not in str(damaged.value) and "[Op" not in str(damaged.value)


@pytest.mark.parametrize(
    ("name", "header", "repeated"),
    [
        ("t.csv", "fare,hour,fare", "'fare'"),
        ("t.csv", 'a,"a",b,b', "'a', 'b'"),
        ("t.csv", "fare,,", "''"),
        ("t.csv.gz", "\ufefffare,fare", "'fare'"),
    ],
)
def test_a_repeated_column_is_refused_by_whoever_reads_csv(tmp_path, name, header, repeated):
    path = tmp_path / name
    content = f"{header}\n{','.join('1' * (1 + header.count(',')))}\n".encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    query = LocalQuery("SELECT count(*) AS n FROM t", {"t": [str(path)]})
    for read in (
        lambda: plan_file(str(path), open_file),  # where an ExampleGen runs
        lambda: check_source_files(path, ()),  # before a run
        lambda: read_sample(path, {}),
        lambda: list(read_query(query, {})),
    ):
        with pytest.raises(
            DataError, match=f"{name}: the header repeats {repeated}; expected each"
        ):
            read()


def test_what_a_parquet_row_cannot_be_is_set_apart_and_what_a_column_cannot_be_refused(tmp_path):
    path = str(tmp_path / "t.parquet")
    columns = {
        "n": pa.array([1.0, 2.5, None, float("nan"), 5.0]),
        "x": pa.array([1e300, 1.0, 2.0, 3.0, 4.0]),
        "many": pa.array([[1], [], None, [2, 3], [4]], pa.list_(pa.int32())),
    }
    pyarrow.parquet.write_table(pa.table(columns), path)
    _, [piece] = plan_file(path, open_file)
    [batch] = read_piece(piece, {"n": "int", "x": "float", "many": "int"}, open_file)
    assert {name: array.to_pylist() for name, array in batch.columns.items()} == {
        "n": [None, None, 5],
        "x": [2.0, 3.0, 4.0],
        "many": [[], [2, 3], [4]],
    }
    assert [(bad.line, bad.fault.reason) for bad in batch.bad] == [
        (1, "not_finite"),
        (2, "wrong_type"),
    ]
    pyarrow.parquet.write_table(pa.table({"t": pa.array([{"a": 0}])}), path)
    _, [piece] = plan_file(path, open_file)
    assert kinds_in(piece, {}, open_file) == {}
    with pytest.raises(DataError, match=r"column 't' is struct<a: int64>; expected numbers, texts"):
        next(read_piece(piece, {"t": "int"}, open_file))


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-5", None, "007", " 3 ", "+2"], "int"),
        (["1", "2.5", "1e3"], "float"),
        (["1", "9223372036854775808"], "float"),
        (["1", "+2.5"], "float"),
        (["1.5", " 2"], "float"),
        ([".5", "5.", "-.5", "1E+5"], "float"),
        (["1", "1-2"], "string"),
        (["-"], "string"),
        (["1", "."], "string"),
        (["1.5", "1e"], "string"),
        (["1.5", "0x10"], "string"),
        (["1", "\u0663"], "int"),
        (["++5"], "string"),
        (["1", "x"], "string"),
        (["0x10"], "string"),
        (["nan"], "string"),
        (["1e400"], "string"),
        (["1_000"], "string"),
        (["True", "False"], "string"),  # 1 and 0 only where a schema says that they are numbers
        (["1", " true"], "string"),
        (["1.5", "FALSE"], "string"),
        ([None, None], "unknown"),
        (["1"] * 1000 + ["a"], "string"),
    ],
)
def test_kinds_of_cells(cells, kind):
    array = pa.array([None if cell is None else cell.encode() for cell in cells], pa.binary())
    assert kind_of_cells(array) == kind
    pieces_of_one = [kind_of_cells(array.slice(i, 1)) for i in range(len(array))]
    assert merge_kinds({"c": each} for each in pieces_of_one) == {"c": kind}


def test_kinds_of_the_taxi_columns_are_those_that_their_readme_says(tmp_path):
    path = str(taxi_csv_path())
    _, [piece] = plan_file(path, open_file)
    found = kinds_in(piece, {"company": "string"}, open_file)
    assert (found["fare"], found["trip_seconds"], found["payment_type"]) == (
        "float",
        "int",
        "string",
    )
    assert len(found) == 17 and set(found.values()) == {"int", "float", "string"}


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="t.parquet: cannot be read .*; expected a parquet file"):
        plan_file(str(path), open_file)
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + bytes(np.arange(9999) % 7 + 48))[:-20])
    with pytest.raises(DataError, match="t.csv.gz: cannot be read"):
        _, [piece] = plan_file(str(path), open_file)
        list(read_piece(piece, {"a": "int", "b": "int"}, open_file))


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")
    _, [piece] = plan_file(str(path), open_file)
    path.write_text("a\n1\n2\n")
    with pytest.raises(DataError) as error:
        list(read_piece(piece, {"a": "int"}, open_file))
    assert str(error.value) == (
        f"{path}: was 4 bytes long and is 6; expected it to stay as it was while it is read. "
        "Hint: leave the source alone while a run reads it."
    )
