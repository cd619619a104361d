"""Why each of the runs ended as it did, and a baseline that a person chooses."""

import json

import pytest

from tests.e2e.conftest import fareline_command, run_fareline
from tests.forked import run_forked

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def ask(workspace, *words):
    done = run_forked(**fareline_command(*words, "--workspace", workspace))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_first_run_was_judged_on_floors_alone(first, refused, workspace):
    lines = ask(workspace, "why", first.answer["run_id"])
    auc, count = (first.answer["metrics"][name] for name in ("auc", "example_count"))
    assert lines[1:3] == [
        "Blessed by Evaluator: yes (no blessed model to compare with yet: only thresholds apply)",
        f"  ✓ auc is {auc:.4f} on overall; expected at least 0.94 ({count:,.0f} examples)",
    ]
    assert lines[-1] == f"Pushed to {first.answer['pushed_to']}"


def test_the_second_run_was_compared_with_the_first(second, refused, workspace):
    lines = ask(workspace, "why", second.answer["run_id"])
    model = second.answer["baseline"]
    assert lines[1] == f"Blessed by Evaluator: yes (compared with {model})"
    [loss] = [line for line in lines if "expected at most 0.005 below" in line]
    assert loss.startswith("  ✓ auc is ")
    assert f"as {model}'s" in loss  # the model is the same


def test_the_refused_run_says_what_was_missed(refused, workspace):
    auc, count = (refused.answer["metrics"][name] for name in ("auc", "example_count"))
    lines = ask(workspace, "why", refused.answer["run_id"])
    missed = f"auc is {auc:.4f} on overall; expected at least 0.999 ({count:,.0f} examples)"
    assert [line for line in lines if line.startswith("  ✗")] == [f"  ✗ {missed}"]
    assert lines[-2:] == [
        "Refused: no model was pushed.",
        "  · model_blessing: Evaluator did not bless the model",
    ]
    [answer] = [json.loads("".join(ask(workspace, "why", refused.answer["run_id"], "--json")))]
    assert answer == refused.answer["why"]


def test_a_pinned_baseline_and_a_reset_one(small_run, newer_run):
    workspace, settings = newer_run.restore(), newer_run.settings
    first = small_run.finished
    assert first.answer["baseline"] is None
    assert set(first.answer["slices"]) == {
        "trip_miles=below 1",
        "trip_miles=1 to below 5",
        "trip_miles=5 or more",
    }
    model = first.answer["why"]["model"]
    assert newer_run.finished.answer["why"]["model"] != model
    ask(workspace, "baseline", "pin", model, "--reason", "approved by the board")
    pinned = run_fareline(workspace, *settings)
    assert pinned.answer["baseline"] == model
    decision = pinned.answer["why"]["evaluator"]["decision"]
    assert (decision["action"], decision["reason"]) == ("pin", "approved by the board")
    again = run_fareline(workspace, *settings)
    assert again.nodes_in("executed") == set()  # an unchanged pin changes nothing
    ask(workspace, "baseline", "reset", "--reason", "a new market")
    reset = run_fareline(workspace, *settings)
    assert reset.answer["baseline"] is None
    assert reset.nodes_in("executed") >= {"Evaluator"}
    assert "a new market; only thresholds apply" in ask(workspace, "why")[1]
