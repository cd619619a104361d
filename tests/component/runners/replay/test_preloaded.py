"""The preloaded process: forks for each step, tells how each ended, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fareline.packages import CHECKOUT
from runners.replay import processes
from runners.replay.processes import Cancelled, Command, Processes, ProcessesError

STEP = """
import os, sys, time
import collections
print("out", sys.argv[1:], os.environ.get("GIVEN"), os.path.basename(os.getcwd()), flush=True)
print("err", file=sys.stderr, flush=True)
if sys.argv[1] == "sleep":
    time.sleep(60)
if sys.argv[1] == "raise":
    raise ValueError("boom")
if sys.argv[1] == "exit":
    sys.exit(int(sys.argv[2]))
"""


class Preloaded:
    """Speaks with the process as runners.replay.processes does."""

    def __init__(self, folder):
        (folder / "a_step.py").write_text(STEP)
        (folder / "work").mkdir()
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "runners.replay.preloaded", "no_such_module", "json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": f"{CHECKOUT}{os.pathsep}{folder}"},
        )

    def ask(self, number, *arguments):
        request = {
            "id": number,
            "argv": ["a_step", *arguments],
            "env": {"GIVEN": "yes"},
            "cwd": str(self.folder / "work"),
            "log": str(self.folder / f"{number}.log"),
        }
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def log(self, number):
        return (self.folder / f"{number}.log").read_text()


@pytest.fixture
def preloaded(tmp_path):
    server = Preloaded(tmp_path)
    yield server
    server.process.kill()
    server.process.wait()


def test_steps_run_in_forks_with_their_own_output_folder_and_environment(preloaded):
    preloaded.ask(1, "fine", "more")
    assert preloaded.answer()["id"] == 1
    assert preloaded.answer() == {"id": 1, "code": 0}
    assert preloaded.log(1) == "out ['fine', 'more'] yes work\nerr\n"
    assert "no_such_module" not in preloaded.log(1)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [(["exit", "3"], 3, ""), (["exit", "0"], 0, ""), (["raise"], 1, "ValueError: boom")],
)
def test_the_exit_code_is_the_steps(preloaded, arguments, code, said):
    preloaded.ask(7, *arguments)
    preloaded.answer()
    assert preloaded.answer() == {"id": 7, "code": code}
    assert said in preloaded.log(7)


def test_steps_run_side_by_side_and_can_be_ended_alone(preloaded):
    preloaded.ask(1, "sleep")
    pid = preloaded.answer()["pid"]
    preloaded.ask(2, "fine")
    preloaded.answer()
    assert preloaded.answer() == {"id": 2, "code": 0}
    os.killpg(pid, signal.SIGTERM)
    assert preloaded.answer() == {"id": 1, "code": -signal.SIGTERM}


def test_it_ends_with_who_started_it_and_takes_its_steps_along(preloaded):
    preloaded.ask(1, "sleep")
    pid = preloaded.answer()["pid"]
    preloaded.process.stdin.close()
    assert preloaded.process.wait(30) == 0
    for _ in range(100):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):  # it may go between opening and reading
            return
        if "State:\tZ" in status:
            return
        time.sleep(0.1)
    raise AssertionError(f"process {pid} is still there")


# From the other side: runners.replay.processes.


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Runs `python -m a_step` preloaded; yields what runs it, and what cancels it."""
    (tmp_path / "a_step.py").write_text(STEP)
    monkeypatch.setattr(processes, "PRELOADABLE", ("a_step",))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    cancel = threading.Event()

    def command(*arguments):
        words = ("python", "-m", "a_step", *arguments)
        return Command(words, {"GIVEN": "x"}, tmp_path, tmp_path / "step.log")

    with Processes(["json"], tmp_path / "preload.log", cancel) as running:
        yield running, command, cancel


def test_recognised_commands_go_to_the_preloaded_process(commands, tmp_path):
    running, command, _ = commands
    assert running.run(command("fine")) == 0
    assert running.run(command("exit", "4")) == 4
    assert "out ['fine'] x" in (tmp_path / "step.log").read_text()


def test_a_cancelled_step_is_ended(commands):
    running, command, cancel = commands
    threading.Timer(1, cancel.set).start()
    with pytest.raises(Cancelled, match="the run was cancelled"):
        running.run(command("sleep"))


@pytest.mark.timeout(60)
def test_a_preloaded_process_that_is_gone_is_said(commands):
    running, command, _ = commands
    threading.Timer(8, running._server.kill).start()
    with pytest.raises(ProcessesError, match="the preloaded process has ended; its output is in"):
        running.run(command("sleep"))
    with pytest.raises(ProcessesError):
        running.run(command("fine"))
