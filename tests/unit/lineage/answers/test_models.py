"""All models side by side, and the best of them."""

import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import app as cli
from fareline.errors import UserMistake
from lineage.answers.models.models import best_by, list_models, metric_names, sort_by
from lineage.answers.models.view import models_as_json, models_as_table
from lineage.graph.graph import Graph
from lineage.ids import find_model
from lineage.store.open import open_store
from tests.stores.published import make_workspace
from tests.stores.writer import CACHED, StoreWriter, artifact

METRICS = {
    "r1": {"auc": 0.9, "loss": 0.3, "calibration": 1.2},
    "r2": {"auc": 0.95, "loss": 0.4, "calibration": 0.9},
    "r3": {"auc": float("nan"), "loss": None, "calibration": 3},
    "r4": {},
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "metadata.db"
    writer = StoreWriter(path)
    for index, (run, metrics) in enumerate(METRICS.items()):
        examples = artifact(f"/x/{run}", span=index)
        writer.add_execution("taxi", run, "ExampleGen", outputs={"examples": [examples]})
        rows = writer.artifact_ids[0]
        xf = {"transformed_examples": [artifact(f"/xf/{run}")]}
        writer.add_execution("taxi", run, "Transform", outputs=xf, inputs=[("examples", rows)])
        values = json.dumps({"width": 64, "learning_rate": 0.00123456})
        model = artifact(f"/m/{run}", **({"hyperparameters": values} if metrics else {}))
        inputs = [("examples", writer.artifact_ids[0])]
        writer.add_execution("taxi", run, "Trainer", outputs={"model": [model]}, inputs=inputs)
        made = writer.artifact_ids[0]
        text = json.dumps({"overall": metrics, "slices": {}})
        evaluation = artifact(f"/e/{run}", **({"metrics": text} if metrics else {}))
        blessing = artifact("/b", blessed=int(run != "r1"))
        writer.add_execution(
            "taxi",
            run,
            "Evaluator",
            outputs={"evaluation": [evaluation], "blessing": [blessing]},
            inputs=[("model", made), ("examples", rows)],
        )
    return path


def listed(path, **options):
    return list_models(Graph(open_store(path)), **options)


def runs(rows):
    return [row.facts.run_id for row in rows]


def test_the_newest_first_with_what_it_was_trained_on(path):
    rows = listed(path)
    assert runs(rows) == ["r4", "r3", "r2", "r1"]
    assert [row.spans for row in rows] == [[3], [2], [1], [0]]
    assert [row.facts.blessed for row in rows] == [True, True, True, False]
    assert rows[2].hyperparameters == {"width": 64, "learning_rate": 0.00123456}
    assert runs(listed(path, newest=2)) == ["r4", "r3"]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("auc", ["r2", "r1", "r4", "r3"]),  # more is better; none and NaN last, the newest first
        ("loss", ["r1", "r2", "r4", "r3"]),  # less
        ("calibration", ["r2", "r1", "r3", "r4"]),  # nearest to 1
        ("created", ["r4", "r3", "r2", "r1"]),
    ],
)
def test_sorting_knows_the_direction_of_a_metric(path, metric, expected):
    assert runs(sort_by(listed(path), metric)) == expected
    if metric != "created":
        assert runs(best_by(listed(path), metric)) == expected[:1]


def test_an_unknown_metric_says_which_there_are(path):
    with pytest.raises(
        UserMistake, match="acu: is not a metric.*one of: auc, calibration, loss.*mean auc"
    ):
        sort_by(listed(path), "acu")


def test_the_latest_evaluation_of_the_model_counts_and_not_the_one_as_a_baseline(path):
    writer = StoreWriter(path)
    model = next(row.model.id for row in listed(path) if row.facts.run_id == "r1")
    for run, keys, auc in (("r5", "model", 0.5), ("r6", "baseline_model", 0.1)):
        evaluation = artifact("/e", metrics=json.dumps({"overall": {"auc": auc}}))
        outputs = {"evaluation": [evaluation]}
        writer.add_execution("taxi", run, "Evaluator", outputs=outputs, inputs=[(keys, model)])
    [row] = [row for row in listed(path) if row.model.id == model]
    assert row.metrics == {"auc": 0.5}


def test_a_cached_trainer_adds_a_run_and_no_model(path):
    writer = StoreWriter(path)
    model = next(row.model.id for row in listed(path) if row.facts.run_id == "r1")
    writer.add_execution("taxi", "r7", "Trainer", CACHED, reused=[("model", model)])
    rows = listed(path)
    assert len(rows) == 4
    assert rows[-1].facts.runs == ["r1", "r7"]
    assert rows[-1].spans == [0]


def test_a_stock_store_has_no_metrics_and_says_so(tmp_path):
    writer = StoreWriter(tmp_path / "m.db")
    writer.add_execution("taxi", "[b]r1", "Trainer", outputs={"model": [artifact("/m")]})
    rows = listed(tmp_path / "m.db")
    assert metric_names(rows) == []
    with pytest.raises(UserMistake, match="no metrics are recorded"):
        best_by(rows, "auc")
    console = Console(file=io.StringIO(), width=200)
    console.print(models_as_table(rows, console.width))
    assert console.file.getvalue().count("not recorded") == 2
    assert "[b]r1" in console.file.getvalue()
    with pytest.raises(UserMistake, match="bikes: is not a pipeline of this store; .*one of: taxi"):
        listed(tmp_path / "m.db", pipeline="bikes")
    assert len(listed(tmp_path / "m.db", pipeline="taxi")) == 1


def test_json_has_stable_keys_and_no_nan(path):
    content = models_as_json(listed(path), "created")
    text = json.dumps(content, allow_nan=False)
    assert list(json.loads(text)) == ["sorted_by", "metrics", "models"]
    assert content["metrics"] == ["auc", "calibration", "loss"]
    assert content["models"][1]["metrics"] == {"auc": None, "calibration": 3.0}
    assert content["models"][0]["metrics"] is None


def test_the_command_names_the_best(path):
    words = ["lineage", "models", "--store", str(path), "--best", "auc", "--json"]
    ran = CliRunner().invoke(cli.app, words)
    assert [model["run"] for model in json.loads(ran.stdout)["models"]] == ["r2"]
    ran = CliRunner().invoke(cli.app, ["lineage", "models", "--store", str(path), "--limit", "1"])
    assert "r4" in ran.stdout
    assert "r3" not in ran.stdout


def test_a_model_that_a_later_run_refused_was_blessed_before(path):
    writer = StoreWriter(path)
    graph = Graph(open_store(path))
    [model] = [row.model for row in list_models(graph) if row.facts.run_id == "r4"]
    refusal = {"blessing": [artifact("/b2", blessed=0)]}
    inputs = [("model", model.id)]
    writer.add_execution("taxi", "r5", "Evaluator", outputs=refusal, inputs=inputs)
    [row] = [row for row in listed(path) if row.model.id == model.id]
    assert row.facts.blessed is False
    assert row.facts.blessed_words == "no: Evaluator (before: yes)"
    [never] = [row for row in listed(path) if row.facts.run_id == "r1"]
    assert never.facts.blessed_words == "no: Evaluator"
    shown = models_as_json(listed(path), "created")["models"]
    entries = {entry["run"]: entry for entry in shown}
    assert [entries[run]["was_blessed"] for run in ("r4", "r1")] == [True, False]


def test_a_question_that_was_asked_of_a_pushed_model_later_takes_nothing_back(tmp_path):
    place = make_workspace(tmp_path / "workspace")
    model = find_model(place.graph(), "live")
    refusal = {"evaluation": [artifact("/e9")], "blessing": [artifact("/b9", blessed=0)]}
    inputs = [("model", model.id)]
    place.writer.add_execution("taxi", "what-if", "Evaluator", outputs=refusal, inputs=inputs)
    [row] = [row for row in list_models(place.graph()) if row.facts.live]
    assert (row.facts.blessed, row.facts.blessed_words) == (True, "yes (later no: Evaluator)")
    later = [{"by": "Evaluator@what-if", "blessed": False}]
    [shown] = models_as_json([row], "created")["models"]
    assert (shown["blessed"], shown["later_verdicts"]) == (True, later)

    def ask(*words):
        ran = CliRunner().invoke(cli.app, [*words, "--workspace", str(place.root)])
        assert ran.exit_code == 0, ran.output
        return ran.stdout

    # Every answer about what is published says the same, also of a copy that a person made.
    for _ in ("pushed", "brought back"):
        top = json.loads(ask("models", "--json"))["destinations"][0]["versions"][0]
        assert (top["state"], top["blessed"], top["later_verdicts"]) == ("live", True, later)
        assert top["verdicts"] == {"Evaluator": True, "InfraValidator": True}
        assert f"  {top['version']}: later refused by Evaluator@what-if" in ask("models")
        described = json.loads(ask("lineage", "show", model.key, "--json"))["model"]
        assert (described["pushes"][-1]["blessed"], described["pushes"][-1]["later"]) == (
            True,
            later,
        )
        assert "yes (later no: Evaluator)" in ask("lineage", "models")
        ask("rollback", "--reason", "planted")
        ask("promote", "--to", "3")


def test_the_verdict_of_a_push_is_the_one_that_its_pusher_read(path):
    writer = StoreWriter(path)
    writer.add_execution("taxi", "r6", "Trainer", outputs={"model": [artifact("/m6")]})
    made = [("model", writer.artifact_ids[0])]
    verdicts = []
    for uri, blessed in (("/yes", 1), ("/no", 0)):
        output = {"blessing": [artifact(uri, blessed=blessed)]}
        writer.add_execution("taxi", f"r6{uri}", "Evaluator", outputs=output, inputs=made)
        verdicts.append(("model_blessing", writer.artifact_ids[0]))
    pushed = artifact("/p6", pushed=1, pushed_destination="/serving/x/6", pushed_version="6")
    # Two at once: the one that pushes read the first verdict, though a second is there by then.
    writer.add_execution(
        "taxi", "r6", "Pusher", outputs={"pushed_model": [pushed]}, inputs=[*made, verdicts[0]]
    )
    [row] = [row for row in listed(path) if row.facts.run_id == "r6"]
    assert row.facts.blessed_words == "yes (later no: Evaluator)"
