"""Any column name in any role: used as it is, or refused before anything starts, in one line.

The roles that Transform traces (features, label, weight) are in
tests/component/preprocessing/test_any_column_name.py.
"""

import copy
import csv
import json
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import tensorflow as tf
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tensorflow_model_analysis import SlicingSpec

from data.privacy import Privacy, protect, pseudonym
from data.reading.batches import Batch
from data.reading.rows import BadRow, Wanted
from data.reading.rows_file import open_rows
from data.reading.values import Fault
from data.sources.local_query import LocalQuery, read_query
from data.splitting.hash import Splitting, assign
from data.writing.encode import encode_examples
from data.writing.rows import open_writer
from fareline.errors import DataError, SettingsError
from fareline.recorded.gate import Decision
from fareline.recorded.texts import parse, text_of
from lineage.text.harmless import plain
from pipeline.evaluation.batch_slices import BatchSlicer
from pipeline.rules.settings import require_no_label_leak
from pipeline.settings.settings import Settings
from pipeline.settings.slicing import (
    FeatureKey,
    feature_key,
    is_name_of,
    parse_feature_key,
    slice_name,
)
from serving.model.columns import Column, find_columns
from serving.model.servable import RefusedError, Signature
from serving.server.instances import encode_row
from serving.server.row_checks import ExampleCheck
from tests.fuzz.examples import examples
from tests.unit.pipeline.test_config import MINIMAL

ODD = [
    "a/b", "pay type", "pay-type", "Größe", "{x}", 'q"uote', "it's", "x.y", "1st", "2020", "a,b",
    "select", "FROM", "None", "null", "true", "A", "a", "z" * 3000, "日本", "🚕", "👩‍🚀", "x:0",
    "^a", "_x", "a\\b", "%s", "[1]", "x [1, 2]", "x []", "/", "..", " a ", "\t", "\x01", "\x7f",
    "\u2028", "\u202eabc", "\ufeffa", "é", "e\u0301", "a=b", "a=b, c", "label", "prediction",
    "model_version", "examples", "b64", "name; DROP TABLE t", "--", "/*", "?", "$1", "<b>",
    "</script>", "=1+1", "@x", "overall", "column0", "rowid", "filename", "İ", "ß", "\U0010ffff",
]  # fmt: skip
# Of a line end and of NUL the settings say that no used column may have them in its name.
NAME = st.one_of(
    st.sampled_from(ODD),
    st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r"), min_size=1, max_size=8),
)
MOST = 20  # names of a table
FORMS = NAME.map(
    lambda name: list(
        dict.fromkeys(
            [
                name,
                f"{name} ",
                f"{name}_1",
                f"{name}é",
                f"{name}e\u0301",
                name.upper(),
                name.lower(),
            ]
        )
    )
)
NAMES = st.lists(NAME, min_size=3, max_size=MOST, unique=True) | FORMS
VALUES = yaml.safe_load(MINIMAL) | {"schema": None}


FEATURES = {
    "numeric": {},
    "bucketized": 3,
    "vocabulary": {"size": 3, "oov_buckets": 1},
    "categorical": 4,
}


def _in_many_roles(name, role):
    """Settings in which a column has one of the roles that exclude each other, and all others."""
    values = copy.deepcopy(VALUES)
    values["label"] = {"column": f"{name}3", "above": {"column": name, "times": 2}}
    values["data"]["split_by"] = {"hash": [name]}
    if role == "features":
        values["features"] = {kind: {name: each} for kind, each in FEATURES.items()}
    elif role == "weight":
        values["weighting"] = {"column": name}
        values["data"]["columns"] = {name: {"pii": True, "pseudonymize": True}}
    else:
        values["label"] = {"column": name, "above": {"column": f"{name}2", "times": 2}}
        values["data"]["split_by"] = {"time": name}
    values["evaluation"]["slices"] = [[name], [name, f"{name}2"]]
    values["evaluation"]["slice_thresholds"] = {f"{name}=x": {"auc": {"at_least": 0.1}}}
    values["drift"] = {"columns": {name: {"policy": "stop"}}}
    return values


@settings(**examples(20))
@given(
    NAME | st.sampled_from(["\0", "a\nb", "\ud800", "", "a\udfffb", "\r"]),
    st.sampled_from(["features", "weight", "label"]),
)
def test_settings_take_any_name_or_say_in_one_line_what_is_wrong_with_it(name, role):
    wrong = not name or bool(set(name) & set("\0\n\r\ud800\udfff"))
    usable = not wrong and (role == "features" or name != "fare")  # which is the feature then
    try:
        require_no_label_leak(Settings.model_validate(_in_many_roles(name, role)))
    except SettingsError as error:
        lines = str(error).split("\n")
        assert not usable, lines
        assert all("expected" in line and "Hint" in line for line in lines)
        str(error).encode()
    else:
        assert usable


@settings(**examples(20, each=MOST))
@given(NAMES)
def test_rows_are_split_by_a_column_of_any_name(names):
    texts = pa.array([b"a", b"b", None, b"a"] * 5, pa.large_binary())
    columns = {name: texts if i == 0 else pa.nulls(20) for i, name in enumerate(names)}
    shares = [("train", 1), ("eval", 1)]
    by_name = assign(columns, 20, Splitting(shares, columns=names))
    assert by_name.tolist() == assign(columns, 20, Splitting(shares)).tolist()
    assert (by_name[0::4] == by_name[3::4]).all()
    times = {name: pa.array(range(20)) if i == 0 else texts for i, name in enumerate(names)}
    by_time = assign(times, 20, Splitting(shares, time=names[0], starts=[7]))
    assert by_time.tolist() == [0] * 7 + [1] * 13


@settings(**examples(20, each=MOST))
@given(NAMES)
def test_pseudonyms_of_a_column_of_any_name(names):
    secret, dropped, kept, *_ = [*names, "other", "more"]
    key = b"k" * 32
    columns = {name: pa.array([b"who", None], pa.large_binary()) for name in names}
    bad = [BadRow(3, Fault("not_a_number", f"{secret}: who: expected a number"), {secret: "who"})]
    privacy = Privacy((dropped,), (secret,))
    made = protect(Batch("t", columns, 2, bad), privacy, key)
    assert dropped not in made.columns
    assert made.columns[secret].to_pylist() == [pseudonym(b"who", key), None]
    if kept in names:
        assert made.columns[kept].to_pylist() == [b"who", None]
    assert "who" not in str(made.bad) or "who" in secret


def _tables(folder, names):
    """A table in a CSV and in a Parquet file."""
    rows = [list(range(len(names))), [None] * (len(names) - 1) + [7]]
    with (folder / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([names, *rows])
    table = pa.table([pa.array(values) for values in zip(*rows, strict=True)], list(names))
    pyarrow.parquet.write_table(table, folder / "t.parquet")
    return [str(folder / "t.csv"), str(folder / "t.parquet")], rows


def _lower(name):
    return "".join(sign.lower() if sign.isascii() else sign for sign in name)


def _quoted(name):
    return '"' + name.replace('"', '""') + '"'


@settings(**examples(20, each=MOST))
@given(NAMES)
def test_a_query_of_columns_of_any_names(tmp_path_factory, names):
    paths, rows = _tables(tmp_path_factory.getbasetemp(), names)
    listed = ", ".join(map(_quoted, names))
    for path in paths:
        for text in ("SELECT * FROM t", f"SELECT {listed} FROM t"):
            query = LocalQuery(text, {"t": [path]})
            if len({_lower(name) for name in names}) < len(names):
                with pytest.raises(DataError, match="differ by more than the case"):
                    next(read_query(query, {}))
                continue
            [batch] = read_query(query, {})
            found = {name: array.to_pylist() for name, array in batch.columns.items()}
            assert found == dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), text


@settings(**examples(20, each=MOST))
@given(NAMES)
def test_slices_by_columns_of_any_names(names):
    for name in names:
        assert parse_feature_key(feature_key(name)) == FeatureKey(name)
        assert parse_feature_key(feature_key(name, [1, 2.5])) == FeatureKey(name, (1, 2.5))
    count = len(names)
    assert len({feature_key(name, b) for name in names for b in ((), (1,))}) == 2 * count
    keys = [feature_key(name) for name in names]
    slicer = BatchSlicer([SlicingSpec(), *(SlicingSpec(feature_keys=[key]) for key in keys)])
    cells = pa.array([[b"x"], [b"y"], None], pa.large_list(pa.large_binary()))
    pairs = slicer.pairs(pa.RecordBatch.from_arrays([cells] * count, names))
    assert len(pairs.rows) == 3 + 2 * count
    assert set(slicer.keys) == {(), *((((key, value),)) for key in keys for value in ("x", "y"))}
    for name in names:
        found = slice_name([(name, "x")])
        assert is_name_of(found, [name]) and is_name_of(name, [name])


def _parsed(spec):
    """The graph of a model that parses these columns."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="rows")])
    def serve(rows):
        return tf.io.parse_example(rows, spec)

    return serve, serve.get_concrete_function().graph.as_graph_def()


@settings(**examples(5, each=MOST))
@given(NAMES)
def test_a_request_with_columns_of_any_names(names):
    _, graph = _parsed({name: tf.io.VarLenFeature(tf.float32) for name in names})
    columns = find_columns(graph, "rows:0")
    assert columns == {name: Column(name, "float", False) for name in sorted(names)}
    signature = Signature("serving_default", {}, (), "rows", columns, lambda rows: [])
    row = {name: 1.0 + number for number, name in enumerate(names)}
    encoded = encode_row("instances[0]", row, signature, names)
    features = tf.train.Example.FromString(encoded).features.feature
    assert {name: list(each.float_list.value) for name, each in features.items()} == {
        name: [value] for name, value in row.items()
    }
    check = ExampleCheck(names, signature)
    check.check("examples", [encoded])
    for name in names:
        less = {**row, name: None}
        for ask in (
            lambda less=less: encode_row("instances[0]", less, signature, names),
            lambda name=name: check.check("examples", [_without(encoded, name)]),
        ):
            try:
                ask()
            except RefusedError as error:
                assert repr(name)[1:4] in str(error) or name[:3] in str(error)
                assert "\n" not in str(error)
            else:
                raise AssertionError(name)


def _without(encoded, name):
    made = tf.train.Example.FromString(encoded)
    del made.features.feature[name]
    return made.SerializeToString()


@settings(**examples(10, each=MOST))
@given(NAMES)
def test_predictions_of_rows_with_columns_of_any_names(tmp_path_factory, names):
    assume("prediction" not in names)
    folder = tmp_path_factory.getbasetemp()
    paths, _ = _tables(folder, names)
    (folder / "t.jsonl").write_text(
        "".join(
            json.dumps(row) + "\n"
            for row in (
                {name: i for i, name in enumerate(names)},
                {names[-1]: 7},
            )
        )
    )
    made = []
    for path in (*paths, str(folder / "t.jsonl")):
        [rows] = open_rows(folder / path, Wanted(dict.fromkeys(names, "int")))
        assert not rows.bad
        encoded = encode_examples(rows.features, len(rows))
        for ending in (".csv", ".jsonl", ".parquet"):
            with open_writer(folder / f"out{ending}") as writer:
                writer.write(rows, {"prediction": pa.array(np.arange(len(rows)))})
            [again] = open_rows(folder / f"out{ending}", Wanted(dict.fromkeys(names, "int")))
            assert [*again.source.schema.names] == [*names, "prediction"] or ending == ".jsonl"
            for name in names:
                assert again.features[name].to_pylist() == rows.features[name].to_pylist()
        made.append([tf.train.Example.FromString(each) for each in encoded])
    assert made[0] == made[1] == made[2]
    assert set(made[0][0].features.feature) == set(names)


@pytest.fixture(scope="module")
def store():
    """An MLMD store in memory."""
    config = metadata_store_pb2.ConnectionConfig()
    config.fake_database.SetInParent()
    return metadata_store.MetadataStore(config)


@settings(**examples(20))
@given(st.text(st.characters(codec="utf-8")) | NAME)
def test_a_name_is_recorded_as_it_is_and_shown_in_one_line(store, name):
    decision = Decision(name, "KIND", f"{name}: new", ("eval",), "stop", f"gate.{name}", "", name)
    kind = metadata_store_pb2.ArtifactType(name="Decisions")
    artifact = metadata_store_pb2.Artifact(type_id=store.put_artifact_type(kind))
    artifact.custom_properties["decisions"].string_value = text_of([decision.to_json()])
    [artifact_id] = store.put_artifacts([artifact])
    [stored] = store.get_artifacts_by_id([artifact_id])
    found = parse(list[Decision], stored.custom_properties["decisions"].string_value)
    assert found == [decision]
    shown = {unicodedata.category(sign) for sign in plain(name) if sign not in "\u200c\u200d"}
    assert not shown & {"Cc", "Cf", "Zl", "Zp"}
