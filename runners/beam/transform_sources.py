"""Finds the inputs of each output of a transform graph, once for outputs that share them.

When TFT loads a transform graph, it walks back from each output through all that lies before it,
and later subtracts what is fed from each output's set of inputs. Numbers are scaled in one matrix
(preprocessing.transform), so every number lies before every output: both took minutes from some
hundreds of columns on. Here outputs of one operation share one answer; the answers are those that
TFT gives. Called by `runners.beam.engine`; imports TFT.
"""

import types
from collections.abc import Callable, Iterable, Mapping

import tensorflow as tf
from absl import logging

from runners.beam.replacing import is_known, replaces


def share_sources() -> None:
    """Replaces two functions of TFT by ones that answer once for many outputs; once per process.

    Where one of them is not as this module knows it, both stay as they are, and the log says so.
    """
    from tensorflow_transform import graph_tools
    from tensorflow_transform.saved import saved_transform_io_v2 as transform_io

    loader = getattr(transform_io, "SavedModelLoader", None)
    if loader is None:
        logging.warning("%s has no SavedModelLoader; it stays as it is", transform_io.__name__)
        return
    if (
        is_known(graph_tools, "retrieve_sources", "sinks", "ignore_control_dependencies")
        and is_known(transform_io, "_get_output_to_inputs_map", "output_signature")
        and is_known(loader, "_get_fetches", "self", "feeds")
    ):
        find = transform_io._get_output_to_inputs_map
        transform_io._get_output_to_inputs_map = _share_searches(find)
        loader._get_fetches = _share_answers(loader._get_fetches)


def _share_searches(find: Callable) -> Callable:
    """Of outputs of the same operations, one search for what they depend on."""

    @replaces(find)
    def _get_output_to_inputs_map(
        output_signature: Mapping[str, tf.Tensor | tf.SparseTensor],
    ) -> dict[str, Iterable[tf.Tensor]]:
        origins = {name: _origins(output) for name, output in output_signature.items()}
        asked = {origin: name for name, origin in origins.items()}  # one output for each origin
        found = find({name: output_signature[name] for name in asked.values()})
        return {name: found[asked[origin]] for name, origin in origins.items()}

    return _get_output_to_inputs_map


def _origins(output: tf.Tensor | tf.SparseTensor) -> frozenset[int]:
    """The operations that make an output, without those that only pass it on."""
    operations = [tensor.op for tensor in tf.nest.flatten(output, expand_composites=True)]
    for place, operation in enumerate(operations):
        while operation.type == "Identity":
            operation = operation.inputs[0].op
        operations[place] = operation
    return frozenset(map(id, operations))


def _share_answers(find: Callable) -> Callable:
    """Of outputs with one set of inputs, one answer to whether all of them are fed."""

    @replaces(find)
    def _get_fetches(self, feeds: Iterable[tf.Tensor]) -> dict[str, tf.Tensor | tf.SparseTensor]:
        sources = self._output_to_inputs_map
        outputs = self._structured_outputs
        asked = {id(sources[name]): name for name in outputs}
        some = types.SimpleNamespace(
            _func_graph=self._func_graph,
            _output_to_inputs_map=sources,
            _structured_outputs={name: outputs[name] for name in asked.values()},
        )
        fed = {id(sources[name]) for name in find(some, feeds)}
        return {name: output for name, output in outputs.items() if id(sources[name]) in fed}

    return _get_fetches
