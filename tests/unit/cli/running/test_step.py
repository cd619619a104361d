"""`fareline step`: stdout of a node is one line of JSON, whatever stops it."""

import errno
import json
import sys

import pytest

from cli import app as cli
from cli.answers.answers import require_as_declared
from fareline.errors import TryLater
from fareline.packages import PACKAGES
from pipeline.user_code import fingerprint_packages
from runners import stopping
from runners.outcome.summary import Outcome
from runners.progress import NodeResult, NodeState
from runners.steps import end, step
from runners.steps.end import StepFailed
from runners.steps.frozen import FrozenRun, StepFiles
from runners.workspace import Workspace

RUN = FrozenRun(
    "nightly-1", "taxi", {"ExampleGen": [], "Trainer": ["ExampleGen"]}, "/push", None,
    fingerprint_packages(PACKAGES), "5" * 64, True, 1.5,
)  # fmt: skip


@pytest.fixture
def ask(tmp_path, monkeypatch, capfd):
    """Types a line; returns the exit code, stdout and stderr."""
    monkeypatch.setattr(stopping, "heed_signals", lambda: None)
    StepFiles(Workspace(tmp_path), "nightly-1").freeze(RUN, b"")

    def ask(*words):
        monkeypatch.setattr(sys, "argv", ["fareline", "step", *words, "-w", str(tmp_path)])
        code = cli._run_app()
        sys.stdout.flush()
        return code, *capfd.readouterr()

    return ask


def require_one_line(asked, code):
    found, stdout, stderr = asked
    require_as_declared("step run", stdout)
    [line] = map(json.loads, stdout.splitlines())
    assert (found, line["exit_code"], line["state"]) == (code, code, "unfinished")
    assert stderr == f"fareline: {line['error']}\n"
    return line


@pytest.mark.parametrize(
    ("run_id", "node", "said"),
    [
        ("a/b", "Trainer", "--run: 'a/b' is not a run id; "),
        ("", "Trainer", "--run: '' is not a run id; "),
        ("nightly-2", "Trainer", "nightly-2: no run of this id has begun in "),
        ("nightly-1", "Trainner", "Trainner: taxi has no such node; "),
        ("nightly-1", "Trainer", "Trainer: ExampleGen has not run; "),
    ],
)
def test_a_mistake_is_one_line_of_json_too(ask, run_id, node, said):
    line = require_one_line(ask("run", node, "--run", run_id), 2)
    assert (line["run_id"], line["node"]) == (run_id, node)
    assert line["error"].startswith(said)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TryLater("Trainer of nightly-1: busy"), 75),
        (PermissionError(errno.EACCES, "Permission denied", "/ws/runs"), 2),
        (OSError(errno.ENOSPC, "No space left on device", "/ws/runs"), 1),
    ],
)
def test_what_keeps_a_node_from_its_end_is_one_line_of_json(ask, monkeypatch, error, code):
    def fail(*_):
        raise error

    monkeypatch.setattr(step, "run_step", fail)
    require_one_line(ask("run", "Trainer", "--run", "nightly-1"), code)


def test_a_defect_and_an_interruption_are_one_line_of_json(ask, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(step, "run_step", fail)
    for error, code, said in (  # noqa: B007 - raised above
        (ZeroDivisionError("by nothing"), 1, "ZeroDivisionError: by nothing"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ):
        found, stdout, stderr = ask("run", "Trainer", "--run", "nightly-1")
        [line] = map(json.loads, stdout.splitlines())
        assert (found, line["exit_code"], line["error"]) == (code, code, said)
        assert stderr.startswith(f"fareline: {said}")
        assert stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (
            [NodeResult("A", NodeState.FAILED, error=StepFailed("no luck")),
             NodeResult("B", NodeState.SKIPPED)],
            "A: no luck",
        ),
        (
            [NodeResult("A", NodeState.EXECUTED), NodeResult("B", NodeState.SKIPPED),
             NodeResult("C", NodeState.SKIPPED)],
            "B, C did not run",
        ),
    ],
)  # fmt: skip
def test_the_end_of_a_failed_run_says_why(ask, tmp_path, monkeypatch, nodes, said):
    outcome = Outcome(
        run_id="nightly-1", nodes=nodes, slices=[], blessed=False, infra_blessed=False,
        reasons=[], baseline=None, pushed_to=None, workspace=Workspace(tmp_path),
        log_path=tmp_path / "log", wall_seconds=1.0,
    )  # fmt: skip
    monkeypatch.setattr(end, "end_run", lambda *_: outcome)
    code, stdout, stderr = ask("end", "--run", "nightly-1")
    assert (code, stderr) == (1, f"fareline: nightly-1: {said}\n")
    assert json.loads(stdout)["status"] == "failed"
