"""The pipeline on database servers: runs, cache, questions, killed runs beside live ones."""

import contextlib
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lineage.store.open import open_store
from tests.e2e.conftest import FEW, RUNNING, Finished, fareline_command, run_process
from tests.forked import kill_group, run_forked, start_forked

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def fareline(server, *arguments, run=run_forked):
    """Runs a command."""
    call = fareline_command(*arguments)
    call["env"] |= server.environment()
    done = run(**call)
    return Finished(done.returncode, json.loads(done.stdout or "null"), done.stderr)


@pytest.fixture(scope="module")
def few_settings(small_settings):
    return (*small_settings, FEW)


def run_arguments(workspace, uri, settings):
    overrides = (f"metadata.store={uri}", *settings)
    options = [part for setting in overrides for part in ("--set", setting)]
    return ["run", "--json", "--workspace", workspace, *options]


def ask(server, *arguments):
    """In a process, since ML Metadata is told to be quiet before it is loaded."""
    answer = fareline(server, "lineage", *arguments, "--json", run=run_process)
    assert (answer.exit_code, answer.stderr) == (0, "")
    return answer.answer


def states(server, database):
    query = (
        "SELECT c.name, e.last_known_state FROM Execution e JOIN Association a ON"
        " a.execution_id = e.id JOIN Context c ON c.id = a.context_id WHERE c.name LIKE 'run-%'"
    )
    with contextlib.suppress(Exception):  # the tables come with the first run
        return server.execute(query, database)
    return []


@dataclasses.dataclass(frozen=True)
class Recorded:
    """A server's database with runs of one workspace.

    Attributes:
        server: Where.
        database: Name.
        workspace: Of the runs.
        first: The first run that came to its end.
    """

    server: Any
    database: str
    workspace: Path
    first: Finished

    @property
    def uri(self):
        return self.server.uri(self.database)


@pytest.fixture(scope="module")
def recorded(server, small_csv, few_settings, tmp_path_factory):
    """A run was killed, one of another workspace stopped at the gate, the third is whole."""
    tmp_path = tmp_path_factory.mktemp("backend")
    database, workspace = server.new_database(), tmp_path / "ws"
    uri = server.uri(database)
    call = fareline_command(*run_arguments(workspace, uri, few_settings))
    call["env"] |= server.environment()
    outputs = [tmp_path / name for name in ("stdout", "stderr")]
    with start_forked(**call, outputs=outputs) as fork:
        deadline = time.monotonic() + 300
        while RUNNING not in dict(states(server, database)).values():
            assert fork.is_alive(), outputs[1].read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        kill_group(fork)
    [killed] = {name for name, state in states(server, database) if state == RUNNING}

    # It stops at the data gate; what the first one left running stays so, since it may be alive.
    trips = pd.read_csv(small_csv, dtype=str)
    trips.loc[::10, "payment_type"] = "Bitcoin"
    trips.to_csv(tmp_path / "broken.csv", index=False)
    broken = (*few_settings, f"data.source.csv={tmp_path / 'broken.csv'}")
    other = fareline(server, *run_arguments(tmp_path / "other", uri, broken))
    assert other.nodes_in("failed") == {"DataGate"}, other.stderr
    assert (killed, RUNNING) in states(server, database)

    again = fareline(server, *run_arguments(workspace, uri, few_settings), run=run_process)
    return Recorded(server, database, workspace, again)


def test_a_killed_run_is_ended_by_its_workspace_and_not_by_another(recorded):
    assert recorded.first.exit_code == 0, recorded.first.stderr
    found = states(recorded.server, recorded.database)
    assert RUNNING not in {state for _, state in found}
    assert not (recorded.workspace / ".unfinished-runs").exists()


def test_a_server_holds_all_that_a_run_records(recorded, few_settings):
    server, uri, workspace, first = (
        recorded.server,
        recorded.uri,
        recorded.workspace,
        recorded.first,
    )
    assert (first.answer["status"], first.answer["metadata"]) == ("pushed", uri)
    # Of what the killed run began, its first nodes may have come to an end.
    assert first.nodes_in("executed") >= {"Transform", "Tuner", "Trainer", "Evaluator", "Pusher"}
    second = fareline(server, *run_arguments(workspace, uri, few_settings))
    assert second.exit_code == 0, second.stderr
    # There is a model to compare with now.
    assert second.nodes_in("executed") == {"Evaluator", "Pusher"}
    assert second.answer["baseline"]

    ids = {first.answer["run_id"], second.answer["run_id"]}
    assert "mlmd client" not in Path(first.answer["log"]).read_text(errors="replace")
    runs = ask(server, "runs", "--workspace", workspace)
    assert ids < {run["run_id"] for run in runs}
    assert len(runs) == 4  # the killed one, and the one that stopped at the gate
    assert runs == ask(server, "runs", "--store", uri)
    assert ask(server, "upstream", "live", "--workspace", workspace)

    # Texts of every length, and those with backslashes, which TFX records for Evaluator.
    store = open_store(uri, server.passwords)
    [context] = [c for c in store.get_contexts_by_type("pipeline_run") if c.name in ids][:1]
    packages = json.loads(context.custom_properties["packages"].string_value)
    assert "ml-metadata" in packages and len(packages) > 150
    [config, _] = [
        e.custom_properties["eval_config"].string_value
        for e in store.get_executions()
        if "eval_config" in e.custom_properties
    ]
    metrics = [m for spec in json.loads(config)["metrics_specs"] for m in spec["metrics"]]
    assert {"name": "auc"} in [json.loads(metric["config"]) for metric in metrics]

    # The password is nowhere, and the workspace knows the way.
    assert (workspace / "metadata.uri").read_text() == f"{uri}\n"
    assert not (workspace / "metadata.db").exists()
    held = [
        path
        for path in workspace.rglob("*")
        if path.is_file() and server.password.encode() in path.read_bytes()
    ]
    assert held == []

    # Its ids name folders of the workspace: no other store for it.
    other = fareline(server, "run", "--json", "--workspace", workspace)
    assert other.exit_code == 2
    assert other.stderr.endswith(
        f"fareline: {workspace}: its runs are recorded in {uri}; expected one store for each "
        "workspace, and metadata.store is null. Hint: set metadata.store back, or name another "
        "--workspace.\n"
    )


def test_a_server_that_is_down_is_said_before_anything_starts(few_settings, tmp_path):
    uri = "mysql://me@127.0.0.1:9/runs"
    done = run_forked(**fareline_command(*run_arguments(tmp_path / "ws", uri, few_settings)))
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"fareline: {uri}: no database server answers at 127.0.0.1 port 9"
    )
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "ws" / "metadata.uri").exists()
