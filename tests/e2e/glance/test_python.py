"""Runs from Python on a real run: rows, predictions, and the notebook of the documents."""

import ast
import json

import numpy as np
import pytest

import fareline
from fareline.errors import DataError, UserMistake
from fareline.packages import CHECKOUT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def run(small_workspace):
    return fareline.open(small_workspace).run()


def test_predictions_are_of_all_rows_and_give_the_metrics_that_were_recorded(run):
    """The AUC by counting pairs, against that of the run; ties count half."""
    found = run.predictions()
    assert len(found) == run.metrics["example_count"]
    assert found.label.mean() == pytest.approx(run.metrics["label_mean"], abs=1e-6)
    scores, labels = found.prediction.to_numpy(), found.label.to_numpy() == 1
    yes, no = scores[labels], scores[~labels]
    higher = (yes[:, None] > no).sum() + (yes[:, None] == no).sum() / 2
    assert higher / (len(yes) * len(no)) == pytest.approx(run.metrics["auc"], abs=2e-3)


def test_every_slice_has_as_many_rows_as_were_evaluated(run):
    for name, count in run.slices.example_count.items():
        assert len(run.predictions(slice=name)) == count, name


def test_a_model_says_the_same_of_a_row_from_python(run):
    rows = run.predictions().head(20)
    assert np.allclose(run.model.predict(rows).prediction, rows.prediction, atol=1e-6)
    shuffled = rows.sample(frac=1.0, random_state=3)
    assert list(run.model.predict(shuffled).index) == list(shuffled.index)


def test_rows_by_a_condition_are_those_of_all(run):
    every = run.examples().to_pandas()
    assert set(every.split) == {"train", "validate", "eval"}
    found = run.examples("train").to_pandas("payment_type = 'Cash' and trip_miles > 2")
    train = every[every.split == "train"]
    assert len(found) == ((train.payment_type == "Cash") & (train.trip_miles > 2)).sum() > 0


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (lambda r: r.assign(fare="dear"), DataError, "row 0: fare: dear: expected a number"),
        (lambda r: r.rename(columns=str.upper), DataError, "none of the columns that the model"),
    ],
)
def test_rows_that_the_model_cannot_read_are_said_in_a_line(run, change, kind, said):
    rows = run.examples("eval").to_pandas().head(3)
    with pytest.raises(kind, match=said) as error:
        run.model.predict(change(rows))
    assert "\n" not in str(error.value)


def test_a_wrong_condition_is_said_in_a_line(run):
    with pytest.raises(UserMistake, match="'fares' is not a feature of these examples"):
        run.examples("eval").to_pandas("fares > 1")


def test_the_notebook_runs_and_every_cell_shows_something(small_workspace, monkeypatch):
    monkeypatch.chdir(small_workspace.parent)
    assert small_workspace.name == "workspace"
    notebook = json.loads((CHECKOUT / "docs" / "runs.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    assert len(cells) > 8
    names: dict = {}
    for source in cells:
        *lines, last = ast.parse(source).body
        exec(compile(ast.Module(lines, []), "cell", "exec"), names)
        shown = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        html = shown._repr_html_() if hasattr(shown, "_repr_html_") else str(shown)
        assert html, source
    assert len(names["rows"]) == names["slices"].example_count[names["worst"]]
    assert 0 < names["before"].mean() < names["after"].mean() < 1
    assert all(not cell.get("outputs") for cell in notebook["cells"])
