"""Finds the columns that a model reads from tf.Examples, in its graph.

Whatever published the model, its graph parses the examples with one ParseExampleV2 op, whose keys
and types are constants. So plain JSON rows can be turned into tf.Examples, and checked, with
nothing but the model. Called by `serving.model.servable`. Must not import TFX.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import types_pb2

from fareline.kinds import FLOAT, INT, STRING

_PARSE_OP = "ParseExampleV2"
_KINDS = {
    types_pb2.DT_INT64: INT,
    types_pb2.DT_FLOAT: FLOAT,
    types_pb2.DT_STRING: STRING,
}


@dataclass(frozen=True)
class Column:
    """One feature of the examples that a model takes.

    Attributes:
        name: The feature.
        kind: `int` (int64), `float` (float32) or `string` (bytes).
        required: Whether the graph refuses an example without it.
    """

    name: str
    kind: str
    required: bool


def find_columns(graph_def: Any, input_tensor: str) -> dict[str, Column]:
    """Finds the columns that are parsed from an input.

    Args:
        graph_def: GraphDef of the model, with its function library.
        input_tensor: Name of the input tensor, such as `serving_default_examples:0`.

    Returns:
        Name to Column, sorted by name; empty if the graph parses no examples, or in a way that
        cannot be read.
    """
    placeholder = input_tensor.partition(":")[0]
    functions = {each.signature.name: each for each in graph_def.library.function}
    fed = [n for n in graph_def.node if any(_source(each) == placeholder for each in n.input)]
    for nodes in _bodies(fed, list(graph_def.node), functions):
        by_name = {node.name: node for node in nodes}
        for node in nodes:
            if node.op == _PARSE_OP:
                return {column.name: column for column in _read_parse_op(node, by_name)}
    return {}


def _bodies(fed: list, nodes: list, functions: dict[str, Any]) -> Iterator[list]:
    """Yields the nodes beside the input, then the bodies of all functions that it reaches."""
    if any(node.op == _PARSE_OP for node in fed):
        yield nodes
    waiting, seen = [fed], set()
    while waiting:
        for node in waiting.pop(0):
            for value in node.attr.values():
                for name in (value.func.name, *(each.name for each in value.list.func)):
                    if name in functions and name not in seen:
                        seen.add(name)
                        body = list(functions[name].node_def)
                        yield body
                        waiting.append(body)


def _read_parse_op(node: Any, by_name: dict[str, Any]) -> list[Column]:
    """Reads keys and types of a ParseExampleV2 op; nothing if its keys are no constants.

    Its inputs: serialized, names, sparse_keys, dense_keys, ragged_keys, dense_defaults…
    """

    def constant(number: int) -> Any:
        source = by_name.get(_source(node.input[number]))
        if source is None or source.op != "Const":
            return None
        return tf.make_ndarray(source.attr["value"].tensor)

    sparse, dense, ragged = constant(2), constant(3), constant(4)
    if sparse is None or dense is None or ragged is None:
        return []
    found = [
        *zip(sparse, node.attr["sparse_types"].list.type, strict=False),
        *zip(ragged, node.attr["ragged_value_types"].list.type, strict=False),
    ]
    columns = [(key, dtype, False) for key, dtype in found]
    for number, (key, dtype) in enumerate(zip(dense, node.attr["Tdense"].list.type, strict=False)):
        default = constant(5 + number)
        columns.append((key, dtype, default is not None and default.size == 0))
    return sorted(
        (Column(key.decode(), _KINDS[dtype], required) for key, dtype, required in columns),
        key=lambda column: column.name,
    )


def _source(name: str) -> str:
    """The node that an input comes from: `parse/keys:output:0` and `^parse` both name `parse`."""
    return name.lstrip("^").partition(":")[0]
