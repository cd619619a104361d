"""The exported task with Redis and two workers, of which one is killed while it trains."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time

import pytest

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.needs("redis-server"),
]


@pytest.fixture
def broker(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as redis:
        yield f"redis://127.0.0.1:{port}/0"
        redis.terminate()


@pytest.fixture
def celery(environment, broker, tmp_path):
    """Starts workers, each in a group of processes of its own, and the file's own commands."""
    programs, env = environment("celery"), {**os.environ, "FARELINE_BROKER": broker}
    workers = []

    def worker(name):
        words = ["-A", "taxi", "worker", "--concurrency", "1", "-n", f"{name}@%h", "-l", "WARNING"]
        workers.append(
            subprocess.Popen(
                [programs / "celery", *words], cwd=tmp_path, env=env, start_new_session=True,
                stdout=(tmp_path / f"{name}.log").open("w"), stderr=subprocess.STDOUT,
            )
        )  # fmt: skip
        return workers[-1]

    def ask(*words, env=env):
        command = [programs / "python", "taxi.py", *words]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)

    yield worker, ask
    for each in workers:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(each.pid, signal.SIGKILL)
        each.wait()


def wait_for(found, seconds=600):
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_killed_worker_is_resumed(export, celery, workspace, require_as_local):
    export("celery", "taxi.py")
    worker, ask = celery
    first = worker("first")
    assert ask("start", "--run", "by-celery").returncode == 0
    claims = workspace / "runs" / "by-celery" / "claims"
    wait_for((claims / "Trainer").is_file)
    time.sleep(1)
    os.killpg(first.pid, signal.SIGKILL)  # with the step that it had started
    assert not (workspace / "runs" / "by-celery" / "results" / "Trainer.json").is_file()
    worker("second"), worker("third")
    assert ask("resume", "--run", "by-celery").returncode == 0
    assert ask("wait", "--run", "by-celery").returncode == 0
    require_as_local("by-celery", "celery")


def test_a_broker_that_is_gone_is_one_line(export, celery):
    export("celery", "taxi.py")
    _, ask = celery
    gone = {**os.environ, "FARELINE_BROKER": "redis://127.0.0.1:1/0"}
    done = ask("start", "--run", "by-nobody", env=gone)
    assert done.returncode == 75, done.stderr
    [line] = [line for line in done.stderr.splitlines() if "broker" in line]
    assert line.startswith("chicago-taxi: the broker cannot be reached (")
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["run_id"] == "by-nobody"
