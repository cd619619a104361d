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

from fareline.packages import CHECKOUT, PACKAGES
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

# Where each name of ours leads to in a worker of Beam.
NAMES_IN_BEAM = f"""
import apache_beam as beam
class Look(beam.DoFn):
    def process(self, name):
        import importlib, os
        yield os.path.dirname(importlib.import_module(name).__file__)
with beam.Pipeline("FnApiRunner") as pipeline:
    _ = pipeline | beam.Create({PACKAGES!r}) | beam.ParDo(Look()) | beam.Map(print)
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


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory):
    """One for all tests; the last of them ends it."""
    server = Preloaded(tmp_path_factory.mktemp("preloaded"))
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
    number = "-".join(arguments)
    preloaded.ask(number, *arguments)
    preloaded.answer()
    assert preloaded.answer() == {"id": number, "code": code}
    assert said in preloaded.log(number)


def test_steps_run_side_by_side_and_can_be_ended_alone(preloaded):
    preloaded.ask(11, "sleep")
    pid = preloaded.answer()["pid"]
    preloaded.ask(12, "fine")
    preloaded.answer()
    assert preloaded.answer() == {"id": 12, "code": 0}
    os.killpg(pid, signal.SIGTERM)
    assert preloaded.answer() == {"id": 11, "code": -signal.SIGTERM}


def test_it_ends_with_who_started_it_and_takes_its_steps_along(preloaded):
    preloaded.ask(21, "sleep")
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


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """What runs `python -m a_step` preloaded, its folder, and what cancels it; for all tests.

    In the folder are packages of others with the names of ours.
    """
    folder = tmp_path_factory.mktemp("commands")
    (folder / "a_step.py").write_text(STEP)
    (folder / "in_beam.py").write_text(NAMES_IN_BEAM)
    for name in PACKAGES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"raise SystemExit('the {name} of another')")
    cancel = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "PRELOADABLE", ("a_step", "in_beam"))
        patch.setenv("PYTHONPATH", str(folder))
        patch.chdir(folder)
        with Processes(["json"], folder / "preload.log", cancel) as started:
            yield started, folder, cancel


@pytest.fixture
def commands(running, tmp_path):
    """What runs steps, what makes their commands, and what cancels them."""
    started, folder, cancel = running
    cancel.clear()

    def command(*arguments):
        words = ("python", "-m", "a_step", *arguments)
        return Command(words, {"GIVEN": "x"}, folder, tmp_path / "step.log")

    return started, command, cancel


def when_the_step_has_begun(folder, act):
    """Does something as soon as the step has written its first line, from another thread."""

    def wait():
        log = folder / "step.log"
        while not (log.exists() and "out" in log.read_text()):
            time.sleep(0.05)
        act()

    threading.Thread(target=wait, daemon=True).start()


def test_recognised_commands_go_to_the_preloaded_process(commands, tmp_path):
    started, command, _ = commands
    assert started.run(command("fine")) == 0
    assert "out ['fine'] x" in (tmp_path / "step.log").read_text()
    assert started.run(command("exit", "4")) == 4


def test_preloaded_steps_and_their_beam_workers_find_our_packages(running, tmp_path):
    started, folder, cancel = running
    cancel.clear()
    log = tmp_path / "step.log"
    assert started.run(Command(("python", "-m", "in_beam"), {}, folder, log)) == 0, log.read_text()
    assert set(log.read_text().splitlines()) >= {str(CHECKOUT / name) for name in PACKAGES}


def test_a_cancelled_step_is_ended(commands, tmp_path):
    started, command, cancel = commands
    when_the_step_has_begun(tmp_path, cancel.set)
    with pytest.raises(Cancelled, match="the run was cancelled"):
        started.run(command("sleep"))


@pytest.mark.timeout(60)
def test_a_preloaded_process_that_is_gone_is_said(commands, tmp_path):
    started, command, _ = commands
    when_the_step_has_begun(tmp_path, started._server.kill)
    with pytest.raises(ProcessesError, match="the preloaded process has ended; its output is in"):
        started.run(command("sleep"))
    with pytest.raises(ProcessesError):
        started.run(command("fine"))
