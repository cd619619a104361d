"""`show` says all that a store knows of something, decoded, whoever wrote the store."""

import io
import json

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from rich.console import Console

from lineage import ids
from lineage.answers.show.show import describe
from lineage.answers.show.view import draw
from lineage.graph.graph import Graph
from lineage.store.open import open_store, sqlite_connection
from lineage.text.outline import decoded, outline
from tests.stores.writer import CACHED, FAILED, RUNNING, StoreWriter, artifact

SHA = "ab" * 32


def show(path, asked):
    graph = Graph(open_store(path))
    content = describe(graph, ids.find(graph, asked))
    json.dumps(content, allow_nan=False)
    return content


def drawn(content, width=120):
    console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    draw(console, content)
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metadata.db"


@pytest.fixture
def recorded(path, tmp_path):
    """A run of ours that recorded everything; its Trainer was cached in a second."""
    writer = StoreWriter(path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_bytes(b"x" * 1500)
    files = json.dumps([{"path": "/d/trips.csv", "bytes": 10, "sha256": SHA}])
    examples = artifact(
        "/1/e", span=3, version=1, split_names='["train", "eval"]', source_files=files
    )
    writer.add_execution("taxi", "run-1", "ExampleGen", outputs={"examples": [examples]})
    [examples] = writer.artifact_ids
    schema = artifact("/1/schema", sha256=SHA, source="taxi")
    writer.add_execution("taxi", "run-1", "CuratedSchema", outputs={"schema": [schema]})
    [schema] = writer.artifact_ids
    model = artifact(tmp_path / "model", hyperparameters='{"units": [8, 4]}', sha256=SHA)
    config = json.dumps({"source_fingerprint": "f" * 64, "nested": '{"steps": 5}'})
    inputs = [("examples", examples), ("schema", schema)]
    writer.add_execution(
        "taxi", "run-1", "Trainer", outputs={"model": [model]}, inputs=inputs, custom_config=config
    )
    model = writer.artifact_ids[0]
    verdicts = {
        "evaluation": [artifact("/1/evaluation", metrics='{"overall": {"auc": 0.95}}')],
        "blessing": [artifact("/1/blessing", blessed=1)],
    }
    inputs = [("model+baseline_model", model), ("examples", examples)]
    writer.add_execution("taxi", "run-1", "Evaluator", outputs=verdicts, inputs=inputs)
    refused = {"infra_blessing": [artifact("/1/infra", blessed=0, reason="slow", message="9 s")]}
    writer.add_execution("taxi", "run-1", "InfraValidator", outputs=refused,
                         inputs=[("model", model)])  # fmt: skip
    pushed = artifact("/1/pushed", pushed=1, pushed_destination="/serving/7", pushed_version="7")
    writer.add_execution("taxi", "run-1", "Pusher", outputs={"pushed_model": [pushed]},
                         inputs=[("model", model)])  # fmt: skip
    writer.add_execution("taxi", "run-2", "Trainer", CACHED, reused=[("model", model)])
    writer.record_run(
        "run-1",
        git_commit="c" * 40,
        git_dirty=1,
        packages='{"tfx": "1.16.0", "rich": "15"}',
        settings="name: taxi\nseed: 20\n",
        overrides='["training.steps=5"]',
        user="ada",
    )
    return path


def test_of_many_evaluations_the_latest_is_drawn_and_the_others_are_counted(recorded):
    writer = StoreWriter(recorded)
    for number in range(9):
        metrics = json.dumps({"overall": {"auc": number / 10, "loss": 1.5}})
        outputs = {
            "evaluation": [artifact("/2/evaluation", metrics=metrics)],
            "blessing": [artifact("/2/blessing", blessed=number % 2)],
        }
        writer.add_execution("taxi", f"run-{number + 3}", "Evaluator", outputs=outputs,
                             inputs=[("model", 3)])  # fmt: skip
    content = show(recorded, "Model:3")
    lines = drawn(content)

    assert len(content["model"]["evaluations"]) == 10
    assert [line.strip() for line in lines if "auc" in line] == ["auc: 0.8"]
    assert "    earlier evaluations: 9 (--json)" in lines
    assert "    earlier blessings: 9 (--json)" in lines
    assert "    schema:" in lines
    assert "        blessed: no" in lines
    assert "        later: no, by Evaluator@run-11" in lines
    assert not [line for line in lines if "… and more" in line]


def test_a_model_with_all_that_belongs_to_it(recorded, tmp_path):
    content = show(recorded, "Model:3")
    assert (content["kind"], content["id"], content["type"]) == ("artifact", "Model:3", "Model")
    assert content["payload"] == {"status": "there", "files": 1, "bytes": 1500}
    assert content["made_by"] == ["Trainer@run-1"]
    assert content["cached_by"] == ["Trainer@run-2"]
    assert content["runs"] == ["run-1", "run-2"]
    assert content["model"] == {
        "hyperparameters": {"units": [8, 4]},
        "warm_start": None,
        "sha256": SHA,
        "evaluations": [
            {"id": "ModelEvaluation:4", "metrics": {"auc": 0.95}, "baselines": ["Model:3"]}
        ],
        "blessings": [
            {
                "id": "ModelBlessing:5",
                "blessed": True,
                "reason": None,
                "message": None,
                "by": "Evaluator@run-1",
            },
            {
                "id": "InfraBlessing:6",
                "blessed": False,
                "reason": "slow",
                "message": "9 s",
                "by": "InfraValidator@run-1",
            },
        ],
        "data": [
            {
                "id": "Examples:1",
                "span": 3,
                "version": 1,
                "spans": [{"span": 3, "version": 1}],
                "splits": ["train", "eval"],
                "data_sha256": None,
                "sources": [
                    {
                        "execution": "ExampleGen@run-1",
                        "artifact": "Examples:1",
                        "place": "/d/trips.csv",
                        "sha256": SHA,
                        "files": 1,
                        "bytes": 10,
                        "times_checksum": None,
                    }
                ],
            }
        ],
        "schema": [{"id": "Schema:2", "sha256": SHA, "uri": "/1/schema"}],
        "pushes": [
            {
                "id": "PushedModel:7",
                "by": "Pusher@run-1",
                "destination": "/serving",
                "version": "7",
                "live": True,
                "blessed": False,
                "later": [],
            }
        ],
    }
    lines = drawn(content)
    assert lines[0] == "Model:3 artifact"
    assert "  payload           there, 1 file, 1.5 kB" in lines
    assert "      units: 8, 4" in lines
    assert "          auc: 0.95" in lines
    assert "    Evaluator (model, baseline_model): Evaluator@run-1" in lines


def test_what_a_push_and_a_blessing_say(recorded):
    assert show(recorded, "live")["push"] == {
        "pushed": True,
        "destination": "/serving/7",
        "version": "7",
        "live": True,
        "why_not": None,
        "models": ["Model:3"],
    }
    assert show(recorded, "InfraBlessing:6")["blessing"] == {
        "id": "InfraBlessing:6",
        "blessed": False,
        "reason": "slow",
        "message": "9 s",
        "models": ["Model:3"],
    }


def test_an_execution(recorded):
    content = show(recorded, "Trainer@run-1")
    assert content["inputs"] == {"examples": ["Examples:1"], "schema": ["Schema:2"]}
    assert content["outputs"] == {"model": ["Model:3"]}
    assert content["code_fingerprint"] == "f" * 64
    assert content["parameters"]["custom_config"]["nested"] == {"steps": 5}
    assert (content["state"], content["error"], content["run"]) == ("executed", None, "run-1")
    assert "        steps: 5" in drawn(content)


def test_the_error_of_a_failed_execution(path):
    result = json.dumps(
        {"resultMessage": "Traceback\n  [red]line[/]\nValueError: \x1b[31m", "code": 2}
    )
    StoreWriter(path).add_execution("taxi", "run-1", "Trainer", FAILED, __execution_result__=result)
    content = show(path, "Trainer@run-1")
    assert content["error"].startswith("Traceback\n")
    assert "__execution_result__" not in content["parameters"]
    assert drawn(content)[9:13] == [
        "  error",
        "    1: Traceback",
        "    2:   [red]line[/]",
        "    3: ValueError: \\x1b[31m",
    ]


def test_a_running_execution_has_not_ended(path):
    StoreWriter(path).add_execution("taxi", "run-1", "Trainer", RUNNING)
    assert show(path, "Trainer@run-1")["ended"] is None


def test_a_run_with_what_it_recorded(recorded):
    content = show(recorded, "run-1")
    assert content["recorded"]["packages"] == {"tfx": "1.16.0", "rich": "15"}
    assert content["recorded"]["settings"] == "name: taxi\nseed: 20\n"
    assert content["recorded"]["overrides"] == ["training.steps=5"]
    assert content["refused_by"] == ["InfraValidator"]
    assert content["outputs"]["Evaluator"] == {
        "blessing": ["ModelBlessing:5"],
        "evaluation": ["ModelEvaluation:4"],
    }
    assert content["nodes"][0]["id"] == "ExampleGen@run-1"
    lines = drawn(content)
    assert "    packages: 2 (--json lists them)" in lines
    assert "    settings: 2 lines (--json has them)" in lines
    assert show(recorded, "run-2")["recorded"] is None
    assert "  recorded          not recorded" in drawn(show(recorded, "run-2"))


def test_a_pipeline(recorded):
    content = show(recorded, "taxi")
    assert (content["runs"], content["statuses"]) == (2, {"complete": 2})
    assert (content["first"]["run_id"], content["last"]["run_id"]) == ("run-1", "run-2")
    assert content["live"] == {"Model:3": ["/serving/7"]}
    assert content["latest_runs"] == ["run-2", "run-1"]


# Stores of others, and what is not there.


def test_a_stock_store_says_what_is_not_recorded(path):
    writer = StoreWriter(path)
    fingerprint = "split:a,num_files:2,total_bytes:30,xor_checksum:1,sum_checksum:99"
    writer.add_execution(
        "taxi",
        "run-1",
        "CsvExampleGen",
        outputs={"examples": [artifact("/e", span=0, input_fingerprint=fingerprint)]},
        input_base="/data/",
        input_config='{"splits": [{"name": "a", "pattern": "day-*.csv"}]}',
    )
    writer.add_execution("taxi", "run-1", "Trainer", outputs={"model": [artifact("gs://b/m")]},
                         inputs=[("examples", 1)])  # fmt: skip
    content = show(path, "Model:2")
    assert content["payload"]["status"] == "not_looked_at"
    assert (content["model"]["hyperparameters"], content["model"]["blessings"]) == (None, [])
    [source] = content["model"]["data"][0]["sources"]
    assert (source["place"], source["files"], source["bytes"]) == ("/data/day-*.csv", 2, 30)
    assert (source["sha256"], source["times_checksum"]) == (None, "99")
    assert "    hyperparameters: not recorded" in drawn(content)


def test_a_pruned_payload(path):
    writer = StoreWriter(path)
    gone = artifact("/no/such/model")
    gone.state = mlmd.Artifact.DELETED
    writer.add_execution("taxi", "run-1", "Trainer", outputs={"model": [gone]})
    content = show(path, "Model:1")
    assert (content["payload"]["status"], content["state"]) == ("missing", "deleted")


def test_a_schema_whose_payload_is_there_and_one_that_is_not(path, tmp_path):
    (tmp_path / "schema.pbtxt").write_text('feature { name: "fare" type: FLOAT }')
    writer = StoreWriter(path)
    outputs = {"schema": [artifact(tmp_path), artifact("/no/such")]}
    writer.add_execution("taxi", "run-1", "SchemaGen", outputs=outputs)
    assert show(path, "Schema:1")["schema"]["columns"] == {"fare": {"type": "FLOAT"}}
    assert "    columns: fare" in drawn(show(path, "Schema:1"))
    gone = show(path, "Schema:2")["schema"]
    assert (gone["columns"], gone["unreadable"]) == (None, "Schema:2: no schema at /no/such")


def test_a_thousand_users_do_not_flood(path):
    writer = StoreWriter(path)
    writer.add_execution("taxi", "run-0", "ExampleGen", outputs={"examples": [artifact("/e")]})
    for index in range(30):
        writer.add_execution("taxi", f"run-{index}", "Trainer", inputs=[("examples", 1)])
    content = show(path, "Examples:1")
    assert len(content["used_by"]) == 30
    [line] = [line for line in drawn(content, 2000) if "Trainer" in line]
    assert line.startswith("    Trainer (examples), 30 times: Trainer@run-0, ")
    assert line.endswith("Trainer@run-9 … and 20 more (--json)")


def test_a_store_of_another_tool_without_any_context(path):
    store = metadata_store.MetadataStore(sqlite_connection(path))
    kind = store.put_artifact_type(mlmd.ArtifactType(name="Table"))
    [table] = store.put_artifacts([mlmd.Artifact(type_id=kind, uri="/t", name="trips")])
    kind = store.put_execution_type(mlmd.ExecutionType(name="etl.Load"))
    [load] = store.put_executions([mlmd.Execution(type_id=kind)])
    store.put_events([mlmd.Event(artifact_id=table, execution_id=load, type=mlmd.Event.OUTPUT)])
    content = show(path, "Table:1")
    assert (content["name"], content["made_by"], content["runs"]) == ("trips", ["Load#1"], [])
    content = show(path, "Load#1")
    assert (content["run"], content["outputs"], content["state"]) == (
        None,
        {"": ["Table:1"]},
        "unknown",
    )
    assert "    : Table:1" in drawn(content)


def test_hostile_text_is_shown_and_cut(path):
    hostile = "[bold]x[/] \x1b]0;t\x07 \u202e שלום " + "y" * 4096
    writer = StoreWriter(path)
    made = artifact(hostile, note=hostile, deep="[" * 5000 + "]" * 5000, bent="[1, NaN]")
    made.name = "a\nb"
    writer.add_execution("taxi", "run-1", "Trainer", outputs={"model": [made]})
    content = show(path, "Model:1")
    assert content["uri"] == hostile
    assert content["properties"]["bent"] == [1, "nan"]
    lines = drawn(content, 300)
    assert "  name              a\\nb" in lines
    [note] = [line for line in lines if line.startswith("    note: ")]
    assert note.startswith("    note: [bold]x[/] \\x1b]0;t\\x07 \\u202e שלום yyy")
    assert note.endswith("… (4,121 characters)")
    assert max(map(len, lines)) < 250


def test_values_as_an_outline():
    nested = {"a": {"b": [1, 2], "c": []}, "d": [{"e": True, "f": {"g": None}}, {"e": 0.25}]}
    assert outline(nested) == [
        "a:",
        "  b: 1, 2",
        "  c: none",
        "d:",
        "  - e: yes",
        "    f:",
        "      g: not recorded",
        "  - e: 0.25",
    ]
    assert outline([{"a": i} for i in range(12)])[-1] == "… and 2 more (--json)"
    assert len(outline({str(i): i for i in range(500)})) == 61
    assert decoded('{"a": "[1, {\\"b\\": 2}]"}') == {"a": [1, {"b": 2}]}
    assert decoded("{no json") == "{no json"
