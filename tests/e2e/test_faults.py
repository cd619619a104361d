"""What goes wrong: data that breaks the schema, code that fails, a killed run; and what is kept."""

import json
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.e2e.conftest import RUNNING, fareline_command, run_fareline, states_in_store
from tests.e2e.test_recorded import endings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MODEL_NODES = {"Tuner", "Trainer", "Evaluator", "InfraValidator", "Pusher"}


def published(workspace):
    return sorted(path.name for path in (workspace / "serving" / "chicago-taxi").iterdir())


def test_anomalous_csv_stops_at_the_gate(small_csv, small_settings, tmp_path):
    trips = pd.read_csv(small_csv, dtype=str)
    trips.loc[::10, "payment_type"] = "Bitcoin"
    trips.loc[::7, "fare"] = "-3.25"
    broken = tmp_path / "broken.csv"
    trips.to_csv(broken, index=False)
    run = run_fareline(tmp_path / "ws", *small_settings, f"data.source.csv={broken}")
    assert run.exit_code == 1
    assert run.answer["status"] == "failed"
    assert run.nodes_in("failed") == {"DataGate"}
    assert run.nodes_in("skipped") == {
        "Transform",
        "Tuner",
        "Trainer",
        "Evaluator",
        "InfraValidator",
        "Pusher",
    }
    error = run.answer["error"]
    assert error.startswith("DataGate: the data breaks the schema: 2 anomalies; expected none.")
    assert "payment_type: Examples contain values missing from the schema: Bitcoin" in error
    assert "fare: Unexpectedly low values: -3.25<0" in error
    assert not (tmp_path / "ws" / "serving").exists()
    # Recorded, with the rows that pandas counts.
    found = {each["column"]: each for each in run.answer["anomalies"]}
    assert {name: each["rows"] for name, each in found.items()} == {
        "payment_type": (trips["payment_type"] == "Bitcoin").sum(),
        "fare": (trips["fare"] == "-3.25").sum(),
    }
    assert {each["action"] for each in found.values()} == {"stop"}
    with sqlite3.connect(tmp_path / "ws" / "metadata.db") as connection:
        [(stops,)] = connection.execute(
            "select p.int_value from ArtifactProperty p join Artifact a on a.id = p.artifact_id "
            "join Type t on t.id = a.type_id where p.name = 'stops' and t.name = ?",
            ("pipeline.DataDecision",),
        )
    assert stops == 2
    page = Path(run.answer["report"]).read_text(encoding="utf-8")
    assert "DataGate stopped the run. No model was pushed." in page
    assert "Examples contain values missing from the schema: Bitcoin" in page
    assert "The run ended with DataGate before it had an evaluation." in page
    assert endings(tmp_path / "ws") == [("failed", 1)]


def test_failure_is_explained_and_a_repeated_run_resumes(checkout, small_settings, small_workspace):
    """Two runs after a sound one: preprocessing edited and code of the model that fails; mended.

    What is mended trains a model that Evaluator is content with, and whose answers in a server are
    a little different each time.
    """
    workspace, before = small_workspace, published(small_workspace)
    source = checkout / "models" / "trainer.py"
    sound = source.read_text()
    planted = '    config = fn_args.custom_config\n    raise RuntimeError("planted\\nfault")\n'
    source.write_text(sound.replace("    config = fn_args.custom_config\n", planted, 1))
    preprocessing = checkout / "preprocessing" / "transform.py"
    preprocessing.write_text(preprocessing.read_text() + "\n# An edit.\n")

    failed = run_fareline(workspace, *small_settings, checkout=checkout)
    assert failed.exit_code == 1
    assert failed.nodes_in("executed") == {"Transform", "Tuner"}
    assert failed.nodes_in("failed") == {"Trainer"}
    assert failed.nodes_in("skipped") == {"Evaluator", "InfraValidator", "Pusher"}
    assert failed.answer["error"] == "Trainer: RuntimeError: planted"
    assert 'raise RuntimeError("planted' in Path(failed.answer["log"]).read_text(errors="replace")
    assert "Traceback" not in failed.stderr
    assert published(workspace) == before != []

    source.write_text(sound)
    signatures = checkout / "models" / "signatures.py"
    steady, unsteady = (
        "self._answer(self._score(inputs))",
        "self._answer(self._score(inputs) * tf.random.uniform([], 0.9, 1.0))",
    )
    assert signatures.read_text().count(steady) == 1
    signatures.write_text(signatures.read_text().replace(steady, unsteady))
    run = run_fareline(workspace, *small_settings, checkout=checkout)
    assert run.nodes_in("executed") == MODEL_NODES
    assert run.exit_code == 3, run.stderr
    assert run.answer["status"] == "refused"
    assert (run.answer["blessed"], run.answer["infra_blessed"]) == (True, False)
    (reason,) = run.answer["reasons"]
    assert reason.startswith("infra validation: output 'probability': ")
    assert "in process, within 0.0001" in reason
    assert endings(workspace) == [("pushed", 1), ("failed", 1), ("refused", 1)]
    assert run.answer["pushed_to"] is None
    assert published(workspace) == before
    verdicts = workspace.glob("artifacts/InfraValidator/blessing/*/infra_validation.json")
    reasons = [json.loads(verdict.read_text())["reason"] for verdict in verdicts]
    assert sorted(reasons) == ["differs", "ok"]  # ok: that of the run before


def test_killed_run_leaves_nothing_running_and_the_next_one_resumes(resumed_run, small_run):
    """And comes to the metrics of a run that nothing disturbed."""
    workspace, busy, resumed = resumed_run.workspace, resumed_run.busy, resumed_run.resumed
    assert busy.exit_code == 2
    assert busy.stderr == (
        f"fareline: {workspace}: another run is using it (process {resumed_run.process}); expected "
        "a workspace of its own for each run at a time. Hint: wait for it to end, or name another "
        "--workspace.\n"
    )
    assert endings(resumed_run.killed) == [(None, 1)]
    assert RUNNING in states_in_store(resumed_run.killed)

    assert resumed.exit_code == 0, resumed.stderr
    assert {"ExampleGen", "StatisticsGen"} <= resumed.nodes_in("cached")
    assert RUNNING not in states_in_store(workspace)
    assert endings(workspace) == [(None, 1), ("pushed", 1)]
    undisturbed = small_run.finished.answer["metrics"]
    assert resumed.answer["metrics"] == pytest.approx(undisturbed, abs=1e-6)


def test_no_cache_executes_what_is_there_already(small_settings, small_workspace):
    """The first two nodes; unit tests hold that the whole graph is told the same."""
    for arguments, state in (((), "cached"), (("--no-cache",), "executed")):
        run = run_fareline(
            small_workspace, *small_settings, arguments=(*arguments, "--to", "StatisticsGen")
        )
        assert (run.states()["ExampleGen"], run.states()["StatisticsGen"]) == (state, state)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupt_ends_at_once_and_cleanly(small_settings, tmp_path, number, code):
    workspace = tmp_path / "ws"
    overrides = [part for setting in small_settings for part in ("--set", setting)]
    call = fareline_command("run", "--json", "--no-cache", "--workspace", workspace, *overrides)
    process = subprocess.Popen(**call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while RUNNING not in states_in_store(workspace):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert stdout == ""
    last = stderr.splitlines()[-1]
    assert last.startswith("fareline: run-")
    assert last.endswith(": interrupted; finished work is kept, and the next run resumes from it")
    assert "Traceback" not in stderr
    assert RUNNING not in states_in_store(workspace)
    assert endings(workspace) == [("interrupted", 0)]
