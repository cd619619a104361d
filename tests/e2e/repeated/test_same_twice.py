"""The same code, settings, seed and data give the same, bit for bit, in another workspace."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from lineage.answers.reproduce.reproduce import recorded_metrics
from lineage.graph.graph import Graph
from lineage.ids import find_model
from lineage.store.open import open_store


@pytest.fixture(scope="module")
def both(small_run, resumed_run):
    """Two workspaces: that of the small run, and one that was killed on its way and run again."""
    assert resumed_run.resumed.exit_code == 0, resumed_run.resumed.stderr
    return small_run.kept, resumed_run.workspace


def files_of(workspace, pattern):
    """Path below the folder of the artifact to path, of the newest artifact that matches."""
    base, _, below = pattern.partition("/*/")
    folder = max((workspace / "artifacts" / base).iterdir(), key=lambda path: int(path.name))
    found = sorted(folder.glob(below))
    return {path.relative_to(folder).as_posix(): str(path) for path in found}


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
    return max(log.stem for log in (workspace / "logs").glob("run-*.log"))
