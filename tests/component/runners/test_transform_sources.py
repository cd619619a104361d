"""Outputs of one operation share the answers that TFT gives (runners.beam.transform_sources)."""

import random
import types

import pytest
import tensorflow as tf
from tensorflow_transform import graph_tools
from tensorflow_transform.saved import saved_transform_io_v2 as transform_io

from runners.beam import transform_sources

LOADER = transform_io.SavedModelLoader


@pytest.fixture
def untouched(monkeypatch):
    """TFT as installed, whoever changed it before; and again after the test."""
    for owner, name in (
        (transform_io, "_get_output_to_inputs_map"),
        (LOADER, "_get_fetches"),
    ):
        found = getattr(owner, name)
        monkeypatch.setattr(owner, name, getattr(found, "replaces", found))


@pytest.fixture(scope="module")
def graph():
    """A graph with outputs that share an operation, others, a sparse one, a constant, a capture."""
    scale = tf.Variable([2.0, 3.0, 4.0])

    @tf.function(
        input_signature=[
            {
                **{name: tf.TensorSpec([None, 1], tf.float32, name) for name in "abcd"},
                "s": tf.SparseTensorSpec([None, None], tf.float32),
            }
        ],
        autograph=False,
    )
    def transform(inputs):
        matrix = tf.concat([inputs[name] for name in "abc"], axis=1) * scale
        columns = tf.split(matrix, 3, axis=1)
        return {
            **{f"scaled_{place}": tf.identity(x) for place, x in enumerate(columns)},
            "twice": tf.identity(tf.identity(columns[1])),
            "alone": inputs["d"] + 1.0,
            "passed": tf.identity(inputs["d"]),
            "sparse": tf.SparseTensor(
                inputs["s"].indices, inputs["s"].values * 2.0, inputs["s"].dense_shape
            ),
            "both": inputs["a"] + inputs["d"],
            "constant": tf.constant([[1.0]]),
        }

    concrete = transform.get_concrete_function()
    outputs = tf.nest.pack_sequence_as(
        concrete.graph.structured_outputs, concrete.graph.outputs, expand_composites=True
    )
    return concrete.graph, outputs


def test_each_output_depends_on_the_inputs_that_tft_finds(untouched, graph, monkeypatch):
    _, outputs = graph
    expected = transform_io._get_output_to_inputs_map(outputs)
    searches = []
    search = graph_tools.retrieve_sources

    def retrieve_sources(sinks, ignore_control_dependencies=False):
        searches.append(sinks)
        return search(sinks, ignore_control_dependencies)

    monkeypatch.setattr(graph_tools, "retrieve_sources", retrieve_sources)
    transform_sources.share_sources()
    found = transform_io._get_output_to_inputs_map(outputs)
    assert list(found) == list(expected) == list(outputs)
    for name, sources in expected.items():
        assert {x.name for x in found[name]} == {x.name for x in sources}, name
    # One for scaled_* and twice; passed is the input itself.
    assert len(searches) == 6


def test_what_can_be_fetched_is_what_tft_says_for_any_feeds(untouched, graph):
    func_graph, outputs = graph
    loader = types.SimpleNamespace(
        _func_graph=func_graph,
        _structured_outputs=outputs,
        _output_to_inputs_map=transform_io._get_output_to_inputs_map(outputs),
    )
    ask = LOADER._get_fetches
    transform_sources.share_sources()
    shared = types.SimpleNamespace(
        **vars(loader) | {"_output_to_inputs_map": transform_io._get_output_to_inputs_map(outputs)}
    )
    chooser = random.Random(13)
    answers = set()
    for _ in range(60):
        feeds = [tensor for tensor in func_graph.inputs if chooser.random() < 0.7]
        expected = ask(loader, feeds)
        found = LOADER._get_fetches(shared, feeds)
        assert list(found.items()) == list(expected.items())
        answers.add(tuple(expected))
    assert len(answers) > 5


@pytest.mark.parametrize("missing", ["_get_output_to_inputs_map", "retrieve_sources", "fetches"])
def test_another_tft_is_left_as_it_is(untouched, missing, monkeypatch):
    def other(something):
        return something

    owner, name = {
        "_get_output_to_inputs_map": (transform_io, "_get_output_to_inputs_map"),
        "retrieve_sources": (graph_tools, "retrieve_sources"),
        "fetches": (LOADER, "_get_fetches"),
    }[missing]
    monkeypatch.setattr(owner, name, other)
    before = transform_io._get_output_to_inputs_map, LOADER._get_fetches
    transform_sources.share_sources()
    assert (transform_io._get_output_to_inputs_map, LOADER._get_fetches) == before


def test_a_tft_without_the_loader_is_left_as_it_is(untouched, monkeypatch):
    before = transform_io._get_output_to_inputs_map
    monkeypatch.delattr(transform_io, "SavedModelLoader")
    transform_sources.share_sources()
    assert transform_io._get_output_to_inputs_map is before


def test_a_second_call_changes_nothing(untouched):
    transform_sources.share_sources()
    first = transform_io._get_output_to_inputs_map, LOADER._get_fetches
    transform_sources.share_sources()
    assert (transform_io._get_output_to_inputs_map, LOADER._get_fetches) == first
