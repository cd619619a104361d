"""Runs are read from a store as TFX recorded them, and reading changes nothing."""

import io
import sqlite3

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from rich.console import Console

from fareline.errors import UserMistake
from lineage.render import runs_as_json, runs_as_table
from lineage.runs import NodeRun, Run, custom_properties, list_runs, outputs_of_run
from lineage.store import open_store, sqlite_connection
from tests.unit.stores_for_tests import (
    CACHED,
    CANCELED,
    COMPLETE,
    FAILED,
    RUNNING,
    StoreWriter,
    artifact,
)

NOON = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC
HINT = "expected a metadata store. Hint: run `fareline run` first, or name another --workspace."


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metadata.db"


@pytest.fixture
def three_runs(path):
    """A store with a first and a second run of `taxi`, and a run of `bikes` between them."""
    writer = StoreWriter(path)
    writer.add_run(
        "taxi",
        "run-1",
        NOON,
        {"ExampleGen": (COMPLETE, 2.5), "Trainer": (FAILED, 1.25)},
    )
    writer.add_run("bikes", "run-2", NOON + 60_000, {"ExampleGen": (RUNNING, 0)})
    writer.add_run(
        "taxi",
        "run-3",
        NOON + 120_000,
        {"ExampleGen": (CACHED, 0.125), "Trainer": (COMPLETE, 30)},
    )
    return path


def test_runs_of_two_pipelines_the_latest_first(three_runs):
    assert list_runs(open_store(three_runs)) == [
        Run(
            "run-3",
            "taxi",
            NOON + 120_000,
            (NodeRun("ExampleGen", 4, "cached", 0.125), NodeRun("Trainer", 5, "executed", 30.0)),
        ),
        Run("run-2", "bikes", NOON + 60_000, (NodeRun("ExampleGen", 3, "running", 0.0),)),
        Run(
            "run-1",
            "taxi",
            NOON,
            (NodeRun("ExampleGen", 1, "executed", 2.5), NodeRun("Trainer", 2, "failed", 1.25)),
        ),
    ]


def test_status_and_seconds_of_a_run(three_runs):
    runs = list_runs(open_store(three_runs))
    assert [(run.run_id, run.status, run.seconds) for run in runs] == [
        ("run-3", "complete", 30.125),
        ("run-2", "running", 0.0),
        ("run-1", "failed", 3.75),
    ]


def test_a_failed_node_outweighs_a_running_one(path):
    nodes = {"ExampleGen": (RUNNING, 0), "Trainer": (CANCELED, 1), "Pusher": (COMPLETE, 1)}
    StoreWriter(path).add_run("taxi", "run-1", NOON, nodes)
    [run] = list_runs(open_store(path))
    assert [node.state for node in run.nodes] == ["running", "failed", "executed"]
    assert run.status == "failed"


def test_a_state_that_says_nothing_is_unknown(path):
    StoreWriter(path).add_run("taxi", "run-1", NOON, {"Trainer": (mlmd.Execution.NEW, 0)})
    [run] = list_runs(open_store(path))
    assert [node.state for node in run.nodes] == ["unknown"]


def test_a_pipelines_name_may_hold_dots(path):
    StoreWriter(path).add_run("taxi.v2", "run-1", NOON, {"Trainer": (COMPLETE, 1)})
    [run] = list_runs(open_store(path))
    assert (run.pipeline, run.nodes[0].node) == ("taxi.v2", "Trainer")


def test_an_empty_store_has_no_runs(path):
    metadata_store.MetadataStore(sqlite_connection(path))
    store = open_store(path)
    assert list_runs(store) == []
    assert outputs_of_run(store, "run-1") == {}


# Outputs.


@pytest.fixture
def cached_run(path):
    """Two runs; in the second the first node took its outputs from the cache."""
    writer = StoreWriter(path)
    writer.add_execution(
        "taxi",
        "run-1",
        "Trainer",
        outputs={"model": [artifact("/1/a"), artifact("/1/b")], "model_run": [artifact("/1/r")]},
    )
    writer.add_execution("taxi", "run-2", "Trainer", CACHED, reused=[("model", 1)])
    writer.add_execution("taxi", "run-2", "Pusher", outputs={"pushed_model": [artifact("/2/p")]})
    writer.add_execution("taxi", "run-2", "Evaluator", FAILED)
    return path


def uris(outputs):
    return {
        node: {key: [a.uri for a in artifacts] for key, artifacts in by_key.items()}
        for node, by_key in outputs.items()
    }


def test_outputs_of_executed_and_of_cached_nodes(cached_run):
    store = open_store(cached_run)
    assert uris(outputs_of_run(store, "run-1")) == {
        "Trainer": {"model": ["/1/a", "/1/b"], "model_run": ["/1/r"]}
    }
    assert uris(outputs_of_run(store, "run-2")) == {
        "Trainer": {"model": ["/1/a"]},
        "Pusher": {"pushed_model": ["/2/p"]},
    }


def test_an_unknown_run_has_no_outputs(cached_run):
    assert outputs_of_run(open_store(cached_run), "run-9") == {}


def test_inputs_are_no_outputs(path):
    writer = StoreWriter(path)
    writer.add_execution("taxi", "run-1", "Trainer", outputs={"model": [artifact("/m")]})
    pusher = writer.add_execution("taxi", "run-1", "Pusher")
    store = metadata_store.MetadataStore(sqlite_connection(path))
    event = mlmd.Event(artifact_id=1, execution_id=pusher, type=mlmd.Event.INPUT)
    event.path.steps.add().key = "model"
    store.put_events([event])
    assert uris(outputs_of_run(open_store(path), "run-1")) == {"Trainer": {"model": ["/m"]}}


def test_custom_properties_are_plain_values():
    made = artifact("/m", pushed=1, message="refused")
    made.custom_properties["latency_ms"].double_value = 2.5
    made.custom_properties["empty"].CopyFrom(mlmd.Value())
    assert custom_properties(made) == {"pushed": 1, "message": "refused", "latency_ms": 2.5}


# Opening.


def refusal(path):
    with pytest.raises(UserMistake) as caught:
        open_store(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_no_store(path):
    assert refusal(path) == f"{path}: no such file; {HINT}"
    assert not path.exists()
    assert refusal(path.parent) == f"{path.parent}: no such file; {HINT}"


def test_a_file_that_is_no_database(path):
    path.write_bytes(b"not a database\n" * 100)
    assert refusal(path) == f"{path}: holds no ML Metadata (file is not a database); {HINT}"
    assert path.read_bytes() == b"not a database\n" * 100


def test_a_database_without_metadata_is_not_made_a_store(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE trips (fare REAL)")
    connection.close()
    before = path.read_bytes()
    refused = refusal(path)
    assert refused.startswith(f"{path}: holds no ML Metadata (")
    assert refused.endswith(f"); {HINT}")
    assert "CREATE" not in refused
    assert "\n" not in refused
    assert path.read_bytes() == before


def test_an_empty_file_stays_empty(path):
    path.write_bytes(b"")
    assert refusal(path).startswith(f"{path}: holds no ML Metadata (")
    assert path.read_bytes() == b""


def test_reading_changes_nothing(three_runs):
    three_runs.chmod(0o444)
    before, names = three_runs.read_bytes(), sorted(three_runs.parent.iterdir())
    store = open_store(three_runs)
    assert len(list_runs(store)) == 3
    outputs_of_run(store, "run-1")
    with pytest.raises(Exception, match="readonly"):
        store.put_artifact_type(mlmd.ArtifactType(name="New"))
    assert three_runs.read_bytes() == before
    assert sorted(three_runs.parent.iterdir()) == names


def test_a_path_with_signs_that_mean_something_to_sqlite(tmp_path):
    path = tmp_path / "a b%20c?d#é.db"
    StoreWriter(path).add_run("taxi", "run-1", NOON, {"Trainer": (COMPLETE, 1)})
    assert [run.run_id for run in list_runs(open_store(path))] == ["run-1"]


# As JSON and as a table.


def test_runs_as_json(three_runs):
    content = runs_as_json(list_runs(open_store(three_runs)))
    assert [run["run_id"] for run in content] == ["run-3", "run-2", "run-1"]
    assert content[-1] == {
        "run_id": "run-1",
        "pipeline": "taxi",
        "started": "2026-01-01T12:00:00+00:00",
        "seconds": 3.75,
        "status": "failed",
        "nodes": [
            {"name": "ExampleGen", "state": "executed", "seconds": 2.5},
            {"name": "Trainer", "state": "failed", "seconds": 1.25},
        ],
    }
    assert runs_as_json([]) == []


def test_runs_as_table(three_runs):
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(runs_as_table(list_runs(open_store(three_runs))))
    assert [" ".join(line.split()) for line in console.export_text().splitlines()] == [
        "run pipeline started (UTC) status executed cached failed seconds",
        "run-3 taxi 2026-01-01 12:02:00 complete 1 1 0 30.1",
        "run-2 bikes 2026-01-01 12:01:00 running 0 0 0 0.0",
        "run-1 taxi 2026-01-01 12:00:00 failed 1 0 1 3.8",
    ]
