"""A run whose Beam pipelines another engine executes leaves what a run in one process leaves."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import statistics_pb2

from data.generate.generate import Plan, generate
from data.taxi import taxi_csv_path
from fareline.packages import CHECKOUT
from tests.e2e.conftest import SMALL

pytestmark = pytest.mark.timeout(1800)
FARELINE = Path(sys.executable).parent / "fareline"


def run(workspace, csv, *values, code=0):
    words = [f"data.source.csv={csv}", *SMALL, *values]
    settings = [word for value in words for word in ("--set", value)]
    done = subprocess.run(
        [FARELINE, "run", "--workspace", workspace, "--json", *settings],
        cwd=CHECKOUT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


def on(engine, address, **more):
    server = json.dumps({"job_endpoint": address, **more})
    return [f"beam.engine={engine}", f"beam.{engine}={server}"]


@pytest.fixture(scope="session")
def in_process(tmp_path_factory, small_csv):
    workspace = tmp_path_factory.mktemp("in-process") / "workspace"
    return workspace, json.loads(run(workspace, small_csv).stdout)


@pytest.mark.parametrize("workers", ["loopback", "processes"])
@pytest.mark.parametrize("engine", ["prism", "flink", "spark"])
def test_artifacts_equal_those_of_a_run_in_one_process(
    engine,
    workers,
    tmp_path,
    small_csv,
    in_process,
    job_server,
):
    address, _ = job_server(engine)
    chosen = on(engine, address, workers=workers)
    answer = json.loads(run(tmp_path / "workspace", small_csv, *chosen).stdout)
    require_equal(tmp_path / "workspace", answer, *in_process)


def test_worker_processes_of_one_machine_give_the_same(tmp_path, small_csv, in_process):
    answer = json.loads(run(tmp_path / "workspace", small_csv, "beam.engine=processes").stdout)
    require_equal(tmp_path / "workspace", answer, *in_process)


@pytest.mark.parametrize(
    "lost, workers, said",
    [
        ("job server", "loopback", ["Beam engine", "Hint: look at the job server"]),
        ("worker", "processes", ["a Beam worker: its process ended", "Hint: "]),
    ],
)
def test_what_dies_is_one_line_and_the_next_run_goes_on(
    lost, workers, said, tmp_path, small_csv, job_server
):
    address, server = job_server("prism")
    workspace = tmp_path / "workspace"
    chosen = on("prism", address, workers=workers)
    words = [
        f"data.source.csv={small_csv}",
        *SMALL,
        *chosen,
        "beam.components={ExampleGen: direct}",
    ]
    settings = [word for value in words for word in ("--set", value)]
    running = subprocess.Popen(
        [FARELINE, "run", "--workspace", workspace, *settings],
        cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    told = ""
    for line in running.stdout:
        told += line
        if "ExampleGen" in line and "executed" in line:
            kill(server, lost)
    assert running.wait() == 1, told
    assert all(words in told for words in said), told
    assert "Traceback" not in told
    answer = json.loads(run(workspace, small_csv).stdout)
    states = {node["name"]: node["state"] for node in answer["nodes"]}
    assert (states["ExampleGen"], answer["status"]) == ("cached", "pushed")


def kill(server, lost):
    if lost == "job server":
        server.kill()
        return
    while not (workers := psutil.Process(server.pid).children()):
        time.sleep(0.1)
    time.sleep(8)  # it has come to the engine, as a rule; one that has not is waited for longer
    workers[0].kill()


@pytest.mark.parametrize("engine", ["prism", "processes"])
def test_300_000_rows_give_the_same(engine, tmp_path, job_server):
    generate(Plan(rows=300_000, seed=1), tmp_path / "rows", taxi_csv_path())
    [csv] = (tmp_path / "rows").glob("*.csv")
    chosen = ["beam.engine=processes"]
    if engine == "prism":
        chosen = on(engine, job_server(engine)[0])
    direct, other = tmp_path / "direct", tmp_path / "other"
    expected = json.loads(run(direct, csv).stdout)
    require_equal(other, json.loads(run(other, csv, *chosen).stdout), direct, expected)


def require_equal(workspace, answer, other, others_answer):
    assert answer["status"] == others_answer["status"] == "pushed"
    for metric, value in others_answer["metrics"].items():
        assert answer["metrics"][metric] == pytest.approx(value, abs=1e-6), metric
    ours, theirs = workspace / "artifacts", other / "artifacts"
    for split in ("train", "validate", "eval"):
        raw = "ExampleGen/examples/*/Split-" + split
        assert sorted(map(canonical, records(ours, raw))) == sorted(
            map(canonical, records(theirs, raw))
        )
        statistics = f"StatisticsGen/statistics/*/Split-{split}/FeatureStats.pb"
        assert parsed(ours, statistics) == parsed(theirs, statistics)
        transformed = "Transform/transformed_examples/*/Split-" + split
        np.testing.assert_allclose(
            numbers(ours, transformed), numbers(theirs, transformed), 0, 1e-6
        )
    assets = "Transform/transform_graph/*/transform_fn/assets/*"
    assert {p.name: p.read_bytes() for p in ours.glob(assets)} == {
        p.name: p.read_bytes() for p in theirs.glob(assets)
    }


def records(artifacts, folder):
    files = [str(file) for file in artifacts.glob(f"{folder}/*.gz")]
    assert files, folder
    return list(tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator())


def canonical(record):
    """An example with its features in order: that of the bytes differs from process to process."""
    return tf.train.Example.FromString(record).SerializeToString(deterministic=True)


def parsed(artifacts, file):
    """Statistics by the path of a feature: their order is that in which an engine merges them."""
    [path] = artifacts.glob(file)
    [dataset] = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes()).datasets
    features = {tuple(feature.path.step): feature for feature in dataset.features}
    assert len(features) == len(dataset.features)
    del dataset.features[:]
    return dataset, features


def numbers(artifacts, folder):
    """All numbers of all examples, in an order that does not depend on the files."""
    rows = []
    for record in records(artifacts, folder):
        example = tf.train.Example.FromString(record)
        row = []
        for name in sorted(example.features.feature):
            feature = example.features.feature[name]
            row += [*feature.float_list.value, *feature.int64_list.value]
        rows.append(row)
    return np.asarray(sorted(rows))
