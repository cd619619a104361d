"""`fareline logs`: the log of a run or of a node, and what is said where there is none."""

import json
import os

import pytest
from typer.testing import CliRunner

from cli import app as cli
from fareline.errors import UserMistake

RUNS = ("run-20260101-1", "run-20260102-1", "run-20260103-1")


@pytest.fixture
def call(tmp_path):
    folder = tmp_path / "logs"
    for number, run in enumerate(RUNS):
        (folder / run).mkdir(parents=True)
        (folder / f"{run}.log").write_text(f"all of {run}\n")
        os.utime(folder / f"{run}.log", (number, number))
        (folder / run / "Trainer.log").write_bytes(b"epoch 1 \xff\n")

    def call(*words):
        ran = CliRunner().invoke(cli.app, ["logs", *words, "--workspace", str(tmp_path)])
        if ran.exception and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        return ran.stdout_bytes

    return call


def test_by_default_it_is_that_of_the_latest_run(call):
    assert call() == call("latest") == b"all of run-20260103-1\n"


def test_a_run_is_named_by_its_beginning(call):
    assert call("run-20260102") == call(RUNS[1]) == b"all of run-20260102-1\n"


def test_the_log_of_a_node_is_printed_byte_for_byte(call):
    assert call("latest", "Trainer") == b"epoch 1 \xff\n"


def test_with_json_it_says_where_they_are(call, tmp_path):
    assert json.loads(call("latest", "Trainer", "--json")) == {
        "run_id": RUNS[2],
        "node": "Trainer",
        "log": str(tmp_path / "logs" / RUNS[2] / "Trainer.log"),
        "nodes_with_logs": ["Trainer"],
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run-2026"], "run-2026: several runs begin so; expected such as run-20260101-1, "),
        (["run-x"], "run-x: no run of this workspace has that id; expected such as run-2026010"),
        (["latest", "Trainr"], "Trainr: has no lines in run-20260103-1; did you mean Trainer? "),
        (["latest", "../x"], "../x: has no lines in run-20260103-1; expected one of Trainer"),
    ],
)
def test_what_is_not_there_is_one_line(call, words, said):
    with pytest.raises(UserMistake) as caught:
        call(*words)
    assert str(caught.value).startswith(said)


def test_a_workspace_without_runs_says_so(tmp_path):
    ran = CliRunner().invoke(cli.app, ["logs", "--workspace", str(tmp_path)])
    assert str(ran.exception).startswith(f"{tmp_path}/logs: holds no log; expected that of a run")
