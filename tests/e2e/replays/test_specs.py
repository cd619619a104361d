"""One pipeline, one seed, three runners: run here, by the Vertex spec, by the Kubeflow spec.

All three are recorded in one workspace, and none of them meets a baseline: the Vertex spec runs
first, the Kubeflow spec looks into a bucket of its own, and the local run follows a reset.
"""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from fareline.recorded.evaluation import metrics_of
from lineage.facts.runs import outputs_of_run
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from tests.e2e.conftest import Finished, fareline_command, run_fareline, run_process
from tests.forked import run_forked

pytestmark = [pytest.mark.replay, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1500)]

BUCKET = "gs://example-bucket"  # of the default settings
RUNNERS = ("local", "vertex", "kubeflow")
SPECS = ("vertex", "kubeflow")
# The same rows, order and seed give the same weights. What remains is the order in which Beam and
# TensorFlow add up: it has moved a metric by 1e-9.
TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class Runs:
    """The three runs.

    Attributes:
        folder: With the workspace, the specs, and a folder for the bucket of each.
        by_runner: How each ended.
        again: The Vertex spec a second and a third time, right after the first.
    """

    folder: Path
    by_runner: dict[str, Finished]
    again: list[Finished]

    @property
    def workspace(self):
        return self.folder / "workspace"

    def run_id(self, runner):
        return self.by_runner[runner].answer["run_id"]

    def output(self, runner, node, key):
        graph = Graph(open_store(self.workspace / "metadata.db"))
        [artifact] = outputs_of_run(graph, self.run_id(runner))[node][key]
        return artifact


def fareline(*arguments):
    done = run_forked(**fareline_command(*arguments))
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_spec(folder, runner, settings=(), run=run_forked):
    bucket = f"--map={BUCKET}={folder / runner}"
    path = folder / f"{runner}{'.json' if runner == 'vertex' else '.yaml'}"
    arguments = ("--spec", path, bucket)
    return run_fareline(folder / "workspace", *settings, arguments=arguments, run=run)


@pytest.fixture(scope="session")
def runs(tmp_path_factory, small_csv, small_settings):
    folder = tmp_path_factory.mktemp("specs")
    overrides = [part for setting in small_settings for part in ("--set", setting)]
    found, again = {}, []
    for runner in SPECS:
        data = folder / runner / "chicago-taxi" / "data"
        data.mkdir(parents=True)
        shutil.copy(small_csv, data)
        suffix = ".json" if runner == "vertex" else ".yaml"
        fareline("compile", runner, "-o", folder / f"{runner}{suffix}", *overrides)
        found[runner] = run_spec(folder, runner, small_settings, run_process)
        if runner == "vertex":
            again = [run_spec(folder, runner) for _ in range(2)]
    workspace = ("--workspace", folder / "workspace")
    fareline("baseline", "reset", "--reason", "parity", *workspace)
    found["local"] = run_fareline(folder / "workspace", *small_settings)
    return Runs(folder, found, again)


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_whole_pipeline_runs_and_pushes(runs, runner):
    run = runs.by_runner[runner]
    assert run.exit_code == 0, run.stderr
    assert set(run.states().values()) == {"executed"}
    assert (run.answer["status"], run.answer["blessed"], run.answer["infra_blessed"]) == (
        "pushed", True, True
    )  # fmt: skip
    assert run.answer["baseline"] is None
    assert Path(run.answer["pushed_to"], "saved_model.pb").is_file()


def test_specs_push_into_the_folder_that_stands_for_the_bucket(runs):
    for runner in SPECS:
        pushed_to = Path(runs.by_runner[runner].answer["pushed_to"])
        assert pushed_to.is_relative_to(runs.folder / runner / "chicago-taxi")


def test_the_table_names_every_task(runs):
    lines = runs.by_runner["vertex"].stderr.splitlines()
    assert lines[0].endswith("vertex spec")
    shown = [line.split()[1] for line in lines if line.startswith("✓")]
    assert set(shown) == set(runs.by_runner["vertex"].states())


# The same on all runners.


def files_below(artifact, pattern):
    root = Path(artifact.uri)
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.glob(pattern))}


@pytest.mark.parametrize("runner", SPECS)
def test_the_schema_is_the_same(runs, runner):
    for node in ("CuratedSchema", "SchemaGen"):
        local, other = (
            files_below(runs.output(r, node, "schema"), "schema.pbtxt") for r in ("local", runner)
        )
        assert local and local == other


def rows_by_split(artifact):
    """Split to the rows of an Examples artifact, sorted."""
    found = {}
    for folder in sorted(Path(artifact.uri).glob("Split-*")):
        files = sorted(str(path) for path in folder.iterdir())
        rows = tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()
        # The features of a row are written in any order as well.
        examples = map(tf.train.Example.FromString, rows)
        found[folder.name] = sorted(e.SerializeToString(deterministic=True) for e in examples)
    return found


@pytest.mark.parametrize("runner", SPECS)
def test_splits_hold_the_same_rows(runs, runner):
    local, other = (
        rows_by_split(runs.output(r, "ExampleGen", "examples")) for r in ("local", runner)
    )
    assert {split: len(rows) for split, rows in local.items()} == {
        split: len(rows) for split, rows in other.items()
    }
    assert sum(map(len, local.values())) == 1500
    assert local == other


def parsed(rows):
    """Feature to values of all rows, in the order of the rows sorted by all of their integers."""
    examples = [tf.train.Example.FromString(row).features.feature for row in rows]
    table = []
    for features in examples:
        integers = {k: tuple(f.int64_list.value) for k, f in sorted(features.items())}
        floats = {k: tuple(f.float_list.value) for k, f in sorted(features.items())}
        table.append((tuple(sorted(integers.items())), tuple(sorted(floats.items()))))
    return sorted(table)


@pytest.mark.parametrize("runner", SPECS)
def test_the_transform_graph_gives_the_same(runs, runner):
    """Vocabularies byte by byte, and every transformed row: integers exactly, floats to 1e-5."""
    vocabularies = [
        files_below(runs.output(r, "Transform", "transform_graph"), "transform_fn/assets/*")
        for r in ("local", runner)
    ]
    assert vocabularies[0] and vocabularies[0] == vocabularies[1]
    local, other = (
        rows_by_split(runs.output(r, "Transform", "transformed_examples"))
        for r in ("local", runner)
    )
    assert {*local} == {*other} >= {"Split-train", "Split-validate"}
    for split, rows in local.items():
        for (integers, floats), (its_integers, its_floats) in zip(
            parsed(rows), parsed(other[split]), strict=True
        ):
            assert integers == its_integers
            for (name, values), (its_name, its_values) in zip(floats, its_floats, strict=True):
                assert (name, values) == (its_name, pytest.approx(its_values, abs=1e-5))


@pytest.mark.parametrize("runner", SPECS)
def test_metrics_and_verdict_are_the_same(runs, runner):
    local, other = (runs.by_runner[r].answer["metrics"] for r in ("local", runner))
    assert set(local) == set(other) and "auc" in local
    for name, value in local.items():
        assert (name, value) == (name, pytest.approx(other[name], abs=TOLERANCE))
    verdicts = [runs.by_runner[r].answer["why"]["evaluator"]["verdict"] for r in ("local", runner)]
    assert [v["passed"] for v in verdicts] == [True, True]


def test_recorded_metrics_are_those_of_the_answer(runs):
    for runner in RUNNERS:
        evaluation = runs.output(runner, "Evaluator", "evaluation")
        assert metrics_of(evaluation) == pytest.approx(runs.by_runner[runner].answer["metrics"])


@pytest.mark.parametrize("runner", SPECS)
def test_lineage_diff_shows_only_the_runner(runs, runner):
    text = fareline("lineage", "diff", "--json", "--workspace", runs.workspace,
                    runs.run_id("local"), runs.run_id(runner))  # fmt: skip
    diff = json.loads(text)
    groups = diff["groups"]
    changed = {name: group["changes"] for name, group in groups.items() if group["changes"]}
    assert changed == {
        "runner": [{"path": "runner", "a": "local", "b": f"{runner} spec", "difference": None}]
    }
    same = {"data", "statistics", "schema", "features", "settings", "code", "packages", "metrics"}
    assert same | {"slices", "hyperparameters", "blessings", "pushed"} <= {*diff["same"]}


# Lineage, and the cache.


def test_lineage_answers_for_runs_of_specs(runs):
    listed = json.loads(fareline("lineage", "runs", "--json", "--workspace", runs.workspace))
    found = {run["run_id"]: run for run in listed}
    for runner in RUNNERS:
        run = found[runs.run_id(runner)]
        assert (run["status"], run["pipeline"]) == ("complete", "chicago-taxi")
    why = json.loads(
        fareline("why", "--json", "--workspace", runs.workspace, runs.run_id("vertex"))
    )
    assert why["evaluator"]["blessed"] and why["evaluator"]["verdict"]["passed"]
    assert why["pusher"]["destination"] == runs.by_runner["vertex"].answer["pushed_to"]
    models = fareline("models", "--workspace", runs.workspace)
    assert runs.run_id("vertex") in models and runs.run_id("kubeflow") in models


def test_the_second_run_is_served_from_the_cache(runs):
    """Except for what met its first baseline; after that everything is."""
    second, third = runs.again
    assert second.exit_code == third.exit_code == 0, second.stderr + third.stderr
    resolvers = {"BaselineResolver-model-blessing-resolver", "BaselineResolver-model-resolver"}
    assert second.nodes_in("executed") == {"Evaluator", "Pusher"} | resolvers
    assert third.nodes_in("executed") == resolvers
    model = runs.output("vertex", "Trainer", "model").key
    assert second.answer["baseline"] == third.answer["baseline"] == model
    assert third.answer["metrics"] == second.answer["metrics"]
