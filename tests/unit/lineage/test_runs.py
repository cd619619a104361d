"""Runs are read from a store as TFX recorded them, and reading changes nothing."""

import io
import re
import sqlite3
import subprocess
import sys

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from rich.console import Console

from fareline.errors import UserMistake
from lineage.answers.runs.view import runs_as_json, runs_as_table
from lineage.facts.runs import NodeRun, Run, list_runs, outputs_of_run
from lineage.graph.graph import Graph
from lineage.store.open import open_store, sqlite_connection
from tests.stores.big import write_store
from tests.stores.writer import CACHED, CANCELED, COMPLETE, FAILED, RUNNING, StoreWriter, artifact

NOON = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC
HINT = "expected a metadata store. Hint: run `fareline run` first, or name another --workspace."


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metadata.db"


def graph_of(path):
    return Graph(open_store(path))


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
    assert list_runs(graph_of(three_runs)) == [
        Run(
            "run-3",
            "taxi",
            NOON + 120_000,
            NOON + 150_000,
            (NodeRun("ExampleGen", 4, "cached", 0.125), NodeRun("Trainer", 5, "executed", 30.0)),
        ),
        Run(
            "run-2",
            "bikes",
            NOON + 60_000,
            NOON + 60_000,
            (NodeRun("ExampleGen", 3, "running", 0.0),),
        ),
        Run(
            "run-1",
            "taxi",
            NOON,
            NOON + 2_500,
            (NodeRun("ExampleGen", 1, "executed", 2.5), NodeRun("Trainer", 2, "failed", 1.25)),
        ),
    ]


def test_runs_of_one_pipeline_and_the_latest(three_runs):
    graph = graph_of(three_runs)
    assert [run.run_id for run in list_runs(graph, pipeline="taxi")] == ["run-3", "run-1"]
    assert [run.run_id for run in list_runs(graph, 1, "taxi")] == ["run-3"]
    assert [run.run_id for run in list_runs(graph, 2)] == ["run-3", "run-2"]
    assert list_runs(graph, pipeline="tax") == []


def test_status_and_seconds_of_a_run(three_runs):
    runs = list_runs(graph_of(three_runs))
    assert [(run.run_id, run.status, run.seconds) for run in runs] == [
        ("run-3", "complete", 30.0),
        ("run-2", "running", 0.0),
        ("run-1", "failed", 2.5),
    ]


def test_a_run_lasts_to_its_recorded_end(three_runs):
    StoreWriter(three_runs).record_run("run-3", ended=NOON + 180_000)
    [run, *_] = list_runs(graph_of(three_runs))
    assert run.seconds == 60.0


def test_a_run_without_executions_is_unfinished(tmp_path):
    path = tmp_path / "metadata.db"
    StoreWriter(path).add_execution("taxi", "run-1", "Gen")
    with sqlite3.connect(path) as connection:  # as a copy of some of the tables leaves it
        connection.execute("DELETE FROM Association")
    connection.close()
    [run] = list_runs(Graph(open_store(path)))
    assert (run.nodes, run.status) == ((), "unfinished")


@pytest.mark.parametrize(
    ("recorded", "status"),
    [
        ({}, "complete"),  # a stock store has no plan
        ({"nodes": '["ExampleGen", "Trainer"]'}, "complete"),
        ({"nodes": '["ExampleGen", "Trainer", "Pusher"]'}, "unfinished"),
        ({"nodes": '["ExampleGen", "Trainer", "Pusher"]', "outcome": "refused"}, "complete"),
        ({"nodes": '["ExampleGen", "Trainer", "Pusher"]', "outcome": "interrupted"}, "failed"),
        ({"nodes": "no JSON", "outcome": "failed"}, "failed"),
    ],
)
def test_status_of_a_run_that_recorded_its_plan(three_runs, recorded, status):
    if recorded:
        StoreWriter(three_runs).record_run("run-3", **recorded)
    [run, *_] = list_runs(graph_of(three_runs))
    assert run.status == status
    assert runs_as_json([run])[0]["outcome"] == recorded.get("outcome")


def test_a_run_that_is_at_work_is_running_whatever_it_planned(three_runs):
    StoreWriter(three_runs).record_run("run-2", nodes='["ExampleGen", "Trainer"]')
    run = list_runs(graph_of(three_runs))[1]
    assert (run.status, run.missing) == ("running", ("Trainer",))


def test_a_failed_node_outweighs_a_running_one(path):
    nodes = {"ExampleGen": (RUNNING, 0), "Trainer": (CANCELED, 1), "Pusher": (COMPLETE, 1)}
    StoreWriter(path).add_run("taxi", "run-1", NOON, nodes)
    [run] = list_runs(graph_of(path))
    assert [node.state for node in run.nodes] == ["running", "failed", "executed"]
    assert run.status == "failed"


def test_a_state_that_says_nothing_is_unknown(path):
    StoreWriter(path).add_run("taxi", "run-1", NOON, {"Trainer": (mlmd.Execution.UNKNOWN, 0)})
    [run] = list_runs(graph_of(path))
    assert [node.state for node in run.nodes] == ["unknown"]


def test_a_pipelines_name_may_hold_dots(path):
    StoreWriter(path).add_run("taxi.v2", "run-1", NOON, {"Trainer": (COMPLETE, 1)})
    [run] = list_runs(graph_of(path))
    assert (run.pipeline, run.nodes[0].node) == ("taxi.v2", "Trainer")


def test_an_empty_store_has_no_runs(path):
    metadata_store.MetadataStore(sqlite_connection(path))
    graph = graph_of(path)
    assert list_runs(graph) == []
    assert outputs_of_run(graph, "run-1") == {}


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
    graph = graph_of(cached_run)
    assert uris(outputs_of_run(graph, "run-1")) == {
        "Trainer": {"model": ["/1/a", "/1/b"], "model_run": ["/1/r"]}
    }
    assert uris(outputs_of_run(graph, "run-2")) == {
        "Trainer": {"model": ["/1/a"]},
        "Pusher": {"pushed_model": ["/2/p"]},
    }


def test_an_unknown_run_has_no_outputs(cached_run):
    assert outputs_of_run(graph_of(cached_run), "run-9") == {}


def test_inputs_are_no_outputs(path):
    writer = StoreWriter(path)
    writer.add_execution("taxi", "run-1", "Trainer", outputs={"model": [artifact("/m")]})
    pusher = writer.add_execution("taxi", "run-1", "Pusher")
    store = metadata_store.MetadataStore(sqlite_connection(path))
    event = mlmd.Event(artifact_id=1, execution_id=pusher, type=mlmd.Event.INPUT)
    event.path.steps.add().key = "model"
    store.put_events([event])
    assert uris(outputs_of_run(graph_of(path), "run-1")) == {"Trainer": {"model": ["/m"]}}


# Opening.


def refusal(path):
    with pytest.raises(UserMistake) as caught:
        open_store(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_no_store(path):
    assert refusal(path) == f"{path}: no such file; {HINT}"
    assert not path.exists()
    assert refusal(path.parent) == f"{path.parent}: is a folder; {HINT}"


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
    assert refused == f"{path}: holds no ML Metadata (it has none of its tables); {HINT}"
    assert path.read_bytes() == before


def test_an_empty_file_stays_empty(path):
    path.write_bytes(b"")
    assert refusal(path) == f"{path}: holds no ML Metadata (it is empty); {HINT}"
    assert path.read_bytes() == b""


DAMAGED = (
    "is damaged (database disk image is malformed); expected a valid SQLite file. Hint: take a "
    "copy of before, or what the command .recover of sqlite3 saves of it."
)


def test_a_file_that_was_cut_off_is_damaged(three_runs):
    content = three_runs.read_bytes()
    three_runs.write_bytes(content[: len(content) // 2])
    assert refusal(three_runs) == f"{three_runs}: {DAMAGED}"


def test_a_store_without_some_of_its_tables(three_runs):
    with sqlite3.connect(three_runs) as connection:
        connection.execute("DROP TABLE EventPath")
    connection.close()
    words = "some of its tables alone: it is damaged, or just being created"
    assert refusal(three_runs) == f"{three_runs}: holds no ML Metadata ({words}); {HINT}"


def test_damage_that_is_met_in_the_middle_of_an_answer(path):
    write_store(path, 40)
    with sqlite3.connect(path) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'EventPath'"
        [[root]] = connection.execute(query)
        [[size]] = connection.execute("PRAGMA page_size")
    connection.close()
    content = bytearray(path.read_bytes())
    head = content[(root - 1) * size : root * size]
    assert head[0] == 5  # an inner page of the tree; at byte 8 it names its last leaf
    last = int.from_bytes(head[8:12], "big")
    content[(last - 1) * size : last * size] = b"\xff" * size
    path.write_bytes(content)
    command = [sys.executable, "-m", "cli.app", "lineage", "runs", "--store", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"fareline: the metadata store: {DAMAGED}\n"


def test_reading_changes_nothing(three_runs):
    three_runs.chmod(0o444)
    before, names = three_runs.read_bytes(), sorted(three_runs.parent.iterdir())
    store = open_store(three_runs)
    assert len(list_runs(Graph(store))) == 3
    outputs_of_run(Graph(store), "run-1")
    with pytest.raises(Exception, match="readonly"):
        store.put_artifact_type(mlmd.ArtifactType(name="New"))
    assert three_runs.read_bytes() == before
    assert sorted(three_runs.parent.iterdir()) == names


def test_a_path_with_signs_that_mean_something_to_sqlite(tmp_path):
    path = tmp_path / "a b%20c?d#é.db"
    StoreWriter(path).add_run("taxi", "run-1", NOON, {"Trainer": (COMPLETE, 1)})
    assert [run.run_id for run in list_runs(graph_of(path))] == ["run-1"]


# As JSON and as a table.


@pytest.fixture
def judged_runs(path):
    """A pushed run, one that took all from the cache and was refused, one whose push is live."""
    writer = StoreWriter(path)

    def judge(run_id, model, evaluator, infra):
        for node, key, verdict in (
            ("Evaluator", "blessing", evaluator),
            ("InfraValidator", "infra_blessing", infra),
        ):
            outputs = {key: [artifact(f"/{run_id}/{node}", blessed=verdict)]}
            writer.add_execution("taxi", run_id, node, outputs=outputs, inputs=[("model", model)])

    def push(run_id, model, version):
        properties = {"pushed": 1, "pushed_destination": f"/serving/{version}"}
        outputs = {"pushed_model": [artifact(f"/{run_id}/p", **properties)]}
        writer.add_execution("taxi", run_id, "Pusher", outputs=outputs, inputs=[("model", model)])

    span = {"examples": [artifact("/1/examples", span=7, version=2)]}
    writer.add_execution("taxi", "run-1", "ExampleGen", outputs=span)
    [examples] = writer.artifact_ids
    transformed = {"transformed_examples": [artifact("/1/transformed")]}
    writer.add_execution("taxi", "run-1", "Transform", outputs=transformed)
    writer.add_execution("taxi", "run-1", "Trainer", outputs={"model": [artifact("/1/model")]})
    [model] = writer.artifact_ids
    judge("run-1", model, 1, 1)
    push("run-1", model, 100)
    writer.add_execution("taxi", "run-2", "ExampleGen", CACHED, reused=[("examples", examples)])
    writer.add_execution("taxi", "run-2", "Trainer", CACHED, reused=[("model", model)])
    judge("run-2", model, 0, 0)
    writer.add_execution("taxi", "run-3", "ExampleGen", outputs={"examples": [artifact("/3")]})
    writer.add_execution("taxi", "run-3", "Trainer", outputs={"model": [artifact("/3/model")]})
    push("run-3", writer.artifact_ids[0], 300)
    return path


def test_what_came_of_runs_as_json(judged_runs):
    content = runs_as_json(list_runs(graph_of(judged_runs)))
    keys = ("run_id", "examples", "models", "blessed", "refused_by", "pushed")
    assert [{key: run[key] for key in keys} for run in content] == [
        {
            "run_id": "run-3",
            "examples": [{"id": "Examples:9", "span": None, "version": None, "spans": []}],
            "models": ["Model:10"],
            "blessed": None,
            "refused_by": [],
            "pushed": [{"id": "PushedModel:11", "version": "300", "live": True, "live_as": None}],
        },
        {
            "run_id": "run-2",
            "examples": [{"id": "Examples:1", "span": 7, "version": 2, "spans": [7]}],
            "models": ["Model:3"],
            "blessed": False,
            "refused_by": ["Evaluator", "InfraValidator"],
            "pushed": [],
        },
        {
            "run_id": "run-1",
            "examples": [{"id": "Examples:1", "span": 7, "version": 2, "spans": [7]}],
            "models": ["Model:3"],
            "blessed": True,
            "refused_by": [],
            "pushed": [{"id": "PushedModel:6", "version": "100", "live": False, "live_as": None}],
        },
    ]


def test_what_came_of_runs_as_a_table(judged_runs):
    lines = table(list_runs(graph_of(judged_runs)))
    assert [re.split(" {2,}", line)[-4:] for line in lines] == [
        ["span", "model", "blessed", "pushed"],
        ["?", "Model:10", "-", "300 (live)"],
        ["7 v2", "Model:3", "no: Evaluator, InfraValidator", "-"],
        ["7 v2", "Model:3", "yes", "100"],
    ]


def test_many_runs_say_the_same_as_few(tmp_path):
    """From some number on they are read in another way."""
    path = tmp_path / "big.db"
    write_store(path, 60)
    many = runs_as_json(list_runs(graph_of(path)))
    assert len(many) == 60
    assert many[:2] == runs_as_json(list_runs(graph_of(path), 2))
    assert many[0]["examples"] == [{"id": "Examples:887", "span": 59, "version": 0, "spans": [59]}]
    assert (many[0]["blessed"], many[0]["pushed"][0]["live"]) == (True, True)


def test_questions_do_not_grow_with_the_executions_of_a_run(path, monkeypatch):
    writer = StoreWriter(path)
    for run in range(20):
        for node in range(20):
            writer.add_execution("taxi", f"run-{run:02}", f"Node{node}")
    store = open_store(path)
    asked = []
    for name in dir(store):
        if name.startswith("get_"):
            real = getattr(store, name)
            monkeypatch.setattr(
                store, name, lambda *a, real=real, **k: (asked.append(1), real(*a, **k))[1]
            )
    assert len(list_runs(Graph(store))) == 20
    assert len(asked) < 60  # one per run, one per node, and a handful


def test_runs_as_json(three_runs):
    content = runs_as_json(list_runs(graph_of(three_runs)))
    assert [run["run_id"] for run in content] == ["run-3", "run-2", "run-1"]
    assert content[-1] == {
        "run_id": "run-1",
        "pipeline": "taxi",
        "started": "2026-01-01T12:00:00+00:00",
        "ended": "2026-01-01T12:00:02.500000+00:00",
        "seconds": 2.5,
        "status": "failed",
        "outcome": None,
        "nodes": [
            {"name": "ExampleGen", "state": "executed", "seconds": 2.5},
            {"name": "Trainer", "state": "failed", "seconds": 1.25},
        ],
        "missing": [],
        "examples": [],
        "models": [],
        "blessed": None,
        "refused_by": [],
        "pushed": [],
        "sample": None,
        "graph": None,
        "is_part": False,
    }
    assert runs_as_json([]) == []


def table(runs, width=140):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(runs_as_table(runs, console.width))
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_runs_as_table(three_runs):
    start = "run    pipeline  started (UTC)         took  "
    assert table(list_runs(graph_of(three_runs))) == [
        f"{start}status    executed  cached  failed  span  model  blessed  pushed",
        "run-3  taxi      2026-01-01 12:02:00   30 s  "
        "complete         1       1       0  -     -      -        -",
        "run-2  bikes     2026-01-01 12:01:00  0.0 s  "
        "running          0       0       0  -     -      -        -",
        "run-1  taxi      2026-01-01 12:00:00  2.5 s  "
        "failed           1       0       1  -     -      -        -",
    ]
    assert len(table([])) == 1


def test_runs_of_one_graph_of_two_and_of_parts(three_runs):
    writer = StoreWriter(three_runs)
    writer.record_run("run-1", settings="name: taxi\npipeline: whole\n", from_nodes='["Trainer"]')
    training = "name: taxi\npipeline: training\ndata:\n  pipeline: whole\n"
    writer.record_run("run-3", settings=training, from_nodes="[]", to_nodes='["Trainer"]')
    runs = list_runs(graph_of(three_runs))
    named = ("run_id", "graph", "is_part")
    assert [tuple(run[key] for key in named) for run in runs_as_json(runs)] == [
        ("run-3", "training", True),
        ("run-2", None, False),
        ("run-1", "whole", True),
    ]
    names = [re.split(" {2,}", line)[1] for line in table(runs, 160)]
    assert names == ["pipeline", "taxi (training, part)", "bikes", "taxi (part)"]


def test_names_are_shown_not_obeyed(path):
    run_id = "[red]run[/] \x1b[31m" + "x" * 4000
    StoreWriter(path).add_run("שלום\n\u202e", run_id, NOON, {"Trainer": (COMPLETE, 1)})
    [_, line] = table(list_runs(graph_of(path)), width=240)
    shown = "[red]run[/] \\x1b[31m" + "x" * 43 + "… (4,017 characters)"
    assert line.startswith(f"{shown}  שלום\\n\\u202e  2026-01-01 12:00:00  1.0 s  complete")
