"""runners.beam.watched_workers: a pipeline is cancelled when a worker ends, however it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fareline.packages import CHECKOUT
from runners.beam import watched_workers
from runners.beam.watched_workers import Workers

WORK = (
    "from runners.beam.watched_workers import hold_lock_of_worker\n"
    "hold_lock_of_worker()\n"
    "print('came', flush=True)\n"
    "input()\n"
)


class Pipeline:
    def __init__(self):
        self.cancelled = threading.Event()

    def cancel(self):
        self.cancelled.set()


@pytest.fixture(autouse=True)
def _look_often(monkeypatch):
    monkeypatch.setattr(watched_workers, "_LOOK_SECONDS", 0.01)


@contextlib.contextmanager
def watched():
    workers, pipeline = Workers(), Pipeline()
    workers.cancel_without(pipeline)
    yield workers, pipeline
    workers.forget()


@contextlib.contextmanager
def worker(variables):
    process = subprocess.Popen(
        [sys.executable, "-c", WORK], cwd=CHECKOUT, env={**os.environ, **variables},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with process:
        process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None])
def test_the_pipeline_is_cancelled_when_one_of_its_workers_ends(end):
    with (
        watched() as (workers, pipeline),
        worker(workers.variables()) as lost,
        worker(workers.variables()),
    ):
        assert not pipeline.cancelled.wait(0.2) and not workers.lost
        lost.send_signal(end) if end else lost.communicate(b"\n")
        assert pipeline.cancelled.wait(10) and workers.lost


def test_a_worker_that_says_why_it_ends_is_quoted(monkeypatch):
    with watched() as (workers, pipeline):
        [(name, folder)] = workers.variables().items()
        monkeypatch.setenv(name, folder)
        watched_workers.tell_why("no such package")  # nothing holds its lock
        assert pipeline.cancelled.wait(10)
    assert (workers.lost, workers.reason) == (True, "no such package")


def test_it_is_cancelled_where_no_worker_ever_comes(monkeypatch):
    monkeypatch.setattr(watched_workers, "_COME_SECONDS", 0.1)
    with watched() as (workers, pipeline):
        assert pipeline.cancelled.wait(10) and workers.lost


def test_a_pipeline_that_is_done_is_left_alone_and_leaves_nothing():
    with watched() as (workers, pipeline), worker(workers.variables()) as ended:
        [folder] = map(Path, workers.variables().values())
        workers.forget()
        ended.kill()
        assert not pipeline.cancelled.wait(0.1)
    assert not workers.lost and not folder.exists()


@pytest.mark.parametrize("folder", [None, "no-such-folder"])
def test_a_worker_of_another_machine_works_all_the_same(tmp_path, folder):
    variables = {} if folder is None else {"_FARELINE_WORKERS": str(tmp_path / folder)}
    with worker(variables) as process:
        assert process.poll() is None
    assert not list(tmp_path.iterdir())
