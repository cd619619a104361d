"""`fareline submit` with the real clients, against servers that execute what they accept.

For each platform: the job is sent, every node of the compiled pipeline is executed by its own
command, the model is pushed to the bucket; and a second job takes from the cache what has not
changed. The buckets are folders, the containers processes, and nothing else is left out.
"""

import dataclasses
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Finished, fareline_command
from tests.forked import run_forked
from tests.loopback.execution import Interpret
from tests.loopback.kubeflow import kubeflow_server
from tests.loopback.storage import Storage, storage_server
from tests.loopback.vertex import vertex_server

pytestmark = [pytest.mark.replay, pytest.mark.e2e, pytest.mark.timeout(900)]

BUCKET = "gs://taxi-bucket"
COMPLETE = 3  # of ML Metadata
CACHED = {
    "CuratedSchema", "ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "DataPolicy",
    "DriftMonitor", "DataGate", "Transform", "Tuner", "Trainer", "InfraValidator",
}  # fmt: skip
NODES = CACHED | {"Evaluator", "Pusher"}
PLATFORMS = {
    "vertex": (vertex_server, "api_endpoint", ["--set=runners.vertex.project=fare-project"]),
    "kubeflow": (kubeflow_server, "host", []),
}


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A platform on this machine, with a bucket.

    Attributes:
        name: `vertex` or `kubeflow`.
        server: Of the platform.
        storage: Of the bucket.
        folder: Of the buckets.
        settings: That make it the platform of a command.
    """

    name: str
    server: Any
    storage: Storage
    folder: Path
    settings: list[str]

    def submit(self, *arguments) -> Finished:
        """Runs `fareline submit … --wait --json` to its end."""
        call = fareline_command(
            "submit", self.name, *self.settings, "--wait", "--json", "--poll-seconds=0.5",
            *arguments,
        )  # fmt: skip
        call["env"] |= self.storage.environment()
        done = run_forked(**call, timeout=800)
        return Finished(done.returncode, json.loads(done.stdout or "null"), done.stderr)

    @property
    def serving(self) -> Path:
        """Where models are pushed to."""
        return self.folder / "taxi-bucket" / "chicago-taxi" / "serving"

    def versions(self) -> list[str]:
        """Names of the models that were pushed."""
        return sorted(path.name for path in self.serving.glob("[0-9]*"))


@pytest.fixture(scope="module", params=sorted(PLATFORMS))
def cluster(request, tmp_path_factory, small_settings):
    name = request.param
    serve, address, more = PLATFORMS[name]
    folder = tmp_path_factory.mktemp(name)
    (folder / "buckets" / "taxi-bucket").mkdir(parents=True)
    maps = [f"{BUCKET}={folder / 'buckets' / 'taxi-bucket'}"]
    execute = Interpret(folder / "workspace", maps)
    with storage_server(folder / "buckets") as storage, serve(execute) as server:
        settings = [
            f"--set=runners.{name}.{address}={server.address}",
            f"--set=runners.{name}.bucket={BUCKET}",
            f"--set=runners.{name}.image=registry.test/fareline:0.1.0",
            *more,
            *(f"--set={setting}" for setting in small_settings),
        ]
        yield Cluster(name, server, storage, folder / "buckets", settings)


@pytest.fixture(scope="module")
def first(cluster):
    return cluster.submit("--job-id=taxi-1")


def executed_by(cluster, number):
    """What the server says of the nodes of its nth job; Kubeflow's API does not tell it all."""
    job = list(cluster.server.api.jobs.jobs.values())[number]
    return {name: result.state.value for name, result in job.tasks.items()}


def errors(cluster, number):
    """What went wrong in the server's nth job, which Kubeflow's API does not tell."""
    job = list(cluster.server.api.jobs.jobs.values())[number]
    return job.error, {
        name: str(result.error) for name, result in job.tasks.items() if result.error
    }


def count_executions(cluster):
    """By last state, straight from SQLite."""
    with sqlite3.connect(cluster.folder.parent / "workspace" / "metadata.db") as connection:
        query = "select last_known_state, count(*) from Execution group by 1"
        return dict(connection.execute(query).fetchall())


def test_every_node_is_executed_and_the_model_is_pushed(first, cluster):
    assert first.exit_code == 0, (first.stderr, errors(cluster, 0))
    assert first.answer["state"] == "succeeded"
    assert set(first.states().values()) == {"executed"}, first.stderr
    assert set(first.states()) >= NODES
    assert executed_by(cluster, 0) == first.states()
    assert all(node["seconds"] > 0 for node in first.answer["nodes"] if node["name"] == "Trainer")
    [version] = cluster.versions()
    assert (cluster.serving / version / "saved_model.pb").stat().st_size > 10_000
    uploaded = f"{BUCKET}/chicago-taxi/data/trips.csv"
    assert cluster.storage.api.uploaded == [uploaded]
    assert first.stderr.startswith(f"uploaded trips.csv to {uploaded}\n")


def test_the_second_job_is_served_from_the_cache(first, cluster):
    before, versions = count_executions(cluster), cluster.versions()
    assert set(before) == {COMPLETE}
    second = cluster.submit("--job-id=taxi-2")
    assert second.exit_code == 0, (second.stderr, errors(cluster, 1))
    states = executed_by(cluster, 1)
    # There is a baseline now, so the judgement is another one; all that is expensive is not.
    assert {name for name, state in states.items() if state == "cached"} == CACHED
    assert states["Evaluator"] == "executed"
    if cluster.name == "vertex":  # Kubeflow does not say what came from the cache
        assert second.states() == states
    assert cluster.versions()[: len(versions)] == versions
    assert cluster.storage.api.uploaded == [f"{BUCKET}/chicago-taxi/data/trips.csv"]
