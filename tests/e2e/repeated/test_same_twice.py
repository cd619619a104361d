"""The same code, settings, seed and data give the same, bit for bit, in another workspace."""

import glob
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from lineage.answers.reproduce.reproduce import recorded_metrics
from lineage.graph.graph import Graph
from lineage.ids import find_model
from lineage.store.open import open_store
from tests.e2e.conftest import run_fareline


@pytest.fixture(scope="module")
def both(small_run, tmp_path_factory):
    """Two workspaces: that of the small run, and one of the same settings from nothing."""
    again = tmp_path_factory.mktemp("again") / "workspace"
    finished = run_fareline(again, *small_run.settings)
    assert finished.exit_code == 0, finished.stderr
    return small_run.kept, again


def files_of(workspace, pattern):
    """Path below the folder of the artifact to path, of the one artifact that matches."""
    base = workspace / "artifacts" / pattern.partition("*")[0]
    found = glob.glob(str(workspace / "artifacts" / pattern), recursive=True)
    return {path.removeprefix(str(base)).partition("/")[2]: path for path in sorted(found)}


def contents(workspace, pattern):
    """Contents of files, by path."""
    return {name: Path(path).read_bytes() for name, path in files_of(workspace, pattern).items()}


def examples(workspace, pattern):
    """Examples by path; the order of the features within one hangs on the process."""
    return {
        name: [
            tf.train.Example.FromString(record).SerializeToString(deterministic=True)
            for record in tf.data.TFRecordDataset(path, "GZIP").as_numpy_iterator()
        ]
        for name, path in files_of(workspace, pattern).items()
    }


@pytest.mark.parametrize("artifact", ["ExampleGen/examples", "Transform/transformed_examples"])
def test_examples_are_the_same(both, artifact):
    one, two = (examples(workspace, f"{artifact}/*/Split-*/*.gz") for workspace in both)
    assert sum(map(len, one.values())) == 1500
    assert one == two


@pytest.mark.parametrize(
    "pattern",
    ["Transform/transform_graph/*/transform_fn/assets/*", "Tuner/best_hyperparameters/*/*.txt"],
)
def test_vocabularies_and_hyperparameters_are_the_same(both, pattern):
    one, two = (contents(workspace, pattern) for workspace in both)
    assert one
    assert one == two


def test_weights_and_statistics_of_the_model_are_the_same(both):
    one, two = (
        tf.train.load_checkpoint(index.removesuffix(".index"))
        for workspace in both
        for index in files_of(
            workspace, "Trainer/model/*/Format-Serving/variables/*.index"
        ).values()
    )
    names = {name for name in one.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name}
    assert len(names) > 4
    for name in names:
        np.testing.assert_array_equal(one.get_tensor(name), two.get_tensor(name), err_msg=name)


def test_evaluations_in_training_and_metrics_are_the_same(both):
    told = [
        json.loads(content)
        for workspace in both
        for content in contents(workspace, "Trainer/model_run/*/training.json").values()
    ]
    assert told[0] == told[1]
    found = []
    for workspace in both:
        graph = Graph(open_store(workspace / "metadata.db"))
        found.append(recorded_metrics(graph, find_model(graph, _run_id(workspace))))
    assert found[0]["auc"] > 0.5
    assert found[0] == found[1]


def _run_id(workspace):
    [log] = (workspace / "logs").glob("run-*.log")
    return log.stem
