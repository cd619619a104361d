"""docs/own-data.md as it is typed: from a table of strangers to answers, nothing edited."""

import re
import shlex

import pandas as pd
import pytest

from fareline.packages import CHECKOUT
from tests.e2e.conftest import fareline_command
from tests.forked import run_forked
from tests.tables import own_tables

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

DOCUMENT = (CHECKOUT / "docs" / "own-data.md").read_text(encoding="utf-8")
# Of the document's own settings a part, so that it takes seconds; and a model to compare with.
QUICK = (
    "tuning.trials=1", "tuning.steps=8", "training.steps=60", "training.evaluate_every=30",
    "evaluation.reference=boosting",
)  # fmt: skip


def documented():
    """Pairs of command and exit code."""
    for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL):
        for line in block.splitlines():
            command, _, comment = line.partition("   # ")
            code = re.search(r"exit code (\d)", comment)
            yield command.strip(), int(code[1]) if code else 0


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Folder, and what each command said."""
    folder = tmp_path_factory.mktemp("own-data")
    assert f"python -m {own_tables.__name__}\n" in DOCUMENT  # which writes these files
    own_tables.write_churn(folder, rows=1000)  # the document has all 3,000
    said = {}
    for command, code in documented():
        words = shlex.split(command)
        assert words[0] == "fareline", command
        quick = [part for setting in QUICK for part in ("--set", setting)]
        more = quick if words[1] == "run" else []
        ran = run_forked(**fareline_command(*words[1:], *more) | {"cwd": folder})
        assert ran.returncode == code, (command, ran.stderr)
        assert "Traceback" not in ran.stderr
        said.setdefault(words[1], []).append(ran.stdout + ran.stderr)  # the table of a run
    return folder, said


def test_init_then_run_ends_pushed(done):
    folder, said = done
    assert "wrote churn.yaml and churn.schema.pbtxt" in said["init"][0]
    pushed, refused = said["run"]
    assert "Pushed to " in pushed
    assert "gradient boosting on the same split, from " in pushed
    assert "Refused: no model was pushed." in refused
    assert [version.is_dir() for version in (folder / "churn-workspace/serving/churn").iterdir()]


def test_the_published_model_answers_the_second_week_with_gaps_as_they_are_spelled(done):
    folder, _ = done
    asked, answers = (pd.read_csv(folder / n) for n in ("churn-week-2.csv", "answers.csv"))
    assert len(answers) == len(asked)
    assert answers["prediction"].between(0, 1).all()
    raw = (folder / "churn-week-2.csv").read_text()
    assert ",n/a," in raw  # which no number is


def test_the_second_week_differs(done):
    _, said = done
    assert "churn.yaml is there and stays; what would differ:" in said["init"][1]
    assert re.search(r"schema: plan: .*one of basic, max, plus", said["init"][1])
    assert "ready to run here" in said["check"][0]
