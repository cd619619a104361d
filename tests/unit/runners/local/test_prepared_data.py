"""Which data a training pipeline starts from: of a good run of the data pipeline, or none."""

import pytest

from fareline.errors import UserMistake
from lineage.facts.runs import drift_of_data, read_runs
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from pipeline.settings.load import load_settings
from runners.local.prepared_data import choose_prepared
from runners.workspace import Workspace
from tests.stores.writer import COMPLETE, FAILED, RUNNING, StoreWriter, artifact, mlmd

DATA = "chicago-taxi-data"
EXPECTED = "; expected a run of chicago-taxi-data whose data passed the gate, of all rows"
HINT = ". Hint: run with --set pipeline=data first, or name another run."


@pytest.fixture
def made(tmp_path):
    """Makes runs of the data pipeline; each returns the ids of its artifacts."""
    writer = StoreWriter(tmp_path / "metadata.db")

    def make(
        run_id, gate=COMPLETE, span=0, without=(), schema="CuratedSchema", pipeline=DATA, **recorded
    ):
        ids = {}
        for key, node in (
            ("examples", "ExampleGen"),
            ("schema", schema),
            ("drift", "DriftMonitor"),
        ):
            folder = tmp_path / run_id / node
            folder.mkdir(parents=True)
            inputs = [("examples", ids["examples"])] if node == "DriftMonitor" else []
            properties = {"span": span} if key == "examples" else {}
            outputs = {key: [artifact(folder, **properties)]}
            writer.add_execution(pipeline, run_id, node, outputs=outputs, inputs=inputs)
            [ids[key], *_] = writer.artifact_ids
        if "DataGate" not in without:
            writer.add_execution(pipeline, run_id, "DataGate", gate)
        writer.record_run(run_id, **recorded)
        return ids

    make.writer = writer
    return make


def choose(tmp_path, wanted="latest", *overrides):
    overrides = ["pipeline=training", f"data.prepared={wanted}", *overrides]
    return choose_prepared(load_settings(overrides=overrides), Workspace(tmp_path))


def refusal(*arguments):
    with pytest.raises(UserMistake) as mistake:
        choose(*arguments)
    return str(mistake.value)


def test_the_latest_good_data_is_taken_and_a_run_or_its_data_can_be_named(made, tmp_path):
    first = made("run-1")
    second = made("run-2", schema="SchemaGen")
    made("other-1", pipeline="chicago-taxi")  # a whole run is no run of the data pipeline
    assert choose(tmp_path) == second
    assert choose(tmp_path, "run-1") == first
    assert choose(tmp_path, f"Examples:{first['examples']}") == first
    assert choose(tmp_path, "latest", "pipeline=whole") == {}
    assert choose(tmp_path, "latest", "pipeline=data") == {}


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({"gate": FAILED}, "was stopped by DataGate"),
        ({"gate": RUNNING}, "did not end well with DataGate"),
        ({"without": ("DataGate",)}, "did not end well with DataGate"),
        ({"outcome": "interrupted"}, "did not end well with DataGate"),
        ({"outcome": "failed"}, "did not end well with DataGate"),
        ({"nodes": '["StatisticsGen", "DataGate"]'}, "did not end well with DataGate"),
        ({"sample": "500"}, "read a sample of 500 rows"),
    ],
)
def test_what_must_not_be_trained_on_is_passed_over_and_refused_by_name(made, tmp_path, run, said):
    good = made("run-1")
    bad = made("run-2", **run)
    assert choose(tmp_path) == good
    for named in ("run-2", f"Examples:{bad['examples']}"):
        found = refusal(tmp_path, named)
        assert found == f"data.prepared: {named}: run-2 {said}{EXPECTED}{HINT}"


def test_a_sample_is_for_a_training_of_the_same_sample(made, tmp_path):
    sampled = made("run-1", sample="500")
    assert choose(tmp_path, "latest", "data.sample=500") == sampled
    assert refusal(tmp_path).startswith("data.prepared: latest: run-1 read a sample of 500 rows")
    made("run-2")
    assert refusal(tmp_path, "run-2", "data.sample=500").startswith(
        "data.prepared: run-2: run-2 read all rows; expected a run of chicago-taxi-data whose data "
        "passed the gate, of a sample of 500 rows"
    )


def test_data_of_a_span_is_found_by_the_span(made, tmp_path):
    first = made("run-1", span=1)
    made("run-2", span=2)
    path = ("data.source={csv: 'trips/span-{SPAN}/*.csv'}", "data.span=1")
    assert choose(tmp_path, "latest", *path) == first
    assert refusal(tmp_path, "run-2", *path).startswith("data.prepared: run-2: run-2 read span 2;")


def test_data_that_was_deleted_is_not_taken(made, tmp_path):
    first, second = made("run-1"), made("run-2")
    made.writer.set_state(second["examples"], mlmd.Artifact.DELETED)
    assert choose(tmp_path) == first
    (tmp_path / "run-1" / "CuratedSchema").rmdir()
    key = f"Schema:{first['schema']}"
    assert f"run-1 has {key}, whose files are gone" in refusal(tmp_path, "run-1")


def test_what_is_not_there_is_one_line(made, tmp_path):
    nothing = (
        "data.prepared: chicago-taxi-data was not run in this workspace yet; expected a run of it "
        "whose data passed the gate. Hint: run with --set pipeline=data first."
    )
    assert refusal(tmp_path / "other") == nothing
    made("other-1", pipeline="chicago-taxi")
    assert refusal(tmp_path) == nothing
    made("run-1")
    assert refusal(tmp_path, "run-2") == (
        "data.prepared: run-2: chicago-taxi-data has no such run or data; expected latest, a run "
        "of it, or its data, such as Examples:12. Hint: did you mean run-1."
    )


def test_a_training_run_has_the_data_and_the_drift_of_the_run_that_it_took_it_from(made, tmp_path):
    ids = made("run-1")
    made("run-2")
    made.writer.add_execution(
        "chicago-taxi", "train-1", "Transform", inputs=[("examples", ids["examples"])],
        outputs={"transformed_examples": [artifact("/t")]},
    )  # fmt: skip
    transformed = made.writer.artifact_ids[0]
    made.writer.add_execution(
        "chicago-taxi", "train-1", "Trainer", inputs=[("examples", transformed)],
        outputs={"model": [artifact("/m")]},
    )  # fmt: skip
    graph = Graph(open_store(tmp_path / "metadata.db"))
    training, data = read_runs(graph, ["train-1", "run-1"])
    assert [a.id for a in training.examples] == [a.id for a in data.examples] == [ids["examples"]]
    assert drift_of_data(graph, training).id == drift_of_data(graph, data).id == ids["drift"]
