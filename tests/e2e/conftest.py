"""Running `fareline` as a user does, and the runs that several tests look at."""

import dataclasses
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cli.answers.answers import require_as_declared
from data.taxi import taxi_csv_path
from fareline.packages import CHECKOUT, PACKAGES
from tests.browser import chromium, watch  # noqa: F401 - fixtures
from tests.forked import kill_group, run_forked, start_forked

# A pipeline of seconds per node: a column of each kind, a model of 30 steps on 1,500 rows that need
# not be good.
SMALL = (
    "features={numeric: {fare: {log: true}}, bucketized: {trip_miles: 4}, categorical: "
    "{trip_start_hour: 24}, vocabulary: {payment_type: {size: 10, oov_buckets: 1}, company: "
    "{size: 60, oov_buckets: 4}}}",
    "training.steps=32",
    "training.evaluate_every=16",
    "tuning.trials=1",
    "tuning.steps=8",
    "evaluation.slices=[[{column: trip_miles, boundaries: [1, 5]}]]",
    "evaluation.thresholds.auc={at_least: 0.5, at_most_below_baseline: 0.5}",
)
# After SMALL, where nothing is claimed of the other features: Transform takes half of the time.
FEW = (
    "features={numeric: {fare: {log: true}}, "
    "vocabulary: {payment_type: {size: 10, oov_buckets: 1}}}"
)


@dataclasses.dataclass(frozen=True)
class Finished:
    """A command that has ended.

    Attributes:
        exit_code: Of the process.
        answer: What `--json` printed, parsed; None if stdout was empty.
        stderr: What a user sees.
    """

    exit_code: int
    answer: Any
    stderr: str

    def states(self) -> dict[str, str]:
        """Node to state."""
        return {node["name"]: node["state"] for node in self.answer["nodes"]}

    def nodes_in(self, state: str) -> set[str]:
        """Nodes that ended so, the resolver left out: it only looks, in every run."""
        return {n for n, s in self.states().items() if s == state} - {"BaselineResolver"}


def fareline_command(*arguments, checkout=CHECKOUT):
    """The command line and environment that run a checkout's sources."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "cli.app", *map(str, arguments)]
    return {"args": command, "cwd": checkout, "env": environment}


def run_fareline(workspace, *settings, arguments=(), checkout=CHECKOUT, run=run_forked):
    """Runs `fareline run --json` to its end.

    Args:
        workspace: Folder.
        settings: Each as `--set` takes it.
        arguments: Others of the command.
        checkout: Whose sources run.
        run: `run_process`, where what is loaded when a command starts is part of the claim.

    Returns:
        A `Finished`.
    """
    overrides = [part for setting in settings for part in ("--set", setting)]
    call = fareline_command(
        "run", "--json", "--workspace", workspace, *arguments, *overrides, checkout=checkout
    )
    done = run(**call)
    if done.stdout and checkout == CHECKOUT:
        require_as_declared("run", done.stdout)
    return Finished(done.returncode, json.loads(done.stdout or "null"), done.stderr)


def run_process(args, cwd, env):
    """As `run_forked`, in a process that starts from nothing."""
    return subprocess.run(args, cwd=cwd, env=env, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="session")
def small_csv(tmp_path_factory):
    """1,500 random taxi trips."""
    path = tmp_path_factory.mktemp("small") / "trips.csv"
    trips = pd.read_csv(taxi_csv_path(), dtype=str).sample(1500, random_state=7)
    trips.to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def small_settings(small_csv):
    return (f"data.source.csv={small_csv}", *SMALL)


@dataclasses.dataclass(frozen=True)
class SmallRun:
    """A run of the small settings, and what it left in its workspace.

    Attributes:
        workspace: Always at the same place, since the keys of TFX's cache hold paths.
        kept: A copy of it, as the run left it.
        settings: Of the run.
        finished: How the run ended.
    """

    workspace: Path
    kept: Path
    settings: tuple[str, ...]
    finished: Finished

    def restore(self) -> Path:
        """Makes the workspace again what the run left, whatever was done with it since."""
        shutil.rmtree(self.workspace, ignore_errors=True)
        shutil.copytree(self.kept, self.workspace, symlinks=True)
        return self.workspace


@pytest.fixture(scope="session")
def small_run(tmp_path_factory, small_settings):
    folder = tmp_path_factory.mktemp("small_run")
    return keep_run(folder / "workspace", folder / "kept", small_settings)


@pytest.fixture(scope="session")
def newer_run(small_run):
    """A second model after the one of `small_run`, in the same workspace."""
    newer = (*small_run.settings, "seed=7", "push.keep_versions=3")
    return keep_run(small_run.restore(), small_run.kept.with_name("kept_newer"), newer)


def keep_run(workspace, kept, settings):
    """Makes a run, and a copy of what it leaves."""
    finished = run_fareline(workspace, *settings)
    assert finished.exit_code == 0, finished.stderr
    shutil.copytree(workspace, kept, symlinks=True)
    return SmallRun(workspace, kept, settings, finished)


@dataclasses.dataclass(frozen=True)
class ResumedRun:
    """A run of the small settings in a workspace of its own, killed and run again.

    Attributes:
        workspace: What both left.
        killed: Folder with the store as the first one left it.
        process: Id of the first one.
        busy: How a run ended that was started beside it.
        resumed: How the second one ended.
    """

    workspace: Path
    killed: Path
    process: int
    busy: Finished
    resumed: Finished


@pytest.fixture(scope="session")
def resumed_run(tmp_path_factory, small_settings):
    folder = tmp_path_factory.mktemp("resumed_run")
    workspace, killed = folder / "workspace", folder / "killed"
    overrides = [part for setting in small_settings for part in ("--set", setting)]
    outputs = [folder / name for name in ("stdout", "stderr")]
    call = fareline_command("run", "--workspace", workspace, *overrides)
    with start_forked(**call, outputs=outputs) as fork:
        deadline = time.monotonic() + 300
        while not outputs[1].exists() or "StatisticsGen" not in outputs[1].read_text():
            assert time.monotonic() < deadline and fork.is_alive(), outputs[1].read_text()
            time.sleep(0.2)  # so that Transform is on its way
        while RUNNING not in states_in_store(workspace):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        busy = run_fareline(workspace, *small_settings)
        kill_group(fork)
    killed.mkdir()
    for file in workspace.glob("metadata.db*"):
        shutil.copy(file, killed)
    resumed = run_fareline(workspace, *small_settings)
    return ResumedRun(workspace, killed, fork.pid, busy, resumed)


@pytest.fixture
def small_workspace(small_run):
    """A workspace with one small run, for a test that goes on from there."""
    return small_run.restore()


@pytest.fixture
def checkout(tmp_path):
    """A copy of the sources that a test may edit."""
    folder = tmp_path / "checkout"
    for room in PACKAGES:
        shutil.copytree(
            CHECKOUT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("three_runs") / "workspace"


@pytest.fixture(scope="session")
def first(workspace):
    return run_fareline(workspace, run=run_process)


@pytest.fixture(scope="session")
def after_first(first, workspace):
    return count_rows(workspace)


@pytest.fixture(scope="session")
def planned(after_first, workspace):
    """What `run --plan` says before the second run."""
    done = run_forked(**fareline_command("run", "--plan", "--json", "--workspace", workspace))
    assert done.returncode == 0, done.stderr
    return {node["name"]: node for node in json.loads(done.stdout)["nodes"]}


@pytest.fixture(scope="session")
def after_plan(planned, workspace):
    return count_rows(workspace)


@pytest.fixture(scope="session")
def second(after_plan, workspace):
    return run_fareline(workspace)


@pytest.fixture(scope="session")
def after_second(second, workspace):
    return count_rows(workspace)


@pytest.fixture(scope="session")
def third(after_second, workspace):
    return run_fareline(workspace)


@pytest.fixture(scope="session")
def after_third(third, workspace):
    return count_rows(workspace)


@pytest.fixture(scope="session")
def refused(after_third, workspace):
    return run_fareline(workspace, "evaluation.thresholds.auc.at_least=0.999")


RUNNING = 2  # ml_metadata.proto.Execution.State


def states_in_store(workspace):
    """States of the executions; none while the store is not there yet, or being written."""
    try:
        # To read only: it makes no file where the run is about to make one.
        uri = f"file:{workspace / 'metadata.db'}?mode=ro"
        with sqlite3.connect(uri, uri=True) as connection:
            rows = connection.execute("select last_known_state from Execution")
            return {state for (state,) in rows}
    except sqlite3.OperationalError:
        return set()


def count_rows(workspace):
    """What the store holds, straight from SQLite: not through the code under test."""
    with sqlite3.connect(workspace / "metadata.db") as connection:
        tables = ("Artifact", "Execution")
        counts = {t: connection.execute(f"select count(*) from {t}").fetchone()[0] for t in tables}
        states = connection.execute("select last_known_state, count(*) from Execution group by 1")
        return counts | {"states": dict(states.fetchall())}
