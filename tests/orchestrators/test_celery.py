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


# Writes down what it is called with; a node fails, another takes a minute the first time.
STAND_IN = """#!/bin/sh
echo "$2 $3" >> {folder}/calls
[ "$3" = Transform ] && [ -f {folder}/fails ] && exit 1
[ "$3" = Trainer ] && mkdir {folder}/once 2>/dev/null && sleep 60
exit 0
"""


@pytest.fixture
def stand_in(export, tmp_path):
    """The exported file, where each step is a script that does nothing; returns its calls."""
    file = export("celery", "taxi.py")
    script = tmp_path / "fareline"
    script.write_text(STAND_IN.format(folder=tmp_path))
    script.chmod(0o755)
    places = {"FARELINE": script, "WORKSPACE": tmp_path / "ws"}
    lines = [line.partition(" = ") for line in file.read_text().splitlines(keepends=True)]
    file.write_text(
        "".join(
            f"{name}{equals}{str(places[name])!r}\n" if name in places else name + equals + rest
            for name, equals, rest in lines
        )
    )
    return lambda: (tmp_path / "calls").read_text().splitlines()


def test_only_what_was_lost_is_sent_again(stand_in, celery, tmp_path):
    worker, ask = celery
    first = worker("first")
    assert ask("start", "--run", "r").returncode == 0
    wait_for((tmp_path / "once").is_dir, 60)
    os.killpg(first.pid, signal.SIGKILL)
    worker("second"), worker("third")
    assert ask("resume", "--run", "r").returncode == 0
    assert ask("wait", "--run", "r").returncode == 0
    calls = stand_in()
    assert calls[-1] == "end --run"
    assert sorted(c for c in set(calls) if calls.count(c) > 1) == ["run Trainer"]
    assert len(set(calls)) == 17


def test_after_a_failure_nothing_follows_but_the_end(stand_in, celery, tmp_path):
    (tmp_path / "fails").touch()
    worker, ask = celery
    worker("first")
    assert ask("start", "--run", "r").returncode == 0
    assert ask("wait", "--run", "r").returncode == 0  # of the stand-in's end
    assert stand_in()[-2:] == ["run Transform", "end --run"]


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
