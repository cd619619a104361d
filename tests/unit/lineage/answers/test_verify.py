"""What verify finds in hand-made stores: each finding with its words."""

import json
import os
import sqlite3

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from fareline.digests import sha256_of_file, sha256_of_folder
from lineage.answers.verify.verify import verify
from lineage.answers.verify.view import verification_as_json
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from tests.stores.writer import RUNNING, StoreWriter, artifact

HOUR = 3_600_000


@pytest.fixture
def store(tmp_path):
    return StoreWriter(tmp_path / "metadata.db")


def folder(path, content="payload"):
    path.mkdir(parents=True)
    (path / "file").write_text(content)
    return path


def check(store, **rest):
    graph = Graph(open_store(store.path))
    graph.read_all()
    newest = max((e.updated for e in graph.all_executions()), default=0)
    return verify(graph, rest.pop("now", newest), **rest)


def found(store, **rest):
    return [(f.severity, f.check, f.id, f.what) for f in check(store, **rest).findings]


def add_gen(store, run="run-1", **outputs):
    lists = {key: [value] for key, value in outputs.items()}
    store.add_execution("taxi", run, "Gen", outputs=lists)
    return store.artifact_ids


def test_a_sound_store_gives_no_finding(store, tmp_path):
    model = folder(tmp_path / "model")
    add_gen(store, model=artifact(model, sha256=sha256_of_folder(model)))

    assert verification_as_json(check(store)) == {
        "errors": 0,
        "warnings": 0,
        "notes": 0,
        "artifacts": 1,
        "executions": 1,
        "events": 1,
        "hashed": 1,
        "not_looked_at": 0,
        "findings": [],
    }


def test_missing_and_empty_payloads(store, tmp_path):
    (tmp_path / "empty").mkdir()
    add_gen(
        store,
        examples=artifact(tmp_path / "gone"),
        model=artifact(tmp_path / "empty"),
        model_run=artifact(tmp_path / "empty"),
    )

    assert found(store) == [
        (
            "error",
            "payload_missing",
            "Examples:1",
            f"is LIVE, and its payload is missing: {tmp_path}/gone",
        ),
        (
            "error",
            "payload_empty",
            "Model:2",
            f"is LIVE, and its folder is empty: {tmp_path}/empty",
        ),
    ]


def test_remote_and_relative_payloads_are_counted_as_not_looked_at(store):
    add_gen(store, examples=artifact("gs://bucket/1"), model=artifact("relative/model"))

    result = check(store)
    assert (result.findings, result.not_looked_at) == ((), 2)


def test_a_model_and_a_schema_that_were_changed(store, tmp_path):
    model, schema = folder(tmp_path / "model"), folder(tmp_path / "schema")
    (schema / "schema.pbtxt").write_text("feature {}")
    digests = sha256_of_folder(model), sha256_of_file(schema / "schema.pbtxt")
    add_gen(
        store,
        model=artifact(model, sha256=digests[0]),
        schema=artifact(schema, sha256=digests[1]),
    )
    assert found(store) == []

    (model / "file").write_text("another")
    (schema / "schema.pbtxt").write_text("feature { name: 'x' }")

    words = "its payload is not what was recorded (SHA-256 differs): "
    assert found(store) == [
        ("error", "payload_differs", "Model:1", f"{words}{model}"),
        ("error", "payload_differs", "Schema:2", f"{words}{schema}"),
    ]
    assert found(store, hashing=False) == []


def source_file(path):
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": sha256_of_file(path)}


def test_source_files_each_once_and_deleted_examples_not(store, tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("a,b\n1,2\n")
    recorded = json.dumps([source_file(data)])
    for run in ("run-1", "run-2"):
        add_gen(store, run, examples=artifact(folder(tmp_path / run), source_files=recorded))
    assert found(store) == []

    data.write_text("a,b\n1,3\n")
    words = "is not what Examples:1 was read from: its content differs"
    assert found(store) == [("error", "source_differs", str(data), words)]
    assert found(store, hashing=False) == []

    data.write_text("longer than it was")
    assert found(store, hashing=False) == [("error", "source_differs", str(data), words)]

    data.unlink()
    words = "is gone; Examples:1 was read from it"
    assert found(store) == [("warning", "source_missing", str(data), words)]

    for number in (1, 2):
        store.set_state(number, mlmd.Artifact.DELETED)
    assert [name for _, name, _, _ in found(store)] == ["deleted_but_there"] * 2


def test_the_numbers_of_a_stock_store(store, tmp_path):
    base = tmp_path / "data"
    base.mkdir()
    data = base / "data.csv"
    data.write_text("a,b\n")
    os.utime(data, (1_000, 1_000))
    fingerprint = "split:all,num_files:1,total_bytes:4,xor_checksum:1000,sum_checksum:1000"
    config = json.dumps({"splits": [{"name": "all", "pattern": "*.csv"}]})
    examples = artifact(folder(tmp_path / "examples"), input_fingerprint=fingerprint)
    store.add_execution(
        "taxi",
        "run-1",
        "Gen",
        outputs={"examples": [examples]},
        input_base=str(base),
        input_config=config,
    )
    assert found(store) == []

    os.utime(data, (2_000, 2_000))
    words = f"the files in {base} have other times of change; number and bytes are the same"
    assert found(store) == [("note", "source_touched", "Examples:1", words)]

    data.write_text("a,b\n1,2\n")
    words = f"{base} is not what it was read from: number or size of the files differ"
    assert found(store) == [("error", "source_differs", "Examples:1", words)]

    data.unlink()
    words = f"the files that it was read from are gone: {base}"
    assert found(store) == [("warning", "source_missing", "Examples:1", words)]


def push(store, tmp_path, version):
    destination = folder(tmp_path / "serving" / str(version), f"model {version}")
    copy = folder(tmp_path / "pushed" / str(version), f"model {version}")
    pushed = artifact(copy, pushed=1, pushed_destination=str(destination))
    add_gen(store, f"run-{version}", pushed_model=pushed)
    return destination


def test_published_versions(store, tmp_path):
    old, live = push(store, tmp_path, 1), push(store, tmp_path, 2)
    assert found(store) == []

    (live / "file").write_text("tampered with")
    assert found(store) == [
        (
            "error",
            "version_differs",
            "PushedModel:2",
            f"the version at {live} is not what was pushed",
        )
    ]

    (old / "file").unlink()
    old.rmdir()
    assert found(store, hashing=False) == [
        ("note", "version_gone", "PushedModel:1", f"was published, and the version is gone: {old}")
    ]

    (live / "file").unlink()
    live.rmdir()
    assert found(store, hashing=False)[0] == (
        "error",
        "live_version_missing",
        "PushedModel:2",
        f"is the live version by record, and is not there: {live}",
    )


def test_events_that_point_to_nothing(store, tmp_path):
    add_gen(store, examples=artifact(folder(tmp_path / "1")))
    store.add_execution("taxi", "run-1", "Trainer", inputs=[("examples", 1)])
    store.add_execution("taxi", "run-1", "Other")
    # As rows that were deleted by hand, or tables that were copied in part, leave it.
    connection = sqlite3.connect(store.path)
    with connection:
        connection.execute("DELETE FROM Execution WHERE id = 2")
        connection.execute("INSERT INTO Event(artifact_id, execution_id, type) VALUES (77, 3, 3)")
        connection.execute("INSERT INTO Event(artifact_id, execution_id, type) VALUES (88, 99, 3)")
        # Far above every id that was given out.
        connection.execute("INSERT INTO Event(artifact_id, execution_id, type) VALUES (9999, 3, 4)")
    connection.close()

    what = "an event links it with {}, of which the store has nothing"
    assert found(store) == [
        ("error", "orphan_event", "Examples:1", what.format("execution 2")),
        ("error", "orphan_event", "Other@run-1", what.format("artifact 77")),
        (
            "error",
            "orphan_event",
            "event",
            "an event links artifact 88 and execution 99, and the store has neither",
        ),
        ("error", "orphan_event", "Other@run-1", what.format("artifact 9999")),
    ]


def test_executions_that_a_crash_left_running(store):
    started = 1_795_305_600_000  # 2026-11-22 00:00 UTC
    store.add_run("taxi", "run-1", started, {"Trainer": (RUNNING, 5)})
    since = "is marked as running since 2026-11-22 00:00 UTC"

    assert found(store, now=started + HOUR) == [
        ("note", "running", "Trainer@run-1", f"{since}, by a run that may be at work")
    ]
    left = f"{since}, and a crash left it so: "
    assert found(store, now=started + 72 * HOUR) == [
        ("error", "abandoned", "Trainer@run-1", f"{left}it has not changed for 3 days")
    ]
    assert found(store, now=started + 3 * HOUR, stale_hours=2) == [
        ("error", "abandoned", "Trainer@run-1", f"{left}it has not changed for 3 hours")
    ]

    store.add_run("taxi", "run-2", started + HOUR, {"Trainer": (mlmd.Execution.COMPLETE, 1)})
    assert found(store, now=started + 2 * HOUR)[0][3] == (
        f"{left}run-2 of the same pipeline was started since"
    )

    store.record_run("run-1", ended=started + HOUR)
    assert found(store, now=started + 2 * HOUR)[0][3] == f"{left}its run ended 2026-11-22 01:00 UTC"


def test_a_newer_run_of_another_pipeline_says_nothing_about_a_crash(store):
    started = 1_795_305_600_000
    store.add_run("taxi", "run-1", started, {"Trainer": (RUNNING, 5)})
    store.add_run("other", "run-2", started + 1, {"Trainer": (mlmd.Execution.COMPLETE, 1)})

    assert [name for _, name, _, _ in found(store, now=started + HOUR)] == ["running"]


def test_artifacts_in_between(store, tmp_path):
    add_gen(
        store,
        examples=artifact(folder(tmp_path / "1")),
        model=artifact(folder(tmp_path / "2")),
        schema=artifact(folder(tmp_path / "3")),
    )
    store.set_state(1, mlmd.Artifact.PENDING)
    store.set_state(2, mlmd.Artifact.MARKED_FOR_DELETION)
    store.set_state(3, mlmd.Artifact.DELETED)

    assert found(store) == [
        (
            "warning",
            "artifact_pending",
            "Examples:1",
            "is PENDING, and nothing is running that would complete it",
        ),
        (
            "warning",
            "artifact_marked",
            "Model:2",
            "is MARKED_FOR_DELETION, which no part of TFX carries out",
        ),
        (
            "warning",
            "deleted_but_there",
            "Schema:3",
            f"is marked as deleted, and 7 bytes are there: {tmp_path}/3",
        ),
    ]
