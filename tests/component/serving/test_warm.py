"""serving.validation.warm: processes that are started in advance are used once, or are gone."""

import glob
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from fareline.packages import CHECKOUT
from runners.local import warming
from runners.progress import NodeResult, NodeState
from serving.validation import check, warm
from serving.validation.check import Budgets, check_model, prepare_check
from serving.validation.verdict import Reason
from tests.component.serving import models_for_tests
from tests.component.serving.test_check import _install_tensorflow_serving, _wait_until_gone

pytestmark = pytest.mark.timeout(300)

_PROGRAM = "tests.component.serving.program_for_tests"
_ROOT = str(CHECKOUT)
_EXAMPLES = [models_for_tests.make_example(float(x)) for x in range(6)]


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path, monkeypatch):
    """Neither a process nor, in the folder for temporary files, a file."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    before = set(glob.glob(f"/proc/{os.getpid()}/fd/*"))
    yield
    assert models_for_tests.running_servers() == []
    assert list(folder.glob("fareline*")) == []
    after = set(glob.glob(f"/proc/{os.getpid()}/fd/*"))
    assert len(after - before) <= 2  # what TensorFlow and gRPC keep open from the first use on


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return models_for_tests.save_model(tmp_path_factory.mktemp("good") / "model", ballast_mib=3)


def _read(path):
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    return json.loads(path.read_text())


def _start(folder, name, *arguments):
    """Starts the program; returns the child, and what it was told."""
    log = str(folder / f"{name}.log")
    child = warm.start_program(_PROGRAM, [str(folder / name), *arguments], log, None)
    return child, _read(folder / name)


# --- One process, used once -------------------------------------------------------------------


def test_a_waiting_process_gets_the_arguments_and_a_log(tmp_path):
    with warm.allowed():
        warm.prepare([_PROGRAM])
        warm.prepare([_PROGRAM])  # one is enough
        pids = warm.waiting.pids
        child, told = _start(tmp_path, "a", "x", "ü" * 2000)
        assert warm.waiting.pids == {}
        assert pids == {_PROGRAM: told["pid"]} and child.pid == told["pid"]
        assert told["arguments"] == ["x", "ü" * 2000]
        while child.exit_code is None:
            time.sleep(0.01)
        assert child.exit_code == 7
        assert child.log_tail().startswith("told ['x', 'ü")
        child.stop()


def test_the_next_one_is_started_afresh(tmp_path):
    with warm.allowed():
        warm.prepare([_PROGRAM])
        waiting = warm.waiting.pids[_PROGRAM]
        children = [_start(tmp_path, name)[0] for name in "ab"]
        assert children[0].pid == waiting != children[1].pid
        for child in children:
            child.stop()


def test_a_waiting_process_that_died_is_replaced(tmp_path):
    with warm.allowed():
        warm.prepare([_PROGRAM])
        dead = warm.waiting.pids[_PROGRAM]
        os.kill(dead, signal.SIGKILL)
        _wait_until_gone([dead])
        time.sleep(0.3)  # its guard reaps it
        child, told = _start(tmp_path, "a", "x")
        assert told == {"pid": child.pid, "arguments": ["x"]} and child.pid != dead
        child.stop()


def test_nothing_waits_where_it_is_not_allowed():
    warm.prepare([_PROGRAM])
    assert warm.waiting.pids == {}
    with warm.allowed():
        warm.prepare([_PROGRAM])
        [pid] = warm.waiting.pids.values()
    assert not psutil.pid_exists(pid)
    warm.prepare([_PROGRAM])  # as a timer of the run may do that has just ended
    assert warm.waiting.pids == {}


# --- None is left, whatever happens -----------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_none_is_left_when_the_run_breaks_off(error):
    with pytest.raises(error), warm.allowed():
        warm.prepare([_PROGRAM])
        [pid] = warm.waiting.pids.values()
        raise error
    assert not psutil.pid_exists(pid)


_OWNER = f"""
import time
from serving.validation import warm
with warm.allowed():
    warm.prepare([{_PROGRAM!r}])
    program = warm.waiting._programs[{_PROGRAM!r}]
    print(program.pid, program._child._guard.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("guarded", [True, False])
def test_none_is_left_when_the_owner_is_interrupted_or_killed(number, guarded):
    command = [sys.executable, "-c", _OWNER]
    pipe = subprocess.PIPE
    owner = subprocess.Popen(command, stdout=pipe, stderr=subprocess.DEVNULL, cwd=_ROOT)
    pids = list(map(int, owner.stdout.readline().split()))
    if not guarded:
        os.kill(pids[1], signal.SIGKILL)
        assert psutil.pid_exists(pids[0])
    owner.send_signal(number)
    assert owner.wait(20) != 0
    owner.stdout.close()
    _wait_until_gone(pids)


# --- The check judges as without them ---------------------------------------------------------


def _check(model, prepared=True, **budgets):
    with warm.allowed():
        if prepared:
            prepare_check()
            waiting = warm.waiting.pids
            assert set(waiting) == {"serving.server.server", "serving.validation.reference"}
        result = check_model(model, _EXAMPLES, Budgets(**budgets), model_name="taxi")
        assert warm.waiting.pids == {}
    return result


def test_a_good_model_passes_with_the_same_measures(good):
    fresh, prepared = _check(good, prepared=False), _check(good)
    for result in (fresh, prepared):
        assert (result.ok, result.reason, result.server) == (
            True,
            Reason.OK,
            "serving.server.server",
        )
        assert result.load_seconds > 0
    assert prepared.largest_difference == fresh.largest_difference == 0
    assert prepared.size_mb == fresh.size_mb
    # The peak counts from the start of the process in both, imports included.
    np.testing.assert_allclose(prepared.peak_memory_mb, fresh.peak_memory_mb, rtol=0.1)


@pytest.mark.parametrize(
    ("change", "budgets", "reason"),
    [
        ("nan", {}, Reason.NOT_A_NUMBER),
        ("exiting", {}, Reason.DIED_LOADING),
        ("growing", {"memory_mb": 1000.0}, Reason.TOO_MUCH_MEMORY),
    ],
)
def test_a_refused_model_is_refused_for_the_same_reason(tmp_path, change, budgets, reason):
    model = models_for_tests.save_model(tmp_path / "model", change=change)
    assert _check(model, **budgets).reason is reason


def test_memory_is_judged_from_the_moment_of_use(good):
    with warm.allowed():
        prepare_check()
        pid = warm.waiting.pids["serving.server.server"]
        while psutil.Process(pid).memory_info().rss < 60 * models_for_tests.MIB:
            time.sleep(0.02)
        time.sleep(0.2)
        assert psutil.pid_exists(pid)  # nobody judges it yet
        result = check_model(good, _EXAMPLES, Budgets(memory_mb=50.0))
    assert (result.ok, result.reason) == (False, Reason.TOO_MUCH_MEMORY)
    assert re.search("passed 50 MB while loading it", result.message)


def test_the_real_server_is_not_started_in_advance(tmp_path, monkeypatch):
    _install_tensorflow_serving(tmp_path, monkeypatch, "exit 1")
    asked = []
    monkeypatch.setattr(check, "prepare", asked.append)
    prepare_check()
    assert asked == [["serving.validation.reference"]]


# --- When a run starts them -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "states", "last", "started"),
    [
        ("Trainer", [NodeState.RUNNING], "InfraValidator", True),
        ("Trainer", [NodeState.RUNNING], "Trainer", False),  # a part of the graph
        ("Trainer", [NodeState.RUNNING, NodeState.CACHED], "InfraValidator", False),
        ("Trainer", [NodeState.RUNNING, NodeState.FAILED], "InfraValidator", False),
        ("Tuner", [NodeState.RUNNING], "InfraValidator", False),
    ],
)
def test_a_run_starts_them_once_a_model_is_being_trained(monkeypatch, name, states, last, started):
    seen, prepared = [], []
    monkeypatch.setattr(warming, "_CACHED_SECONDS", 0.05)
    monkeypatch.setattr(check, "prepare_check", lambda: prepared.append(warm.waiting._open))
    result = NodeResult(name)
    with warming.warm_servers(lambda r: seen.append(r.state), [last].__contains__) as changed:
        for state in states:
            result.state = state
            changed(result)
        time.sleep(0.5)
    assert seen == states
    assert prepared == [True] * started
