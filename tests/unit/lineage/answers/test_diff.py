"""What differs between two runs, and what is the same."""

import io
import json
import subprocess
import sys

import pytest
from google.protobuf import text_format
from rich.console import Console
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from typer.testing import CliRunner

from cli import app as cli
from fareline.errors import UserMistake
from lineage.answers.diff.diff import find_diff
from lineage.answers.diff.values import compare, replace_texts, to_decimals
from lineage.answers.diff.view import diff_as_json, draw_diff
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from lineage.text.flat import flatten
from tests.stores.writer import CACHED, StoreWriter, artifact

SETTINGS = """
name: taxi
features: {numeric: {fare: {log: true}}}
training: {steps: %(steps)d}
push: %(root)s/serving
"""


class Runs:
    """Writes recorded runs with payloads; by default all are the same in everything."""

    def __init__(self, folder):
        self.folder = folder
        self.writer = StoreWriter(folder / "metadata.db")
        self.models = {}

    def add(self, run, workspace="w", recorded=True, **changed):
        values = {"steps": 10, "auc": 0.9, "mean": 5.0, "rows": 100, "type": "FLOAT"}
        values |= {"path": "/data/x.csv", "sha256": "a" * 64} | changed
        root = self.folder / workspace
        artifacts = root / "artifacts"
        number = len(self.models) + 1
        writer = self.writer
        source = [{"path": values["path"], "bytes": 1, "sha256": values["sha256"]}]
        properties = {"source_files": json.dumps(source)} if recorded else {}
        examples = artifact(artifacts / f"ExampleGen/examples/{number}", span=1, **properties)
        examples.custom_properties["split_names"].string_value = '["train", "eval"]'
        self._add(run, "ExampleGen", {"examples": [examples]})
        rows = writer.artifact_ids[0]
        folder = artifacts / f"StatisticsGen/statistics/{number}"
        write_statistics(folder / "Split-train", values["rows"], values["mean"])
        self._add(run, "StatisticsGen", {"statistics": [artifact(folder)]}, [("examples", rows)])
        folder = artifacts / f"CuratedSchema/schema/{number}"
        write_schema(folder, values["type"])
        self._add(run, "CuratedSchema", {"schema": [artifact(folder, sha256="c" * 64)]})
        schema = writer.artifact_ids[0]
        transformed = {"transformed_examples": [artifact(artifacts / f"Transform/xf/{number}")]}
        self._add(run, "Transform", transformed, [("examples", rows), ("schema", schema)])
        xf = writer.artifact_ids[0]
        hyper = {"hyperparameters": json.dumps({"width": 64})} if recorded else {}
        model = artifact(artifacts / f"Trainer/model/{number}", **hyper)
        arguments = json.dumps({"num_steps": values["steps"], "at": f"{root}/artifacts/x"})
        self._add(run, "Trainer", {"model": [model]}, [("examples", xf)], train_args=arguments)
        self.models[run] = writer.artifact_ids[0]
        self.judge(run, run, values["auc"], recorded)
        if recorded:
            writer.record_run(
                run,
                settings=SETTINGS % {"steps": values["steps"], "root": root},
                git_commit=values.get("commit", "d" * 40),
                git_dirty=0,
                code_fingerprint="f" * 64,
                packages=json.dumps({"tfx": values.get("tfx", "1.16.0"), "rich": "14"}),
                stack="compat",
                python="3.10.13",
                runner=values.get("runner", "local"),
            )

    def judge(self, run, model, auc, recorded=True, blessed=1):
        metrics = {"overall": {"auc": auc}, "slices": {"day=1": {"auc": auc - 0.1}}}
        properties = {"metrics": json.dumps(metrics)} if recorded else {}
        outputs = {
            "evaluation": [artifact("/e", **properties)],
            "blessing": [artifact("/b", blessed=blessed)],
        }
        self._add(run, "Evaluator", outputs, [("model", self.models[model])])

    def diff(self, a, b):
        return find_diff(Graph(open_store(self.writer.path)), a, b)

    def _add(self, run, node, outputs, inputs=(), **properties):
        self.writer.add_execution("taxi", run, node, outputs=outputs, inputs=inputs, **properties)


def write_statistics(folder, rows, mean):
    listed = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = listed.datasets.add(num_examples=rows)
    fare = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.FLOAT)
    fare.path.step.append("fare")
    fare.num_stats.mean = mean
    fare.num_stats.std_dev = 2
    fare.num_stats.common_stats.num_non_missing = rows
    fare.num_stats.common_stats.max_num_values = 1
    fare.num_stats.common_stats.tot_num_values = rows - 3
    company = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
    company.path.step.append("company")
    company.string_stats.unique = 2
    company.string_stats.top_values.add(value="B", frequency=3)
    company.string_stats.top_values.add(value="A", frequency=9)
    folder.mkdir(parents=True)
    (folder / "FeatureStats.pb").write_bytes(listed.SerializeToString())


def write_schema(folder, kind):
    schema = schema_pb2.Schema()
    fare = schema.feature.add(name="fare", type=schema_pb2.FeatureType.Value(kind))
    fare.presence.min_fraction = 0.5
    folder.mkdir(parents=True)
    (folder / "schema.pbtxt").write_text(text_format.MessageToString(schema))


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


def changes(diff):
    """Group to path to (a, b), of the groups that differ."""
    return {
        group.name: {change.path: (change.a, change.b) for change in group.changes}
        for group in diff.groups
        if group.changes
    }


def test_a_run_and_itself_differ_in_nothing(runs):
    runs.add("r1")
    diff = runs.diff("r1", "r1")
    assert diff.differs == []
    assert all(group.same for group in diff.groups)


def test_the_same_in_another_workspace_differs_in_nothing(runs):
    runs.add("r1", workspace="here")
    runs.add("r2", workspace="elsewhere/deeper")
    assert runs.diff("r1", "r2").differs == []


def test_the_same_through_another_runner_differs_in_the_runner_only(runs):
    runs.add("r1")
    runs.add("r2", workspace="w2", runner="kubeflow")
    assert changes(runs.diff("r1", "r2")) == {"runner": {"runner": ("local", "kubeflow")}}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"steps": 20}, {"settings": {"training.steps": (10, 20)}}),
        ({"sha256": "b" * 64}, {"data": {"file /data/x.csv": ("a" * 64, "b" * 64)}}),
        ({"commit": "e" * 40}, {"code": {"git_commit": ("d" * 40, "e" * 40)}}),
        ({"tfx": "1.21.0"}, {"packages": {"tfx": ("1.16.0", "1.21.0")}}),
        ({"mean": 5.5}, {"statistics": {"train: fare.mean": (5.0, 5.5)}}),
        ({"type": "INT"}, {"schema": {"fare.type": ("FLOAT", "INT")}}),
        ({"auc": 0.95}, {"metrics": {"auc": (0.9, 0.95)}, "slices": {"day=1: auc": (0.8, 0.85)}}),
    ],
)
def test_one_thing_that_differs_is_the_only_one_named(runs, changed, expected):
    runs.add("r1")
    runs.add("r2", workspace="w2", **changed)
    found = changes(runs.diff("r1", "r2"))
    assert list(found) == list(expected)
    for name, paths in expected.items():
        assert list(found[name]) == list(paths)
        for path, values in paths.items():
            assert found[name][path] == pytest.approx(values) if name == "slices" else values


def test_models_and_runs_are_compared_and_a_run_means_its_own_judgement(runs):
    runs.add("r1")
    runs.writer.add_execution(
        "taxi", "r2", "Trainer", CACHED, reused=[("model", runs.models["r1"])]
    )
    runs.judge("r2", "r1", 0.9, blessed=0)
    diff = runs.diff(f"Model:{runs.models['r1']}", "r1")
    assert diff.a.facts.model == diff.b.facts.model
    assert changes(diff) == {"blessings": {"Evaluator": ("no", "yes")}}
    assert changes(runs.diff("r1", "r2"))["blessings"] == {"Evaluator": ("yes", "no")}


def test_without_a_record_the_parameters_of_the_nodes_are_compared(runs):
    runs.add("r1", recorded=False)
    runs.add("r2", workspace="w2", recorded=False, steps=20)
    diff = runs.diff("r1", "r2")
    assert changes(diff) == {"parameters": {"Trainer.train_args.num_steps": (10, 20)}}
    notes = {group.name: group.notes for group in diff.groups}
    assert notes["code"] == ("not recorded in a and b",)
    assert notes["data"] == ("source files are not recorded",)
    assert "settings are not recorded" in notes["parameters"][0]


def test_a_payload_that_is_missing_or_broken_is_said(runs, tmp_path):
    runs.add("r1")
    runs.add("r2", workspace="w2")
    [statistics] = tmp_path.glob("w2/**/FeatureStats.pb")
    statistics.unlink()
    [schema] = tmp_path.glob("w2/**/schema.pbtxt")
    schema.write_text("no schema {")
    groups = {group.name: group for group in runs.diff("r1", "r2").groups}
    assert "no statistics at" in groups["statistics"].notes[0]
    assert groups["statistics"].notes[0].endswith(" in b")
    assert "is not a schema" in groups["schema"].notes[0]
    assert groups["schema"].same == ()


def test_empty_cells_are_missing_as_a_share_of_the_rows(runs):
    runs.add("r1")
    runs.add("r2", workspace="w2", rows=200)
    found = changes(runs.diff("r1", "r2"))["statistics"]
    assert found["train: rows"] == (100, 200)
    assert found["train: fare.missing"] == (0.03, 0.015)  # three in both
    assert "train: company.top" not in found


def test_a_crashed_run_without_a_model_is_compared_as_far_as_it_came(runs):
    runs.add("r1")
    runs.writer.add_execution("taxi", "r2", "ExampleGen", outputs={"examples": [artifact("/x")]})
    diff = runs.diff("r1", "r2")
    assert diff.b.facts is None
    assert changes(diff)["pushed"] == {"model": (None, "none"), "pushed": ("no", None)}
    console = Console(file=io.StringIO(), width=200)
    draw_diff(console, diff)
    assert "b: r2, no model" in console.file.getvalue()


def test_a_moved_source_file_of_the_same_content_is_no_difference(runs):
    runs.add("r1")
    runs.add("r2", workspace="w2", path="/elsewhere/y.csv")
    runs.add("r3", workspace="w3", path="/elsewhere/y.csv", sha256="b" * 64)
    diff = runs.diff("r1", "r2")
    assert diff.differs == []
    assert diff.groups[0].notes == (
        "file /data/x.csv was file /elsewhere/y.csv in b: the same content",
    )
    assert changes(runs.diff("r1", "r3")) == {
        "data": {
            "file /data/x.csv": ("a" * 64, None),
            "file /elsewhere/y.csv": (None, "b" * 64),
        }
    }


def test_values_are_compared_after_rounding_and_nan_is_nan():
    group = compare(
        "metrics",
        {"a": 0.12345671, "n": float("nan")},
        {"a": 0.12345674, "n": float("nan")},
        (),
        to_decimals(6),
    )
    assert group.same == ("a", "n")
    [change] = compare("metrics", {"a": 0.1}, {"a": 0.4}, (), to_decimals(6)).changes
    assert change.difference == 0.3


def test_nested_values_have_dotted_paths():
    assert flatten({"a": {"b": [1, 2], "c": [{"d": 1}]}, "e": {}}) == {
        "a.b": [1, 2],
        "a.c.0.d": 1,
        "e": {},
    }
    assert replace_texts({"x": ["/w/a", 3]}, [("/w", "{root}")]) == {"x": ["{root}/a", 3]}


def test_json_is_whole_and_the_table_has_the_largest(runs):
    runs.add("r1")
    runs.add("r2", workspace="w2", auc=0.95, tfx="[red]1[/red]")
    diff = runs.diff("r1", "r2")
    content = json.loads(json.dumps(diff_as_json(diff), allow_nan=False))
    assert list(content) == ["a", "b", "differs", "same", "groups"]
    assert content["differs"] == ["packages", "metrics", "slices"]
    [change] = content["groups"]["metrics"]["changes"]
    assert change == {"path": "auc", "a": 0.9, "b": 0.95, "difference": 0.05}
    console = Console(file=io.StringIO(), width=200)
    draw_diff(console, diff)
    shown = console.file.getvalue()
    assert "differs in: packages, metrics, slices" in shown
    assert "[red]1[/red]" in shown
    assert "compared to 6 decimals" in shown


def test_only_the_largest_ten_are_listed_unless_all_are_asked_for(runs):
    runs.add("r1")
    diff = runs.diff("r1", "r1")
    group = compare("packages", {f"p{i}": 1 for i in range(12)}, {})
    for show_all, expected in ((False, "and 2 more: --all shows them"), (True, "p9")):
        console = Console(file=io.StringIO(), width=200)
        draw_diff(console, type(diff)(diff.a, diff.b, (group,)), show_all)
        assert expected in console.file.getvalue()


def test_what_leads_to_no_run_is_refused(runs):
    runs.add("r1")
    with pytest.raises(UserMistake, match="taxi: is a pipeline"):
        runs.diff("taxi", "r1")
    words = ["lineage", "diff", "r1", "r1", "--store", str(runs.writer.path)]
    ran = CliRunner().invoke(cli.app, words)
    assert (ran.exit_code, "nothing differs" in ran.stdout) == (0, True)


def test_reading_payloads_imports_no_tensorflow():
    code = (
        "import sys; from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2; "
        "import lineage.answers.diff.diff, lineage.answers.diff.view; "
        "import lineage.answers.impact.view, lineage.answers.models.view; "
        "print({'tensorflow', 'tfx', 'pandas', 'rich'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
