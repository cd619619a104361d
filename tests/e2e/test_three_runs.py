"""The claim of the project: one command, ten components, a published model; and what comes after.

Three runs of the default pipeline on the real data, then one with a threshold out of reach, all on
one workspace (conftest.py).
"""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from tests.component.pipeline.test_dag import TEN
from tests.e2e.conftest import fareline_command, run_fareline
from tests.forked import run_forked

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

KEYS = {
    "run_id",
    "status",
    "nodes",
    "metrics",
    "blessed",
    "infra_blessed",
    "pushed_to",
    "workspace",
    "metadata",
    "wall_seconds",
}


def published(folder):
    """Every file below a serving folder with its content's hash; cards beside versions left out."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(folder).rglob("*")
        if path.is_file() and not path.name.startswith(".") and not is_card(path)
    }


def is_card(path):
    return path.suffix == ".md" and path.stem.isdigit()


def test_first_run_executes_everything_and_publishes(first, workspace):
    assert first.exit_code == 0, first.stderr
    assert first.answer.keys() >= KEYS
    assert set(first.states()) >= TEN
    assert set(first.states().values()) == {"executed"}
    assert (first.answer["status"], first.answer["blessed"]) == ("pushed", True)
    assert first.answer["infra_blessed"] is True
    assert first.answer["reasons"] == []
    assert first.answer["baseline"] is None
    assert first.answer["metadata"] == str(workspace / "metadata.db")
    version = Path(first.answer["pushed_to"])
    assert version.parent == workspace / "serving" / "chicago-taxi"
    assert version.name.isdigit()
    assert (version / "saved_model.pb").is_file()
    assert all(node["seconds"] < first.answer["wall_seconds"] for node in first.answer["nodes"])


def test_model_is_as_good_as_promised(first):
    metrics = first.answer["metrics"]
    assert metrics["auc"] >= 0.950
    assert metrics["example_count"] == pytest.approx(15_002 / 3, rel=0.05)
    assert metrics["accuracy"] > 0.88  # always answering no: 0.775
    assert metrics["calibration"] == pytest.approx(1, abs=0.1)
    slices = first.answer["slices"]
    hours = [name for name in slices if name.startswith("trip_start_hour=")]
    assert len(hours) == 24
    assert "payment_type=Credit Card" in slices
    assert sum(slices[hour]["example_count"] for hour in hours) == metrics["example_count"]


def test_published_model_answers_raw_examples(first):
    model = tf.saved_model.load(first.answer["pushed_to"])
    trip = tf.train.Example()
    trip.features.feature["fare"].float_list.value.append(8.05)
    trip.features.feature["payment_type"].bytes_list.value.append(b"Credit Card")
    cash = tf.train.Example()
    cash.CopyFrom(trip)
    cash.features.feature["payment_type"].bytes_list.value[0] = b"Cash"
    requests = tf.constant([trip.SerializeToString(), cash.SerializeToString()])
    card_tips, cash_tips = model.signatures["serving_default"](requests)["probability"].numpy()
    assert card_tips > 0.5 > 0.05 > cash_tips  # cash tips go unrecorded


def test_user_sees_nodes_and_nothing_of_the_libraries(first):
    lines = first.stderr.splitlines()
    assert lines[0].startswith("chicago-taxi · run-")
    assert {line.split()[1] for line in lines[1:]} == set(first.states())
    ended = [line for line in lines[1:] if not line.startswith("▶")]  # else its progress
    assert {line.split()[1] for line in ended} == set(first.states())
    assert all(line.startswith("✓") and line.endswith(" s") for line in ended)
    assert "Trainer" in Path(first.answer["log"]).read_text(errors="replace")


def test_a_plan_is_what_the_next_run_does_and_records_nothing(
    planned, second, after_first, after_plan
):
    assert after_plan == after_first
    assert set(planned) == set(second.states())
    for plan, state in (("execute", "executed"), ("cached", "cached")):
        nodes = {name for name, node in planned.items() if node["plan"] == plan}
        assert nodes == second.nodes_in(state) - {"BaselineResolver"}
    baseline = second.answer["baseline"]
    assert planned["Evaluator"]["why"] == (
        f"baseline_model is {baseline}, was nothing: now a model is the baseline"
    )
    assert planned["Pusher"]["why"] == "after Evaluator"
    assert planned["BaselineResolver"]["plan"] == "resolve"


def test_second_run_judges_and_publishes_again_only(second, first, after_first, after_second):
    assert second.exit_code == 0, second.stderr
    assert second.nodes_in("executed") == {"Evaluator", "Pusher"}
    assert second.nodes_in("cached") == set(second.states()) - {
        "Evaluator",
        "Pusher",
        "BaselineResolver",
    }
    assert second.answer["baseline"].startswith("Model:")
    # Beam adds up floats in any order.
    assert second.answer["metrics"] == pytest.approx(first.answer["metrics"], rel=1e-6)
    # Evaluator: evaluation and blessing; Pusher: pushed model.
    assert after_second["Artifact"] - after_first["Artifact"] == 3
    assert after_second["Execution"] - after_first["Execution"] == len(second.states())
    # It is the same model: a model server need not load it again.
    assert second.answer["pushed_to"] == first.answer["pushed_to"]


def test_third_run_adds_no_artifact(third, first, after_second, after_third):
    assert third.exit_code == 0, third.stderr
    assert third.nodes_in("executed") == set()
    assert third.answer["status"] == "pushed"
    assert third.answer["pushed_to"] == first.answer["pushed_to"]
    assert after_third["Artifact"] == after_second["Artifact"]
    assert after_third["Execution"] - after_second["Execution"] == len(third.states())


def test_no_execution_is_left_running_or_failed(after_third):
    complete, cached = 3, 5  # ml_metadata.proto.Execution.State
    assert set(after_third["states"]) == {complete, cached}


def test_unreachable_threshold_is_refused_and_nothing_is_pushed(refused, first, workspace):
    serving = workspace / "serving" / "chicago-taxi"
    assert refused.exit_code == 3, refused.stderr
    assert refused.answer["status"] == "refused"
    assert (refused.answer["blessed"], refused.answer["infra_blessed"]) == (False, True)
    assert refused.answer["pushed_to"] is None
    assert refused.nodes_in("executed") == {"Evaluator", "Pusher"}
    auc = refused.answer["metrics"]["auc"]
    count = refused.answer["metrics"]["example_count"]
    assert refused.answer["reasons"] == [
        f"auc is {auc:.4f} on overall; expected at least 0.999 ({count:,.0f} examples)"
    ]
    version = Path(first.answer["pushed_to"]).name
    assert {path.split("/")[0] for path in published(serving)} == {version}
    assert [path.name for path in serving.iterdir() if is_card(path)] == [f"{version}.md"]


def test_summary_for_people(third, workspace):
    done = run_forked(**fareline_command("run", "--verbose", "--workspace", workspace))
    assert done.returncode == 0
    assert done.stdout == ""
    text = " ".join(done.stderr.split())
    assert "Metrics on the eval split" in text
    assert "at least 0.94, at most below baseline 0.005" in text
    assert "Worst slices by auc, of those with at least 50 examples and 10 of each label:" in text
    assert "Gap of auc by trip_miles: " in text
    assert "Blessed by Evaluator: yes (compared with Model:" in text
    assert "Blessed by InfraValidator: yes" in text
    assert f"Pushed to {third.answer['pushed_to']}" in text
    assert f"Next: fareline lineage runs --workspace {workspace}" in text


def test_lineage_lists_the_runs(first, second, third, refused, workspace):
    done = run_forked(**fareline_command("lineage", "runs", "--json", "--workspace", workspace))
    runs = {run["run_id"]: run for run in json.loads(done.stdout)}
    for finished in (first, second, third, refused):
        recorded = runs[finished.answer["run_id"]]
        states = {node["name"]: node["state"] for node in recorded["nodes"]}
        assert recorded["pipeline"] == "chicago-taxi"
        assert states == finished.states()


def test_deleted_serving_folder_is_filled_again(first, after_third, refused, workspace):
    serving = workspace / "serving" / "chicago-taxi"
    before = {path.partition("/")[2]: digest for path, digest in published(serving).items()}
    shutil.rmtree(serving)
    run = run_fareline(workspace)
    assert run.exit_code == 0, run.stderr
    assert run.nodes_in("executed") == {"Pusher"}
    version = Path(run.answer["pushed_to"])
    assert version.parent == serving
    assert published(version) == before
