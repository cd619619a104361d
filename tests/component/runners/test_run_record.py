"""What LocalRunner has TFX write into the contexts of a run, and what it adds when the run ends.

The pipeline is one node that needs no data.
"""

import errno
import logging
import time

import pytest
from ml_metadata import errors
from tfx import v1 as tfx
from tfx.orchestration.portable import launcher
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.types.standard_artifacts import Examples, Schema

from fareline import recorded
from fareline.digests import sha256_of_file
from fareline.disk import DiskError
from fareline.recorded.run import RunRecord
from lineage.facts.failures import failure_of
from lineage.graph.graph import Graph
from lineage.store.open import open_store, sqlite_connection
from pipeline.artifacts import DataDecision, DataDrift
from pipeline.components.curated_schema import CuratedSchema
from pipeline.components.data_gate import DataGate
from runners.local.runner import LocalRunner
from runners.progress import NodeState
from runners.provenance import Provenance
from runners.scheduling import Schedule
from schema.curated import schema_path

# TFX 1.21 asks protobuf for it, and protobuf blames a caller further up, which is LocalRunner.
pytestmark = pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")

ONE = Provenance({"git_commit": "a" * 40, "use_cache": 1, "settings": "seed: 1\n"}, "a" * 40)
TWO = Provenance({"git_commit": "b" * 40, "use_cache": 1, "settings": "seed: 2\n"}, "b" * 40)


@pytest.fixture
def build(tmp_path):
    """Builds the runner of a run on one store."""

    def build(run_id, provenance=None, sha256=None, gate=False):
        digest = sha256 or sha256_of_file(schema_path("taxi", tmp_path))
        source = CuratedSchema(source="taxi", sha256=digest)
        components = [source]
        if gate:
            (tmp_path / "decisions.json").write_text("[]")
            (tmp_path / "drift.json").write_text('{"drifted": []}')
            kinds = {"decision": DataDecision, "drift": DataDrift, "examples": Examples}
            kinds["schema"] = Schema
            imported = {
                name: tfx.dsl.Importer(
                    source_uri=str(tmp_path),
                    artifact_type=kind,
                    properties={"split_names": '["train"]'} if name == "examples" else None,
                ).with_id(name)
                for name, kind in kinds.items()
            }
            found = {name: each.outputs["result"] for name, each in imported.items()}
            gate = DataGate(**found, uses="[]", passed_data=str(tmp_path / "passed"))
            gate.add_upstream_node(source)
            components += [*imported.values(), gate]
        pipeline = tfx.dsl.Pipeline(
            pipeline_name="tiny",
            pipeline_root=str(tmp_path / "root"),
            components=components,
            enable_cache=True,
            metadata_connection_config=sqlite_connection(tmp_path / "metadata.db"),
        )
        return LocalRunner(pipeline, run_id, provenance=provenance)

    return build


@pytest.fixture
def store(tmp_path):
    return lambda: open_store(tmp_path / "metadata.db")


def run_properties(store, run_id):
    context = store.get_context_by_type_and_name("pipeline_run", run_id)
    return {
        name: getattr(value, value.WhichOneof("value"))
        for name, value in context.custom_properties.items()
    }


def test_tfx_writes_it_with_the_run(build, store):
    [result] = build("run-1", ONE).run()
    assert result.state is NodeState.EXECUTED
    found = run_properties(store(), "run-1")
    assert found == {**ONE.properties, recorded.NODES: '["CuratedSchema"]'}
    assert RunRecord(found).nodes == ["CuratedSchema"]


def test_every_run_has_its_own_and_none_of_it_is_part_of_the_cache_key(build, store):
    build("run-1", ONE).run()
    [result] = build("run-2", TWO).run()
    assert result.state is NodeState.CACHED
    found = run_properties(store(), "run-2")
    assert (found["git_commit"], found["settings"]) == ("b" * 40, "seed: 2\n")
    assert run_properties(store(), "run-1")["settings"] == "seed: 1\n"
    [unknown] = build("run-3").run()
    assert unknown.state is NodeState.CACHED
    assert run_properties(store(), "run-3") == {}


def test_executions_are_found_by_their_code(build, store):
    for run_id, provenance in (("run-1", ONE), ("run-2", TWO), ("run-3", ONE)):
        build(run_id, provenance, gate=True).run()
    graph, found = Graph(store()), {}
    for context in store().get_contexts_by_type(recorded.CODE_CONTEXT_TYPE):
        executions = store().get_executions_by_context(context.id)
        found[context.name] = {execution.id for execution in executions}
    members = {run: set(graph.places.members(run)) for run in ("run-1", "run-2", "run-3")}
    assert all(len(ids) == 6 for ids in members.values())
    assert found == {"a" * 40: members["run-1"] | members["run-3"], "b" * 40: members["run-2"]}
    assert RunRecord(run_properties(store(), "run-1")).nodes == [
        "CuratedSchema",
        "decision",
        "drift",
        "examples",
        "schema",
        "DataGate",
    ]


def test_the_end_is_added_and_the_rest_stays(build, store):
    runner = build("run-1", ONE)
    runner.run()
    before = run_properties(store(), "run-1")
    assert not {recorded.OUTCOME, recorded.ENDED} & set(before)
    started = time.time() * 1000
    runner.record_end("refused")
    after = run_properties(store(), "run-1")
    assert started - 1 <= int(after.pop(recorded.ENDED)) <= time.time() * 1000 + 1
    assert after == {**before, recorded.OUTCOME: "refused"}


def test_a_failed_node_leaves_what_was_recorded(build, store):
    runner = build("run-1", ONE, sha256="0" * 64)
    [result] = runner.run()
    assert result.state is NodeState.FAILED
    runner.record_end("failed")
    found = run_properties(store(), "run-1")
    assert (found["git_commit"], found[recorded.OUTCOME]) == ("a" * 40, "failed")


def test_a_run_that_never_started_a_node_is_not_made_up(build, store):
    build("run-1", ONE).run()
    build("run-2", TWO).record_end("interrupted")
    assert [c.name for c in store().get_contexts_by_type("pipeline_run")] == ["run-1"]


def test_an_end_that_cannot_be_recorded_is_logged_and_fails_nothing(build, tmp_path, caplog):
    (tmp_path / "metadata.db").write_text("no database, and longer than a header " * 50)
    with caplog.at_level(logging.ERROR, logger="absl"):
        build("run-1", ONE).record_end("pushed")
    assert "the end of run-1 was not recorded: " in caplog.text


def test_after_an_interrupt_only_the_end_is_recorded(build, store):
    runner = build("run-1", ONE)
    changes = []

    def interrupt(result):
        changes.append(result.state)
        if result.state is NodeState.EXECUTED:
            raise KeyboardInterrupt

    runner._schedule = Schedule(runner.results, interrupt)
    with pytest.raises(KeyboardInterrupt):
        runner.run()
    runner.record_end("interrupted")
    assert changes == [NodeState.RUNNING, NodeState.EXECUTED]
    assert run_properties(store(), "run-1")[recorded.OUTCOME] == "interrupted"


def test_what_a_node_failed_with_is_kept_with_its_execution(build, store):
    runner = build("run-1", ONE, sha256="0" * 64)
    [result] = runner.run()
    [execution] = Graph(store()).executions_of_run("run-1")
    failure = failure_of(execution)
    assert failure.error == str(result.error)  # ours are named by what they say
    assert failure.place.startswith("pipeline/components/curated_schema.py:")
    assert failure.text.startswith("Traceback (most recent call last):\n")
    # As TFX itself reads it.
    kept = execution_lib.get_execution_result(execution.proto)
    assert (kept.code, kept.result_message) == (2, failure.text)


def test_a_full_disk_is_recorded_as_soon_as_there_is_room_again(build, store, monkeypatch):
    full = OSError(errno.ENOSPC, "Can't close file (file write failed: time = now, errno = 28)")

    def fail(self, info):
        raise full

    def no_room(*_, **__):
        raise errors.ResourceExhaustedError("database or disk is full")

    runner = build("run-1", ONE)
    with monkeypatch.context() as patched:
        patched.setattr(launcher.Launcher, "_run_executor", fail)
        patched.setattr(launcher.Launcher, "_publish_failed_execution", no_room)
        patched.setattr("runners.local.launching.record_failure", no_room)
        [result] = runner.run()
    assert result.state is NodeState.FAILED
    assert isinstance(result.error, DiskError)
    assert str(result.error).startswith("the disk at /")
    assert "is full (" in str(result.error) and "time =" not in str(result.error)
    graph = Graph(store())
    [execution] = graph.executions_of_run("run-1")
    assert execution.state == "running"  # as TFX leaves it on a full disk

    runner.record_failures()  # room was made
    graph = Graph(store())
    [execution] = graph.executions_of_run("run-1")
    assert execution.state == "failed"
    failure = failure_of(execution)
    assert failure.error.startswith("the disk at /")
    assert "Can't close file" in failure.text
    runner.record_failures()  # twice is once
    [again] = Graph(store()).executions_of_run("run-1")
    assert failure_of(again) == failure
