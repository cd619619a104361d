"""The graph is read as it is walked, in batches, and says the same however it was read."""

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from lineage.graph.elements import Link, decode_values
from lineage.graph.graph import Graph
from lineage.store.open import open_store, sqlite_connection
from tests.stores.big import write_store
from tests.stores.writer import CACHED, FAILED, RUNNING, StoreWriter, artifact


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metadata.db"


@pytest.fixture
def small(path):
    writer = StoreWriter(path)
    outputs = {"examples": [artifact("/e", span=3), artifact("/f")]}
    writer.add_execution("taxi", "run-1", "ExampleGen", outputs=outputs)
    writer.add_execution("taxi", "run-1", "Trainer", FAILED, inputs=[("examples", 1)])
    writer.add_execution(
        "taxi", "run-1", "Trainer", inputs=[("examples+eval", 1), ("examples", 2)], steps=5
    )
    writer.add_execution("taxi", "run-2", "ExampleGen", CACHED, reused=[("examples", 1)])
    writer.add_execution("bikes.v2", "run-3", "Trainer", RUNNING)
    return path


def test_elements_by_id_in_the_order_that_was_asked_for(small):
    graph = Graph(open_store(small))
    assert [a.key for a in graph.artifacts([2, 1, 9, 2])] == ["Examples:2", "Examples:1"]
    assert [e.key for e in graph.executions([5, 99, 2, 1])] == [
        "Trainer@run-3",
        "Trainer@run-1#2",
        "ExampleGen@run-1",
    ]
    assert graph.executions([5])[0].place.pipeline == "bikes.v2"
    assert graph.executions([3])[0].properties == {"steps": 5}
    assert graph.states([4, 2, 99, 5]) == {4: "cached", 2: "failed", 5: "running"}
    assert [a.properties for a in graph.artifacts([1])] == [{"span": 3}]
    assert graph.artifacts([]) == graph.executions([]) == []


def test_links_and_what_they_join(small):
    graph = Graph(open_store(small))
    [maker, failed, trainer, cached] = graph.executions([1, 2, 3, 4])
    [first, second] = graph.artifacts([1, 2])
    assert graph.producers(first) == [maker, cached]
    assert graph.consumers(first) == [failed, trainer]
    assert graph.inputs(trainer) == {"eval": [first], "examples": [first, second]}
    assert graph.outputs(maker) == {"examples": [first, second]}
    assert graph.links_of_artifacts([2]) == [
        Link(2, 1, True, ("examples",)),
        Link(2, 3, False, ("examples",)),
    ]
    assert graph.links_of_artifacts([99]) == []


def test_by_type_uri_and_run(small):
    graph = Graph(open_store(small))
    assert [a.id for a in graph.artifacts_of_type("Examples", "Model")] == [1, 2]
    assert [a.id for a in graph.artifacts_at("/f")] == [2]
    assert [e.id for e in graph.executions_of_run("run-1")] == [1, 2, 3]
    assert graph.executions_of_run("run-9") == []
    assert graph.artifact_types() == ["Examples"]
    assert graph.count_executions() == 5
    assert graph.places.pipelines() == ["bikes.v2", "taxi"]
    assert list(graph.places.run_contexts()) == ["run-1", "run-2", "run-3"]
    assert graph.places.members_of_pipeline("taxi") == {1, 2, 3, 4}
    assert graph.places.members_of_pipeline("tax") == frozenset()


def test_what_a_run_recorded(small):
    StoreWriter(small).record_run("run-1", user="ada", nodes='["Trainer"]', packages="{broken")
    places = Graph(open_store(small)).places
    assert (places.record("run-1").text("user"), places.record("run-1").nodes) == (
        "ada",
        ["Trainer"],
    )
    assert places.record("run-1").packages == {}
    assert places.record("run-2").properties == places.record("run-9").properties == {}


def everything(graph):
    return (
        [(a.key, a.uri, dict(a.properties)) for a in graph.all_artifacts()],
        [(e.key, e.state, e.place) for e in graph.all_executions()],
        graph.links_of_artifacts(a.id for a in graph.all_artifacts()),
        graph.links_of_executions(e.id for e in graph.all_executions()),
    )


@pytest.mark.parametrize("runs", [2, 60])  # 60 runs: many enough to be read in another way
def test_the_whole_at_once_and_bit_by_bit_are_the_same(path, runs):
    write_store(path, runs)
    whole = Graph(open_store(path))
    whole.read_all()
    part = Graph(open_store(path))
    for i in range(1, runs * 10 + 1):
        part.executions([i])
    for i in range(1, runs * 15 + 1):
        part.artifacts([i])
    assert everything(part) == everything(whole)


def test_a_walk_of_many_questions_reads_the_rest_of_a_moderate_store_at_once(path):
    write_store(path, 60)
    store = open_store(path)
    asked = []
    real = store.get_events_by_artifact_ids
    store.get_events_by_artifact_ids = lambda ids: (asked.append(1), real(ids))[1]
    graph = Graph(store)
    for i in range(1, 901):
        assert graph.links_of_artifacts([i])
    assert len(asked) == 149


def test_a_store_without_contexts(path):
    store = metadata_store.MetadataStore(sqlite_connection(path))
    kind = store.put_execution_type(mlmd.ExecutionType(name="etl.steps.Load"))
    store.put_executions([mlmd.Execution(type_id=kind) for _ in range(400)])
    graph = Graph(open_store(path))
    assert graph.executions([1])[0].key == "Load#1"
    graph.read_all()
    assert [e.key for e in graph.all_executions()][-1] == "Load#400"
    assert graph.places.run_contexts() == {}


def test_an_empty_store(path):
    StoreWriter(path)
    graph = Graph(open_store(path))
    graph.read_all()
    assert graph.all_artifacts() == graph.all_executions() == graph.artifacts_of_type("Model") == []
    assert graph.count_executions() == 0


def test_values_are_decoded_as_tfx_wraps_them():
    made = artifact("/s", span=3)
    made.custom_properties["rates"].struct_value["__value__"] = '{"train": 1.0}'
    made.custom_properties["blessed"].struct_value["eval"] = 1.0
    made.custom_properties["broken"].struct_value["__value__"] = "{no json"
    made.custom_properties["none"].CopyFrom(mlmd.Value())
    assert decode_values(made.custom_properties) == {
        "blessed": {"eval": 1.0},
        "broken": "{no json",
        "rates": {"train": 1.0},
        "span": 3,
    }
