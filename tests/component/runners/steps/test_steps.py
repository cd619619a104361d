"""One node after the other of a tiny graph, each as `step run` launches it, with real locks.

The graph is CuratedSchema, what DataGate needs, and DataGate, which has a node behind it.
"""

import dataclasses
import json
import multiprocessing
import time
from pathlib import Path

import filelock
import pytest
from tfx import v1 as tfx
from tfx.orchestration.portable import launcher
from tfx.types.standard_artifacts import Examples, Schema

from fareline.digests import sha256_of_file
from fareline.errors import TryLater, UserMistake
from fareline.packages import PACKAGES
from lineage.facts.failures import failure_of
from lineage.graph.graph import Graph
from lineage.store.address import URI_FILE
from lineage.store.open import connect_for_run, open_store
from pipeline.artifacts import DataDecision, DataDrift
from pipeline.components.curated_schema import CuratedSchema
from pipeline.components.data_gate import DataGate
from pipeline.user_code import fingerprint_packages
from runners.local.launching import compile_run
from runners.progress import NodeState
from runners.provenance import Provenance
from runners.steps import frozen
from runners.steps.begin import _make_tables, upstream_of
from runners.steps.end import end_run
from runners.steps.frozen import FrozenRun, StepFiles
from runners.steps.step import exit_code_of, run_step
from runners.workspace import Workspace
from schema.curated import schema_path

pytestmark = pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")

RUN = "nightly-1"
BEFORE_GATE = ("CuratedSchema", "decision", "drift", "examples", "schema")


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def begin(tmp_path, workspace):
    """Freezes the tiny graph as a run, with the lines that DataGate is to stop for."""

    def begin(stops=(), sha256=None):
        (tmp_path / "decisions.json").write_text("[]")
        drifted = [
            {"column": c, "measure": "linf", "policy": "stop", "against": "previous", "value": 1.0,
             "threshold": 0.1, "rows": [1, 1], "said": "moved"}
            for c in stops
        ]  # fmt: skip
        (tmp_path / "drift.json").write_text(json.dumps({"drifted": drifted}))
        digest = sha256 or sha256_of_file(schema_path("taxi", tmp_path))
        source = CuratedSchema(source="taxi", sha256=digest)
        kinds = {"decision": DataDecision, "drift": DataDrift, "examples": Examples}
        imported = {
            name: tfx.dsl.Importer(
                source_uri=str(tmp_path),
                artifact_type=kind,
                properties={"split_names": '["train"]'} if name == "examples" else None,
            ).with_id(name)
            for name, kind in (kinds | {"schema": Schema}).items()
        }
        found = {name: each.outputs["result"] for name, each in imported.items()}
        gate = DataGate(**found, uses="[]", passed_data=str(tmp_path / "passed"))
        gate.add_upstream_node(source)
        behind = CuratedSchema(source="taxi", sha256=digest).with_id("Behind")
        behind.add_upstream_node(gate)
        pipeline = tfx.dsl.Pipeline(
            pipeline_name="tiny",
            pipeline_root=str(workspace.artifacts_dir),
            components=[source, *imported.values(), gate, behind],
            enable_cache=True,
        )
        graph = compile_run(pipeline, RUN, Provenance({"runner": "steps"}, "a" * 40))
        run = FrozenRun(
            run_id=RUN, pipeline="tiny", upstream=upstream_of(graph), push_dir="",
            settings_sha256="", serving_sample=None, use_cache=True, began=time.time(),
            code_fingerprint=fingerprint_packages(PACKAGES),
        )  # fmt: skip
        StepFiles(workspace, RUN).freeze(run, graph.SerializeToString())
        return run

    return begin


@pytest.fixture
def step(workspace):
    def step(node):
        result = run_step(workspace, RUN, node)
        return result.state, exit_code_of(result)

    return step


@pytest.fixture
def executions(workspace):
    """By node, the executions of the run."""

    def executions():
        found = Graph(open_store(workspace.metadata_path)).executions_of_run(RUN)
        return {
            node: [e for e in found if e.place.node == node]
            for node in (e.place.node for e in found)
        }

    return executions


def test_every_node_once_and_the_end(begin, step, executions, workspace):
    run = begin()
    assert list(run.upstream) == [*BEFORE_GATE, "DataGate", "Behind"]
    assert [step(node) for node in run.upstream][:-1] == [("executed", 0)] * 6
    outcome = end_run(workspace, RUN)
    assert outcome.status == "completed"  # it has no Pusher
    assert {n.name: n.state for n in outcome.nodes}["DataGate"] is NodeState.EXECUTED
    [context] = open_store(workspace.metadata_path).get_contexts_by_type("pipeline_run")
    assert context.custom_properties["outcome"].string_value == "completed"
    assert context.custom_properties["runner"].string_value == "steps"
    before = executions()
    assert step("DataGate") == ("executed", 0)  # again is the same, and nothing is launched
    assert executions() == before
    assert all(len(found) == 1 for found in before.values())


def test_a_node_before_its_inputs_is_refused(begin, step):
    begin()
    step("CuratedSchema")
    with pytest.raises(UserMistake) as mistake:
        step("Behind")
    assert str(mistake.value) == (
        "Behind: DataGate has not run; expected what it waits for to be done. "
        "Hint: run that first: `fareline step run DataGate --run nightly-1`."
    )


def test_behind_a_gate_that_stopped_the_run_everything_is_blocked(begin, step, workspace):
    begin(stops=["fare"])
    assert [step(node) for node in BEFORE_GATE] == [("executed", 0)] * 5
    assert step("DataGate") == ("failed", 10)
    assert step("Behind") == ("blocked", 10)
    result = StepFiles(workspace, RUN).result("DataGate")
    assert result.error.startswith("the data has drifted: 1 difference with policy stop; ")
    outcome = end_run(workspace, RUN)
    assert outcome.status == "failed"
    assert outcome.as_json()["error"].startswith("DataGate: the data has drifted: 1 difference")
    assert [n.state for n in outcome.nodes][-2:] == [NodeState.FAILED, NodeState.SKIPPED]


def test_a_killed_node_goes_on_with_its_execution_and_an_empty_folder(
    begin, step, executions, monkeypatch
):
    begin()
    left = []

    def die(self, info):
        folder = info.output_dict["schema"][0].uri
        left.append(Path(folder) / "half")
        left[0].parent.mkdir(parents=True)
        left[0].write_text("half")
        raise KeyboardInterrupt  # which TFX lets through: the execution stays as it is

    with monkeypatch.context() as patched:
        patched.setattr(launcher.Launcher, "_run_executor", die)
        with pytest.raises(KeyboardInterrupt):
            step("CuratedSchema")
    [killed] = executions()["CuratedSchema"]
    assert killed.state == "running"
    assert left[0].is_file()
    assert step("CuratedSchema") == ("executed", 0)
    [again] = executions()["CuratedSchema"]
    assert (again.id, again.state) == (killed.id, "executed")
    assert [path.name for path in left[0].parent.iterdir()] == ["schema.pbtxt"]


def test_without_the_server_of_the_store_it_is_for_later(begin, step, workspace, monkeypatch):
    begin()
    store = workspace.metadata_path
    nowhere = "postgresql://fareline@127.0.0.1:1/runs"

    def lose_it(self, info):
        workspace.remember_store(nowhere)
        raise RuntimeError("Failed to establish connection to Metadata storage")

    with monkeypatch.context() as patched:
        patched.setattr(launcher.Launcher, "_run_executor", lose_it)
        with pytest.raises(TryLater, match="no database server answers at 127.0.0.1 port 1"):
            step("CuratedSchema")
    for start in (lambda: step("schema"), lambda: end_run(workspace, RUN)):
        with pytest.raises(TryLater, match="no database server answers"):
            start()
    assert StepFiles(workspace, RUN).result("CuratedSchema") is None
    (workspace.root / URI_FILE).unlink()
    assert workspace.store_location == str(store)
    assert step("CuratedSchema") == ("executed", 0)


def test_a_killed_node_is_recorded_at_the_end_as_failed(
    begin, step, executions, monkeypatch, workspace
):
    begin()

    def die(self, info):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(launcher.Launcher, "_run_executor", die)
        with pytest.raises(KeyboardInterrupt):
            step("CuratedSchema")
    outcome = end_run(workspace, RUN)
    assert outcome.as_json()["error"] == "CuratedSchema: it was killed, or is not recorded"
    assert {n.state for n in outcome.nodes} == {NodeState.FAILED, NodeState.SKIPPED}
    assert executions()["CuratedSchema"][0].state == "failed"


def test_a_failed_node_is_tried_again_and_its_reason_goes(begin, step, executions, monkeypatch):
    begin()

    def fail(self, info):
        raise RuntimeError("no luck")

    with monkeypatch.context() as patched:
        patched.setattr(launcher.Launcher, "_run_executor", fail)
        assert step("CuratedSchema") == ("failed", 1)
    [failed] = executions()["CuratedSchema"]
    assert failure_of(failed).error == "RuntimeError: no luck"
    assert step("CuratedSchema") == ("executed", 0)
    [again] = executions()["CuratedSchema"]
    assert (again.id, again.state, failure_of(again)) == (failed.id, "executed", None)


@pytest.mark.parametrize("held", ["the node", "the workspace"])
def test_what_another_process_holds_is_tried_later(begin, step, workspace, held):
    begin()
    if held == "the node":
        path = StepFiles(workspace, RUN).claim_path("CuratedSchema")
        path.parent.mkdir()
        holding, said = filelock.FileLock(path), "CuratedSchema of nightly-1: another process"
    else:
        holding, said = workspace.locked(), f"{workspace.root}: a whole run is using it (process"
    with holding, pytest.raises(TryLater) as later:
        step("CuratedSchema")
    assert str(later.value).startswith(said)
    assert later.value.exit_code == 75
    assert step("CuratedSchema") == ("executed", 0)


def test_other_code_than_was_frozen_is_refused(begin, step, workspace, monkeypatch):
    run = begin()
    monkeypatch.setattr(frozen, "fingerprint_packages", lambda packages: "f" * 64)
    with pytest.raises(
        UserMistake, match="nightly-1: the code has changed since it began; expected"
    ):
        step("CuratedSchema")
    assert dataclasses.asdict(StepFiles(workspace, RUN).read()) == dataclasses.asdict(run)


def test_processes_at_once_record_on_a_server(begin, workspace, server, monkeypatch):
    """Nothing locks the store then; the server orders its clients."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    workspace.root.mkdir()
    location = server.uri(server.new_database())
    workspace.remember_store(location)
    nodes = list(begin().upstream)
    _make_tables(connect_for_run(location, server.passwords))  # as `step begin` does
    assert _at_once(workspace, BEFORE_GATE) == {"executed"}
    assert _at_once(workspace, ["DataGate"] * 3) <= {"executed", "later"}
    assert _at_once(workspace, ["Behind"]) == {"executed"}
    assert end_run(workspace, RUN).status == "completed"
    found = Graph(open_store(location, server.passwords)).executions_of_run(RUN)
    assert sorted((e.place.node, e.state) for e in found) == sorted((n, "executed") for n in nodes)


def _at_once(workspace, nodes):
    """Runs nodes, each in a process of its own; returns how they ended."""
    forks, queue = multiprocessing.get_context("fork"), multiprocessing.get_context("fork").Queue()

    def run(node):
        try:
            result = run_step(workspace, RUN, node)
            queue.put(result.error or result.state)
        except TryLater:
            queue.put("later")
        except BaseException as error:  # noqa: BLE001 - it is what the test is to say
            queue.put(repr(error))

    processes = [forks.Process(target=run, args=(node,)) for node in nodes]
    for process in processes:
        process.start()
    ended = {queue.get(timeout=120) for _ in processes}
    for process in processes:
        process.join()
    return ended
