"""What a killed run left as running: ended by the next run of its workspace, and by no other."""

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from lineage.store.open import connect, sqlite_connection
from runners.local.runner import fail_abandoned_executions
from runners.workspace import Workspace
from tests.stores.writer import RUNNING, StoreWriter


@pytest.fixture
def store(tmp_path):
    """Two runs that share a store, each with a node that runs."""
    writer = StoreWriter(tmp_path / "metadata.db")
    for run_id in ("run-1", "run-2"):
        writer.add_execution("taxi", run_id, "ExampleGen")
        writer.add_execution("taxi", run_id, "Trainer", state=RUNNING)
    return sqlite_connection(tmp_path / "metadata.db")


def states(connection):
    executions = connect(connection).get_executions()
    return [mlmd.Execution.State.Name(execution.last_known_state) for execution in executions]


def test_only_the_executions_of_the_named_runs(store):
    assert fail_abandoned_executions(store, ["run-0", "run-2"]) == [4]
    assert states(store) == ["COMPLETE", "RUNNING", "COMPLETE", "FAILED"]
    assert fail_abandoned_executions(store, []) == []


def test_all_in_a_store_that_is_a_workspaces_alone(store):
    assert fail_abandoned_executions(store) == [2, 4]
    assert states(store) == ["COMPLETE", "FAILED", "COMPLETE", "FAILED"]


def test_a_workspace_knows_which_runs_were_killed(tmp_path):
    workspace = Workspace(tmp_path)
    assert workspace.note_run("run-1") == ["run-1"]
    assert workspace.note_run("run-2") == ["run-1", "run-2"]  # run-1 was killed
    workspace.forget_runs()
    assert workspace.note_run("run-3") == ["run-3"]
