"""Decisions about the baseline: recorded, in force, and asked for."""

import json

import pytest
from typer.testing import CliRunner

from cli import app as cli
from lineage.answers.why.view import judgement_lines
from lineage.answers.why.why import why_run
from lineage.facts.baselines import decision_in_force, decisions
from lineage.facts.withdrawn import withdrawn_models
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from tests.stores.published import make_workspace
from tests.stores.writer import StoreWriter, artifact, mlmd


@pytest.fixture
def workspace(tmp_path):
    """A workspace with a pipeline whose run made, blessed and pushed a model."""
    writer = StoreWriter(tmp_path / "metadata.db")
    writer.add_execution("taxi", "r1", "Trainer", outputs={"model": [artifact("/m")]})
    [model] = writer.artifact_ids
    pushed = artifact("/p", pushed=1, pushed_destination="/serving/17", pushed_version="17")
    outputs = {"pushed_model": [pushed]}
    writer.add_execution("taxi", "r1", "Pusher", outputs=outputs, inputs=[("model", model)])
    return tmp_path


def ask(workspace, *words, code=0):
    place = [] if "--store" in words else ["--workspace", str(workspace)]
    done = CliRunner().invoke(cli.app, ["baseline", *words, *place])
    assert done.exit_code == code, done.output
    return done


def in_force(workspace):
    decision = decision_in_force(open_store(workspace / "metadata.db"), "taxi")
    return decision and (decision.action, decision.model_id, decision.reason)


def test_pin_reset_unpin(workspace):
    assert in_force(workspace) is None
    assert "new models are compared with the latest blessed one" in ask(workspace, "show").stdout
    said = ask(workspace, "pin", "17", "--reason", "approved \n by  the board").stdout
    assert "taxi: new models are compared with Model:1" in said
    assert in_force(workspace) == ("pin", 1, "approved by the board")
    ask(workspace, "reset", "--reason", "new market")
    assert in_force(workspace) == ("reset", None, "new market")
    ask(workspace, "pin", "Model:1", "--reason", "no, the old one")
    ask(workspace, "unpin", "--reason", "done")
    assert in_force(workspace) is None
    shown = json.loads(ask(workspace, "show", "--json").stdout)
    assert shown["in_force"] is None
    assert [(d["action"], d["model"]) for d in shown["decisions"]] == [
        ("pin", "Model:1"),
        ("reset", None),
        ("pin", "Model:1"),
        ("unpin", None),
    ]
    assert all(d["user"] and d["created"] and d["reason"] for d in shown["decisions"])
    said = ask(workspace, "show").stdout.splitlines()
    assert said[0] == "taxi: new models are compared with the latest blessed one"
    assert said[1].endswith("  unpin: done")
    assert len(said) == 5


def test_decisions_are_those_of_one_pipeline(workspace):
    StoreWriter(workspace / "metadata.db").add_execution("bikes", "b1", "Trainer")
    message = ask(workspace, "reset", "--reason", "x", code=1).exception
    assert "the store has 2 pipelines; expected one. Hint: add --pipeline, such as bikes" in str(
        message
    )
    ask(workspace, "reset", "--reason", "x", "--pipeline", "bikes")
    store = open_store(workspace / "metadata.db")
    assert (len(decisions(store, "bikes")), decisions(store, "taxi")) == (1, [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["pin", "Model:1"], "baseline pin: no reason was given; expected --reason TEXT"),
        (["reset", "--reason", " "], "baseline reset: no reason was given"),
        (["pin", "18", "--reason", "x"], "18: 0 versions of that number were pushed; expected one"),
        (["pin", "Model:2", "--reason", "x"], "Model:2"),
    ],
)
def test_mistakes(workspace, words, message):
    assert message in str(ask(workspace, *words, code=1).exception)
    assert in_force(workspace) is None


def test_a_model_whose_files_are_gone_is_not_pinned(workspace):
    StoreWriter(workspace / "metadata.db").set_state(1, mlmd.Artifact.DELETED)
    message = str(ask(workspace, "pin", "Model:1", "--reason", "x", code=1).exception)
    assert message.startswith("Model:1: its files are gone; expected a model of a pipeline")


def blessed(workspace, run, **properties):
    """Adds a run whose Evaluator blessed; returns what is said of it."""
    outputs = {"blessing": [artifact("/b", blessed=1, **properties)]}
    StoreWriter(workspace / "metadata.db").add_execution("taxi", run, "Evaluator", outputs=outputs)
    told = why_run(Graph(open_store(workspace / "metadata.db")), run)
    return judgement_lines(told)[0]


def test_why_names_the_decision_that_held_then(workspace):
    assert blessed(workspace, "r2") == (
        "Blessed by Evaluator: yes (no blessed model to compare with yet: only thresholds apply)"
    )
    ask(workspace, "pin", "17", "--reason", "approved")
    pinned = blessed(workspace, "r3", baseline_model_id=1)
    assert pinned.startswith("Blessed by Evaluator: yes (compared with Model:1, pinned by ")
    assert pinned.endswith(" UTC: approved)")
    ask(workspace, "reset", "--reason", "new market")
    reset = blessed(workspace, "r4")
    assert reset.startswith("Blessed by Evaluator: yes (baseline reset by ")
    assert reset.endswith(" UTC: new market; only thresholds apply)")
    # Once a model was blessed after the reset, it is the baseline, and nobody decided that.
    after = "Blessed by Evaluator: yes (compared with Model:9)"
    assert blessed(workspace, "r5", baseline_model_id=9) == after
    again = why_run(Graph(open_store(workspace / "metadata.db")), "r3")
    assert judgement_lines(again)[0] == pinned


def test_a_model_that_was_rolled_back_from_is_left_out(tmp_path):
    made = make_workspace(tmp_path / "w")
    models = [m.id for m in made.graph().artifacts_of_type("Model")]
    assert withdrawn_models(made.graph()) == {}
    changed(made.root, "rollback", "--reason", "tips were [bold]wrong")
    [found] = [withdrawn_models(made.graph())]
    assert [*found] == [models[2]]
    said = ask(made.root, "show").stdout.splitlines()
    assert said[0] == "taxi: new models are compared with the latest blessed one"
    assert said[1].startswith(f"  Model:{models[2]} is left out: ")
    assert said[1].endswith(" rolled back from it: tips were [bold]wrong")
    shown = json.loads(ask(made.root, "show", "--json").stdout)
    assert shown["left_out"] == [f"Model:{models[2]}"]

    told = blessed(made.root, "r4", baseline_model_id=models[1])
    assert told.startswith(f"Blessed by Evaluator: yes (compared with Model:{models[1]}; ")
    assert f"Model:{models[2]} is left out, " in told
    assert told.endswith(" rolled back from it: tips were [bold]wrong)")

    # Version 4 holds model 2 now; from there to model 1, and then forward to the newest.
    changed(made.root, "rollback", "--reason", "these too")
    assert [*withdrawn_models(made.graph())] == [models[2], models[1]]
    changed(made.root, "promote", "--reason", "they were right")
    assert [*withdrawn_models(made.graph())] == [models[1]]
    told = blessed(made.root, "r5", baseline_model_id=models[2])
    assert told == f"Blessed by Evaluator: yes (compared with Model:{models[2]})"
    # What was said of a judgement before stays true.
    again = why_run(Graph(open_store(made.root / "metadata.db")), "r4")
    assert [one["model"] for one in again["evaluator"]["left_out"]] == [f"Model:{models[2]}"]


def changed(workspace, *words):
    done = CliRunner().invoke(cli.app, [*words, "--workspace", str(workspace)])
    assert done.exit_code == 0, done.output
