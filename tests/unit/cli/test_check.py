"""`fareline check` and `fareline settings`: what is refused elsewhere is refused here."""

import json
import os
import sys

import pytest
import yaml

from fareline.packages import CHECKOUT
from pipeline.settings.settings import DEFAULT_PATH
from tests.forked import run_forked

MINIMAL = """\
name: mine
data: {source: {csv: rows.csv}}
label: {column: y}
features: {numeric: {a: {}}}
"""


def fareline(*arguments, folder):
    return run_forked(
        [sys.executable, "-m", "cli.app", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "NO_COLOR": "1"},
    )


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine.yaml").write_text(MINIMAL)
    (tmp_path / "rows.csv").write_text("a,y\n1,0\n2,1\n")
    return tmp_path


def test_check_of_what_can_run_says_so(mine):
    ran = fareline("check", "--config", "mine.yaml", folder=mine)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "mine: ready to run here\n"


# Each is a mistake that `run` refuses: of the settings, of the schema, of the header.
MISTAKES = [
    ("training.stps=1", "training.stps: unknown setting"),
    ("features.numeric.b={}", "lacks the required column 'b'"),
    ("data.source.csv=none.csv", "there is no such file or folder"),
    ("schema=none.pbtxt", "there is no file"),
    ("evaluation.thresholds={rmse: {at_most: 1}}", "evaluation.thresholds.rmse: "),
    ("data.window=2", "data.window: found 2"),
    ("features.numeric.y={}", "y makes the label"),
    ("data.columns={a: {pii: true}}", "a is personal and left out"),
]


@pytest.mark.parametrize(("setting", "said"), MISTAKES)
def test_check_refuses_what_run_refuses_with_the_same_words(mine, setting, said):
    options = ("--config", "mine.yaml", "--set", setting)
    checked = fareline("check", *options, folder=mine)
    ran = fareline("run", *options, folder=mine)
    assert (checked.returncode, ran.returncode) == (2, 2)
    assert said in checked.stderr
    assert checked.stderr == ran.stderr
    answer = json.loads(fareline("check", *options, "--json", folder=mine).stdout)
    assert answer["problems"] == checked.stderr.removeprefix("fareline: ").splitlines()


@pytest.mark.slow
def test_check_refuses_what_submit_refuses(tmp_path):
    checked = fareline("check", "vertex", folder=tmp_path)
    sent = fareline("submit", "vertex", folder=tmp_path)
    assert (checked.returncode, sent.returncode) == (2, 2)
    assert checked.stderr == sent.stderr
    assert "runners.vertex.project: found example-project" in checked.stderr


def test_a_missing_section_is_said_once(mine):
    ran = fareline("check", "vertex", "--config", "mine.yaml", folder=mine)
    assert ran.returncode == 2
    assert ran.stderr.count("runners.vertex: missing") == 1


def test_the_old_spelling_works_with_a_note(mine):
    ran = fareline("check", "--runner", "vertex", "--config", "mine.yaml", folder=mine)
    assert ran.returncode == 2
    assert ran.stderr.startswith("fareline: --runner is written as: fareline check vertex\n")
    both = fareline("check", "vertex", "--runner", "kubeflow", folder=mine)
    assert (both.returncode, both.stdout) == (2, "")
    assert "found vertex and --runner kubeflow" in both.stderr


@pytest.mark.parametrize("options", [("--config", "mine.yaml"), ("--config", DEFAULT_PATH)])
def test_settings_prints_all_of_them_and_what_it_prints_says_the_same(mine, options):
    first = fareline("settings", *options, folder=mine)
    assert (first.returncode, first.stderr) == (0, "")
    (mine / "whole.yaml").write_text(first.stdout)
    again = fareline("settings", "--config", "whole.yaml", folder=mine)
    assert again.stdout == first.stdout
    values = yaml.safe_load(first.stdout)
    assert values == json.loads(fareline("settings", *options, "--json", folder=mine).stdout)
    assert values["training"]["steps"] == 640
