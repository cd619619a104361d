"""Every signal that stops a command ends it as Ctrl-C does, in commands of every kind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from fareline.errors import Interrupted
from fareline.packages import CHECKOUT
from runners.platforms.jobs import Request
from runners.submit.submission import Submission

STOPS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
# Says that it is ready to be stopped; stands in for a command that is at work.
AT_WORK = """
import sys, time
from runners import stopping
stopping.heed_signals()
try:
    print("ready", flush=True)
    for _ in range(600):  # a signal just before a sleep does not end it
        time.sleep(0.1)
except KeyboardInterrupt:
    sys.exit(stopping.exit_code())
"""


# `lineage reproduce --check`, whose run is that of AT_WORK and notes how it ends.
AGAIN = f"""
import sys, types
from fareline.errors import Interrupted
from runners import stopping
from runners.publishing import reproduction
stopping.heed_signals()
child = {AT_WORK!r}.replace("sys.exit(", "open(sys.argv[1] + '/ended', 'w').close(); sys.exit(")
child = child.replace("print(", "open(sys.argv[1] + '/begun', 'w').close(); print(")
reproduction.command_for = lambda *_: [sys.executable, "-c", child, sys.argv[1]]
reproduction.overrides_for = lambda recipe: []
model = types.SimpleNamespace(key="Model:1")
try:
    reproduction.make_again(types.SimpleNamespace(settings="", model=model), False)
except Interrupted as told:
    print(told)
    sys.exit(stopping.exit_code())
"""


def start(command, **options):
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize(("number", "code"), STOPS)
def test_each_signal_has_the_exit_code_of_shells(number, code):
    process = start(["-c", AT_WORK])
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (code, "")


def test_what_nohup_ignores_stays_ignored():
    process = start(
        ["-c", AT_WORK], preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 143


@pytest.mark.parametrize(("number", "code"), STOPS[1:])
def test_a_command_that_writes_leaves_nothing_half_written(tmp_path, number, code):
    folder = tmp_path / "rows"
    words = ["data", "generate", "-o", folder, "--rows", 2_000_000_000, "--shards", 500]
    process = start(["-m", "cli.app", *words])
    deadline = time.monotonic() + 60
    while not any(tmp_path.rglob("*.csv*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == code
    assert stderr.splitlines()[-1] == "fareline: interrupted"
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_is_being_sent_may_run_all_the_same():
    class Sending:
        name = "vertex"

        def submit(self, request):
            raise KeyboardInterrupt

    submission = Submission(Request("taxi-1", "taxi", {}, {}, None), [])
    with pytest.raises(
        Interrupted, match="taxi-1: interrupted before vertex answered; the job may"
    ):
        submission.send(Sending())


@pytest.mark.parametrize(("number", "code"), STOPS)
def test_a_run_that_makes_a_model_again_ends_with_its_command(tmp_path, monkeypatch, number, code):
    """Also where the signal is sent to the command alone, as Kubernetes and `timeout` do."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process = start(["-c", AGAIN, tmp_path])
    for _ in range(600):
        if (tmp_path / "begun").exists():
            break
        time.sleep(0.05)
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == code
    assert out.startswith(f"Model:1: interrupted; see {tmp_path}/fareline-reproduce-")
    assert (tmp_path / "ended").exists()  # by itself, with what it records then
