"""The graph in two: `pipeline: data` and `pipeline: training` of one settings file."""

import pytest

from fareline.errors import UserMistake
from lineage.store.open import open_store_in_place
from pipeline.resolvers.last_hyperparameters import LastHyperparametersStrategy
from pipeline.resolvers.prepared_data import PreparedDataStrategy
from pipeline.settings.load import load_settings
from tests.component.compiled_graphs import compile_graph
from tests.stores.writer import StoreWriter, artifact, mlmd

ON_DRIFT = ("tuning.policy=on_drift",)


def compiled(tmp_path, *overrides, **more):
    """Name of the pipeline, and node id to compiled node."""
    return compile_graph(load_settings(overrides=overrides), tmp_path, **more)


@pytest.mark.parametrize("more", [(), ("schema=null",), ON_DRIFT, ("training.warm_start=live",)])
def test_the_two_graphs_are_the_whole_graph_cut_before_transform(tmp_path, more):
    names, graphs = zip(
        *(compiled(tmp_path, f"pipeline={part}", *more) for part in ("whole", "data", "training")),
        strict=True,
    )
    whole, data, training = graphs
    assert names == ("chicago-taxi", "chicago-taxi-data", "chicago-taxi")
    assert set(data) | set(training) == {*whole, "DataResolver"}
    assert set(data) & set(training) == set()
    before, found = set(), {"Transform"}
    while found - before:
        before |= found
        found = {upstream for name in before for upstream in whole[name].upstream_nodes}
    ended = {"StatisticsGen", "SchemaGen", "ExampleValidator"}
    assert set(data) == before - {"Transform"} | ended
    for name, node in training.items():
        if name == "DataResolver":
            continue
        others = {n for n in whole[name].upstream_nodes if n in training}
        given = set(whole[name].upstream_nodes) - others
        assert set(node.upstream_nodes) == others | ({"DataResolver"} if given else set())
        if name != "LastHyperparameters":  # a resolver, which is asked for other drift
            assert node.parameters == whole[name].parameters
            assert node.inputs.inputs.keys() == whole[name].inputs.inputs.keys()


def test_the_data_is_read_by_the_ids_that_were_chosen(tmp_path):
    writer = StoreWriter(tmp_path / "metadata.db")
    ids = {}
    for key, node in (
        ("examples", "ExampleGen"),
        ("schema", "SchemaGen"),
        ("drift", "DriftMonitor"),
    ):
        writer.add_execution("taxi-data", "run-1", node, outputs={key: [artifact(f"/{key}", a=1)]})
        [ids[key]] = writer.artifact_ids
    store = open_store_in_place(str(tmp_path / "metadata.db"))
    asked = {key: [] for key in ids}
    found = PreparedDataStrategy(ids).resolve_artifacts(store, asked)
    assert {key: [a.id for a in artifacts] for key, artifacts in found.items()} == {
        key: [number] for key, number in ids.items()
    }
    assert [a.uri for artifacts in found.values() for a in artifacts] == [f"/{key}" for key in ids]
    assert [a.type_name for artifacts in found.values() for a in artifacts] == [
        *("Examples", "Schema", "pipeline.DataDrift")
    ]
    writer.set_state(ids["schema"], mlmd.Artifact.DELETED)
    for wrong in (ids, {}):
        with pytest.raises(UserMistake, match=r"DataResolver: its \w+ with the id \w+ is gone; "):
            PreparedDataStrategy(wrong).resolve_artifacts(store, asked)


def test_a_search_is_decided_by_the_drift_that_the_data_pipeline_has_recorded(tmp_path):
    writer = StoreWriter(tmp_path / "metadata.db")

    def add(pipeline, node, key, *inputs, **properties):
        outputs = {key: [artifact(f"/{key}", **properties)]}
        writer.add_execution(pipeline, "run", node, outputs=outputs, inputs=inputs)
        return writer.artifact_ids[0]

    hyperparameters = add("taxi", "Tuner", "best_hyperparameters")
    model = add("taxi", "Trainer", "model", ("hyperparameters", hyperparameters))
    blessing = add("taxi", "Evaluator", "blessing", blessed=1, current_model_id=model)
    since = add("taxi-data", "ExampleGen", "examples")
    drift = add("taxi-data", "DriftMonitor", "drift", ("examples", since), retunes=1)
    add("bikes-data", "DriftMonitor", "drift", ("examples", since), retunes=1)
    now = add("taxi-data", "ExampleGen", "examples")
    store = open_store_in_place(str(tmp_path / "metadata.db"))
    asked = {"examples": [now], "model": [model], "model_blessing": [blessing]}
    asked |= {"hyperparameters": [hyperparameters], "earlier_drift": []}
    given = {
        key: PreparedDataStrategy({key: i}).resolve_artifacts(store, {key: []})[key]
        for key, [i] in ((key, ids) for key, ids in asked.items() if ids)
    }
    given["earlier_drift"] = []
    strategy = LastHyperparametersStrategy("taxi", "taxi-data")
    found = strategy.resolve_artifacts(store, given)
    assert [a.id for a in found["hyperparameters"]] == [hyperparameters]
    assert [a.id for a in found["earlier_drift"]] == [drift]
