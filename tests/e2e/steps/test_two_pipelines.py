"""A data pipeline and a training pipeline do what the whole graph does, and train on good data."""

import json

import pytest

from tests.e2e.conftest import fareline_command, run_fareline
from tests.forked import run_forked

pytestmark = [pytest.mark.e2e, pytest.mark.replay, pytest.mark.timeout(900)]


def ask(*words):
    done = run_forked(**fareline_command(*words))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_model_is_that_of_the_whole_graph_and_comes_from_the_same_rows(
    small_run, small_workspace, small_settings, small_csv
):
    place = ("--workspace", small_workspace)
    data, training = ((*small_settings, f"pipeline={part}") for part in ("data", "training"))
    good = run_fareline(small_workspace, *data)
    assert (good.exit_code, good.answer["status"]) == (0, "completed")
    stopped = run_fareline(small_workspace, *data, "gate.coverage.min_examples={train: 1000000}")
    assert stopped.exit_code == 1
    sampled = run_fareline(small_workspace, *data, arguments=("--sample", "300"))
    assert sampled.exit_code == 0
    trained = run_fareline(small_workspace, *training)
    assert trained.exit_code == 0, trained.stderr
    outcome, whole = trained.answer, small_run.finished.answer
    assert outcome["data"] == good.answer["data"] == whole["data"]
    assert outcome["metrics"] == whole["metrics"]
    assert outcome["baseline"] is not None  # the model of the whole graph
    for named, said in (
        (stopped.answer["run_id"], "was stopped by DataGate"),
        (sampled.answer["run_id"], "read a sample of 300 rows"),
    ):
        refused = run_fareline(small_workspace, *training, f"data.prepared={named}")
        assert (refused.exit_code, refused.answer) == (2, None)
        assert f"data.prepared: {named}: {named} {said}; expected " in refused.stderr
    upstream = json.dumps(ask("lineage", "upstream", outcome["run_id"], "--json", *place))
    assert str(small_csv) in upstream
    assert f"ExampleGen@{good.answer['run_id']}" in upstream
    assert ask("lineage", "verify", "--json", *place)["findings"] == []
    again = run_fareline(small_workspace, *training, f"data.prepared={good.answer['run_id']}")
    assert {"Transform", "Tuner", "Trainer"} <= again.nodes_in("cached")
