"""Places: a node that a run has twice is known as repeated, in whatever order it is asked for."""

from lineage.graph.graph import Graph
from lineage.store.open import open_store
from tests.stores.writer import FAILED, StoreWriter


def test_a_repeated_node_is_known_without_reading_the_rest_of_the_run(tmp_path):
    writer = StoreWriter(tmp_path / "m.db")
    gen = writer.add_execution("taxi", "r1", "ExampleGen")
    first = writer.add_execution("taxi", "r1", "Trainer", FAILED)
    again = writer.add_execution("taxi", "r1", "Trainer")
    other = writer.add_execution("taxi", "r2", "Trainer")
    graph = Graph(open_store(writer.path))
    asked = [graph.executions([i])[0] for i in (gen, again, first, other)]
    assert [execution.key for execution in asked] == [
        "ExampleGen@r1",
        f"Trainer@r1#{again}",
        f"Trainer@r1#{first}",
        "Trainer@r2",
    ]


def test_pipelines_and_nodes_with_a_dot_in_their_name_are_told_apart(tmp_path):
    writer = StoreWriter(tmp_path / "m.db")
    writer.add_execution("taxi", "r1", "Train.er")
    writer.add_execution("taxi.eu", "r2", "Trainer")
    graph = Graph(open_store(writer.path))
    places = [graph.executions([i])[0].place for i in (1, 2)]
    assert [(place.pipeline, place.node) for place in places] == [
        ("taxi", "Train.er"),
        ("taxi.eu", "Trainer"),
    ]
