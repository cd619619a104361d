"""What an execution read, checked against the disk; payloads and their digests."""

import json
import os

import pytest

from fareline.digests import sha256_of_file, sha256_of_folder
from lineage.answers.inputs.inputs import decode_parameters, inputs_as_json, read_inputs, splits_of
from lineage.facts.payload import Payload, local_path, look_at
from lineage.graph.graph import Graph
from lineage.ids import find_execution
from lineage.store.open import open_store
from tests.stores.writer import CACHED, StoreWriter, artifact


@pytest.fixture
def store(tmp_path):
    return StoreWriter(tmp_path / "metadata.db")


def folder(path):
    path.mkdir()
    (path / "file").write_text("payload")
    return path


def read(store, id_):
    graph = Graph(open_store(store.path))
    return read_inputs(graph, find_execution(graph, id_))


def add_trainer(store, tmp_path):
    model = folder(tmp_path / "base")
    outputs = {
        "examples": [artifact(folder(tmp_path / "examples"))],
        "model": [artifact(model, sha256=sha256_of_folder(model))],
    }
    store.add_execution("taxi", "run-1", "Gen", outputs=outputs)
    store.add_execution(
        "taxi",
        "run-1",
        "Trainer",
        inputs=[("examples", 1), ("base_model", 2)],
        train_args='{"splits": ["train"], "num_steps": 5}',
        note="null",
    )


def test_inputs_as_they_were(store, tmp_path):
    add_trainer(store, tmp_path)

    found = read(store, "Trainer@run-1")

    assert inputs_as_json(found) == {
        "execution": "Trainer@run-1",
        "type": "Trainer",
        "state": "executed",
        "read_by": "Trainer@run-1",
        "inputs": [
            {
                "key": "base_model",
                "id": "Model:2",
                "type": "Model",
                "state": "live",
                "uri": f"{tmp_path}/base",
                "payload": "there",
                "bytes": 7,
                "checksum": "same",
            },
            {
                "key": "examples",
                "id": "Examples:1",
                "type": "Examples",
                "state": "live",
                "uri": f"{tmp_path}/examples",
                "payload": "there",
                "bytes": 7,
                "checksum": "not_recorded",
            },
        ],
        "files": [],
        "fingerprint": None,
        "splits": {"train_args": ["train"]},
        "parameters": {"note": None, "train_args": {"splits": ["train"], "num_steps": 5}},
        "unchanged": True,
    }


def test_an_input_that_was_changed_and_one_that_is_gone(store, tmp_path):
    add_trainer(store, tmp_path)
    (tmp_path / "base" / "file").write_text("another")
    (tmp_path / "examples" / "file").unlink()
    (tmp_path / "examples").rmdir()

    found = read(store, "Trainer@run-1")

    assert [(e.key, e.payload.status, e.checksum, e.changed) for e in found.inputs] == [
        ("base_model", "there", "differs", True),
        ("examples", "missing", "not_recorded", True),
    ]
    assert found.changed


def test_the_files_of_an_example_gen(store, tmp_path):
    paths = [tmp_path / name for name in ("a.csv", "b.csv", "c.csv")]
    for path in paths:
        path.write_text("1,2\n")
    files = [{"path": str(p), "bytes": 4, "sha256": sha256_of_file(p)} for p in paths]
    examples = artifact(folder(tmp_path / "examples"), source_files=json.dumps(files))
    store.add_execution("taxi", "run-1", "Gen", outputs={"examples": [examples]})
    store.add_execution("taxi", "run-2", "Gen", CACHED, reused=[("examples", 1)])
    paths[1].write_text("1,3\n")
    paths[2].unlink()

    found = read(store, "Gen@run-2")

    assert found.reader.key == "Gen@run-1"
    assert [(f.path, f.status) for f in found.files] == [
        (str(paths[0]), "same"),
        (str(paths[1]), "differs"),
        (str(paths[2]), "missing"),
    ]
    assert found.changed


def test_the_numbers_of_a_stock_example_gen_with_two_splits(store, tmp_path):
    for name, moment in (("train-1", 5), ("train-2", 6), ("eval-1", 7)):
        (tmp_path / name).write_text("1,2\n")
        os.utime(tmp_path / name, (moment, moment))
    fingerprint = (
        "split:train,num_files:2,total_bytes:8,xor_checksum:3,sum_checksum:11\n"
        "split:eval,num_files:1,total_bytes:4,xor_checksum:7,sum_checksum:7"
    )
    splits = [{"name": name, "pattern": f"{name}-*"} for name in ("train", "eval")]
    examples = artifact(folder(tmp_path / "examples"), input_fingerprint=fingerprint)
    store.add_execution(
        "taxi",
        "run-1",
        "Gen",
        outputs={"examples": [examples]},
        input_base=f"file://{tmp_path}",
        input_config=json.dumps({"splits": splits}),
    )

    found = read(store, "Gen@run-1")
    assert (found.fingerprint.status, found.fingerprint.now) == ("same", fingerprint)

    os.utime(tmp_path / "eval-1", (8, 8))
    found = read(store, "Gen@run-1")
    assert (found.fingerprint.status, found.changed) == ("touched", False)

    (tmp_path / "eval-1").write_text("12345")
    found = read(store, "Gen@run-1")
    assert (found.fingerprint.status, found.changed) == ("differs", True)


def test_an_execution_of_which_nothing_is_recorded(store):
    store.add_execution("taxi", "run-1", "Gen")

    found = read(store, "Gen@run-1")
    assert (found.inputs, found.files, found.fingerprint, found.changed) == ((), (), None, False)


def test_splits_of_all_that_name_some():
    parameters = {
        "train_args": {"splits": ["train"], "num_steps": 1},
        "splits_config": {"analyze": ["train"], "transform": ["train", "eval"]},
        "example_splits": ["eval"],
        "exclude_splits": [],
        "split": "eval",
    }
    assert splits_of(parameters) == {
        "train_args": ["train"],
        "splits_config.analyze": ["train"],
        "splits_config.transform": ["train", "eval"],
        "example_splits": ["eval"],
        "split": ["eval"],
    }


def test_the_notes_of_tfx_are_no_parameters():
    assert decode_parameters({"__execution_result__": "x", "a": "[1]", "b": "{not"}) == {
        "a": [1],
        "b": "{not",
    }


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/a/b", "/a/b"),
        ("file:///a/b", "/a/b"),
        ("gs://bucket/a", None),
        ("bigquery://x", None),
        ("", None),
        ("a\0b", None),
    ],
)
def test_which_uris_are_local(uri, path):
    assert local_path(uri) == (path if path is None else type(local_path("/"))(path))


def test_what_is_at_a_uri(tmp_path):
    folder(tmp_path / "there")
    (tmp_path / "there" / "link").symlink_to("/")

    found = look_at(str(tmp_path / "there"))
    assert (found.status, found.bytes, found.files) == ("there", 7, 1)
    assert look_at(str(tmp_path / "there" / "file")) == Payload("there", 7, 1)
    assert look_at(str(tmp_path / "gone")) == Payload("missing")
    assert look_at("relative/to/nothing") == Payload("not_looked_at")
    assert look_at("/" + "x" * 10_000) == Payload("missing")  # longer than a name may be
