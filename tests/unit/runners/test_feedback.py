"""runners.feedback: what is sealed is recorded; from a prediction to its models and back."""

import errno
import json
import os
import shutil

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from typer.testing import CliRunner

from cli.app import app
from fareline.digests import sha256_of_file
from lineage.graph.graph import Graph
from lineage.store.open import open_store, sqlite_connection
from report.explorer.data import content as explorer_content
from tests.stores.writer import StoreWriter
from tests.unit.monitoring.feedback.loop import outcomes, predictions, write_log

OF = list(predictions(400, step_ms=600_000))
SET = ("--set", "feedback.wait_hours=24", "--set", "feedback.entity=cab")


def fareline(*words):
    """Runs a command with --json; returns its exit code and its answer, or what went wrong."""
    ran = CliRunner().invoke(app, [*map(str, words), "--json"])
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        return getattr(ran.exception, "exit_code", 1), str(ran.exception)
    return ran.exit_code, json.loads(ran.stdout) if ran.stdout else None


def lines_of(found):
    for o in found:
        named = {"prediction_id": o.prediction_id} if o.prediction_id else {"entity": o.entity}
        yield json.dumps(
            {
                **named,
                "event_time": o.event_ms / 1000,
                "arrival_time": o.arrival_ms / 1000,
                "value": json.loads(o.value),
                "source": o.source,
            }
        )


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A workspace whose store knows a run, and a model that was trained on span 1."""
    root = tmp_path_factory.mktemp("ws")
    writer = StoreWriter(root / "metadata.db")
    writer.add_execution("chicago-taxi", "run-1", "Trainer", outputs={"model": [mlmd.Artifact()]})
    write_log(root / "serving_logs", OF)
    (root / "tips.jsonl").write_text("\n".join(lines_of(outcomes(OF))))
    assert fareline("feedback", "add", root / "tips.jsonl", "-w", root, *SET)[0] == 0
    code, content = fareline(
        "feedback", "build", "-w", root, "--as-of", "2026-01-03T18:00:00Z", *SET
    )
    assert (code, content["notes"]) == (0, [])
    rows = root / "feedback" / "spans" / "span-1" / "version-1" / "rows.parquet"
    examples = mlmd.Artifact(uri=str(root / "examples"))
    record = [{"path": str(rows), "bytes": rows.stat().st_size, "sha256": sha256_of_file(rows)}]
    examples.custom_properties["source_files"].string_value = json.dumps(record)
    (root / "examples").mkdir()
    (root / "examples" / "rows").write_text("rows")
    writer.add_execution("chicago-taxi", "run-2", "ExampleGen", outputs={"examples": [examples]})
    [examples_id] = writer.artifact_ids
    (root / "model").mkdir()
    (root / "model" / "m").write_text("model")
    writer.add_execution(
        "chicago-taxi", "run-2", "Trainer",
        outputs={"model": [mlmd.Artifact(uri=str(root / "model"))]},
        inputs=[("examples", examples_id)],
    )  # fmt: skip
    return root, f"Model:{writer.artifact_ids[0]}", f"Examples:{examples_id}"


@pytest.fixture
def workspace(sealed, tmp_path):
    """A copy at the same path, which is put back."""
    root, model, examples = sealed
    shutil.copytree(root, tmp_path / "kept")
    yield root, model, examples
    shutil.rmtree(root)
    shutil.copytree(tmp_path / "kept", root)


def states_of(root, version=1):
    import pyarrow.parquet as pq

    place = root / "feedback" / "spans" / "span-1" / f"version-{version}"
    return {row["id"]: row for row in pq.read_table(place / "states.parquet").to_pylist()}


def test_impact_goes_from_a_prediction_to_the_models_that_it_taught(sealed):
    root, model, _ = sealed
    states = states_of(root)
    taught = next(i for i, row in states.items() if row["taught"])
    code, content = fareline("lineage", "impact", taught, "-w", root)
    assert (code, content["matched_by"]) == (0, "prediction")
    assert [(m["model"], m["relation"]) for m in content["models"]] == [(model, "trained")]
    assert [start["type"] for start in content["starts"]] == ["FeedbackSpan"]
    value = states[taught]["value"]
    assert content["notes"] == [
        f"{states[taught]['state']}, {value}: in span 1, version 1; answered by taxi version 7"
    ]


def test_a_prediction_that_is_no_row_has_taught_no_model(sealed):
    root, *_ = sealed
    other = next(i for i, row in states_of(root).items() if row["state"] == "expired")
    code, content = fareline("lineage", "impact", other, "-w", root)
    assert (code, content["models"], content["starts"]) == (0, [], [])
    assert content["notes"][-1] == "it is no row to train on"


def test_upstream_goes_from_a_model_to_the_log_and_the_outcomes(sealed):
    root, model, _ = sealed
    code, content = fareline("lineage", "upstream", model, "-w", root)
    text = json.dumps(content)
    assert code == 0
    for kind in ("FeedbackSpan:", "PredictionLog:", "Outcomes:", "feedback#"):
        assert kind in text
    first = next(iter(states_of(root)))
    code, content = fareline("lineage", "downstream", first, "-w", root)
    assert model in json.dumps(content)


def test_in_the_explorer_a_sealed_span_is_the_data_of_the_run_that_read_it(sealed):
    root, _, examples = sealed
    runs = explorer_content(Graph(open_store(root / "metadata.db")), None)["runs"]
    data = {run["id"]: run["data"] for run in runs}
    assert data["run-2"] == [int(examples.partition(":")[2])]


def test_an_unknown_prediction_is_said_to_be_unknown(sealed):
    root, *_ = sealed
    unknown = OF[-1].id[:-1] + ("0" if OF[-1].id[-1] != "0" else "1")
    code, said = fareline("lineage", "impact", unknown, "-w", root)
    assert code == 2
    assert f"{unknown}: is not in the store" in said


def test_a_span_is_recorded_once_and_by_the_next_build_if_one_was_killed(workspace):
    root, *_ = workspace
    store = metadata_store.MetadataStore(sqlite_connection(root / "metadata.db"))
    assert len(store.get_executions_by_type("fareline.feedback")) == 1
    shutil.copytree(root / "feedback/spans/span-1", root / "feedback/spans/span-9")
    manifest = root / "feedback/spans/span-9/version-1/span.json"
    manifest.write_text(manifest.read_text().replace('"span": 1,', '"span": 9,'))
    time = ("--as-of", "2026-01-03T18:00:00Z")
    for _ in range(2):
        assert fareline("feedback", "build", "-w", root, *time, *SET)[0] == 0
    spans = store.get_artifacts_by_type("FeedbackSpan")
    assert [s.custom_properties["span"].int_value for s in spans] == [1, 9]
    assert len(store.get_artifacts_by_type("PredictionLog")) == 1


def test_an_erased_entity_leaves_and_verify_stays_clean(workspace):
    root, model, examples = workspace
    cab = next(p.entity for p in OF if states_of(root).get(p.id, {}).get("taught"))
    mine = next(p.id for p in OF if p.entity == cab)
    code, content = fareline("feedback", "erase", cab, "--reason", "asked", "-w", root, *SET)
    assert code == 0, content
    assert content["predictions"] == sum(p.entity == cab for p in OF)
    assert content["sealed"] == [{"span": 1, "version": 2}]
    assert content["removed"] == [{"span": 1, "version": 1}]
    assert content["read_by"] == [examples]
    assert mine not in states_of(root, version=2)
    code, verified = fareline("lineage", "verify", "-w", root)
    found = [f for f in verified["findings"] if "Model" not in f["id"]]
    assert found == []
    code, content = fareline(
        "lineage", "impact", f"{root}/feedback/spans/span-1/version-1", "-w", root
    )
    assert [m["model"] for m in content["models"]] == [model]
    assert fareline("feedback", "erase", cab, "--reason", "asked", "-w", root, *SET)[0] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("build", "--as-of", "soon"), "--as-of soon: is not a time; expected ISO 8601, UTC."),
        (("build", "--as-of", "2999-01-01"), "--as-of 2999-01-01: is in the future; expected at"),
        (("build", "--set", "feedback.wait_hours=0"), "feedback.wait_hours: found 0; expected"),
        (
            ("build", "--set", "feedback.expired=never"),
            "feedback.expired: 'never'; expected a finite",
        ),
        (("add",), "feedback add: no file was named; expected a file or --stdin."),
        (("add", "nowhere.jsonl"), "nowhere.jsonl: cannot be read (No such file or directory)"),
        (("erase", "x"), "feedback erase: without a reason; expected --reason TEXT."),
        (("erase", "x", "--reason", "y"), "x: no closed file of the log, no outcome and no sealed"),
    ],
)
def test_mistakes_are_said_in_one_line(tmp_path, words, said):
    code, found = fareline("feedback", *words, "-w", tmp_path)
    assert code == 2
    assert said in found
    assert "\n" not in found.strip() or "feedback." in said


def test_a_full_disk_is_not_taken_for_a_file_that_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / "tips.jsonl").write_text('{"prediction_id": "a", "value": 1}')

    def fail(path, outcomes):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("monitoring.feedback.outcomes.write_outcomes", fail)
    ran = CliRunner().invoke(
        app, ["feedback", "add", str(tmp_path / "tips.jsonl"), "-w", str(tmp_path)]
    )
    assert isinstance(ran.exception, OSError) and ran.exception.errno == errno.ENOSPC


def test_records_alone_that_are_no_outcomes_are_a_mistake(tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"value": 3}\n')
    code, content = fareline("feedback", "add", tmp_path / "bad.jsonl", "-w", tmp_path)
    assert (code, content["kept"], content["reasons"]) == (2, 0, {"no_prediction": 1})
