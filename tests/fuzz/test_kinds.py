"""Formats x kinds x missing: what an example holds of a row does not depend on how the row came.

A table of each kind of column is written in every format, read as training and `predict` read it,
and sent as a request to either API.
"""

import csv
import json
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from data.reading.csv_header import CsvFormat, as_missing
from data.reading.pieces import plan_file, read_piece
from data.reading.rows import Wanted
from data.reading.rows_file import open_rows
from data.writing.encode import encode_examples
from fareline.errors import DataError
from serving.model.columns import Column
from serving.model.servable import RefusedError, Signature
from serving.server.instances import encode_row
from tests.fuzz.examples import examples

# A truth value as an integer (also a category or a label) and as a number; see `_spelled`.
KINDS = {
    "truth": "int", "share": "float", "whole": "int", "number": "float", "text": "string",
    "key": "string",
}  # fmt: skip
TYPED = {
    "truth": pa.bool_(), "share": pa.bool_(), "whole": pa.int32(), "number": pa.float32(),
    "text": pa.string(), "key": pa.string(),
}  # fmt: skip
# A spelling of missing for each kind; no file holds -999.9 exactly.
SPELLED = {"?": "all", "-999": ["whole"], "-999.9": ["number"], "0": ["truth"]}
MISSING = {"whole": -999, "number": float(np.float32(-999.9)), "text": "?", "truth": False}
_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=4)
_TRUTH = st.none() | st.booleans()
_ROW = st.tuples(
    _TRUTH,
    _TRUTH,
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.none() | _TEXT,
    st.just("x"),
)
_OPEN = partial(open, mode="rb")


def _spelled(row):
    """The row as a file holds it that has no way to say that a value is missing."""
    return {name: MISSING.get(name) if value is None else value for name, value in row.items()}


def _held(row, spelled):
    """What an example holds of it."""
    made = {}
    for name, value in row.items():
        gone = value is None or (spelled and _is_spelling(name, value))
        if not gone:
            value = value.encode() if isinstance(value, str) else value
            made[name] = float(value) if KINDS[name] == "float" else value
    return made


def _is_spelling(name, value):
    return value == MISSING.get(name) or (isinstance(value, str) and value.strip() == "?")


def _cell(value, words):
    return words[value] if isinstance(value, bool) else "" if value is None else value


def _write(path, rows, words):
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            writer.writerows([KINDS, *([_cell(v, words) for v in row.values()] for row in rows)])
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".tfrecord":
        with tf.io.TFRecordWriter(str(path)) as writer:
            for row in rows:
                writer.write(_example(row))
    else:
        columns = {n: pa.array([row[n] for row in rows], kind) for n, kind in TYPED.items()}
        parquet = path.suffix == ".parquet"
        save = pyarrow.parquet.write_table if parquet else pyarrow.feather.write_feather
        save(pa.table(columns), str(path))


def _example(row):
    """As TFRecord holds it; a truth value is an integer, whatever the column is."""
    made = tf.train.Example()
    for name, value in _held(row, spelled=False).items():
        lists = {"int": "int64_list", "float": "float_list", "string": "bytes_list"}
        is_truth = isinstance(row[name], bool)
        values = lists["int" if is_truth else KINDS[name]]
        getattr(made.features.feature[name], values).value.append(int(value) if is_truth else value)
    return made.SerializeToString()


def _decoded(examples):
    """Values by column, of the columns that have one."""
    rows = [tf.train.Example.FromString(each).features.feature for each in examples]
    return [
        {
            name: getattr(feature, feature.WhichOneof("kind")).value[0]
            for name, feature in row.items()
            if feature.WhichOneof("kind") and getattr(feature, feature.WhichOneof("kind")).value
        }
        for row in rows
    ]


def _train(path, csv_format):
    for piece in plan_file(str(path), _OPEN, csv_format=csv_format)[1]:
        for batch in read_piece(piece, KINDS, _OPEN):
            assert not batch.bad, batch.bad
            yield from encode_examples(batch.columns, batch.rows)


def _predict(path, csv_format):
    for rows in open_rows(path, Wanted(KINDS), csv_format):
        assert not rows.bad, rows.bad
        yield from encode_examples(rows.features, len(rows))


def _signature():
    columns = {name: Column(name, kind, False) for name, kind in KINDS.items()}
    return Signature("serving_default", {}, (), "examples", columns, lambda rows: [])


@pytest.mark.timeout(3600)  # of `make fuzz`
@settings(**examples(8, each=5))
@given(
    st.lists(_ROW, min_size=1, max_size=5),
    st.booleans(),
    st.sampled_from([("0", "1"), ("false", "true"), ("False", "True"), ("FALSE", "TRUE")]),
)
def test_a_row_of_any_kind_is_the_same_example_however_it_comes(tmp_path, rows, spelled, words):
    rows = [dict(zip(KINDS, row, strict=True)) for row in rows]
    csv_format = CsvFormat(missing=as_missing(SPELLED if spelled else {}))
    if spelled:
        rows = [_spelled(row) for row in rows]
        words = ("0", "1")  # a cell is compared with the spellings as it is written
    expected = [_held(row, spelled) for row in rows]
    for ending in (".csv", ".jsonl", ".parquet", ".feather", ".tfrecord"):
        path = tmp_path / f"t{ending}"
        _write(path, rows, words)
        assert _decoded(_train(path, csv_format)) == expected, ending
        if ending != ".tfrecord":
            assert _decoded(_predict(path, csv_format)) == expected, ending
    if not spelled:  # a request has null for what is missing
        sent = [json.loads(json.dumps(row)) for row in rows]
        asked = [encode_row("instances[0]", row, _signature(), ()) for row in sent]
        assert _decoded(asked) == expected


@pytest.mark.parametrize("ending", [".jsonl", ".parquet", ".feather"])
def test_a_text_column_refuses_a_truth_value_as_it_does_a_number(tmp_path, ending):
    path = tmp_path / f"t{ending}"
    for value in (True, 1):
        if ending == ".jsonl":
            path.write_text(json.dumps({"text": value}))
        else:
            parquet = ending == ".parquet"
            save = pyarrow.parquet.write_table if parquet else pyarrow.feather.write_feather
            save(pa.table({"text": [value]}), str(path))
        kinds = {"text": "string"}
        for read in (
            lambda kinds=kinds: open_rows(path, Wanted(kinds)),
            lambda kinds=kinds: read_piece(plan_file(str(path), _OPEN)[1][0], kinds, _OPEN),
        ):
            if ending == ".jsonl":
                [bad] = [row for batch in read() for row in batch.bad]
                assert (
                    bad.fault.message == f"text: {value!r} ({type(value).__name__}): expected text"
                )
            else:
                with pytest.raises(DataError, match="column 'text' is (bool|int64); expected text"):
                    list(read())
        with pytest.raises(RefusedError, match=f"text: {value}; expected text"):
            encode_row("instances[0]", {"text": value}, _signature(), ())
