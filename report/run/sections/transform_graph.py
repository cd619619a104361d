"""Results of our analyzers, read from the exported transform graph.

TFT keeps what an analyzer found as constants of the graph, in the order in which
`preprocessing_fn` asked: means and deviations (float64 vectors), then boundaries (a float32
matrix). TensorFlow's protocol buffers are imported without the rest of it, which takes seconds.
"""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from fareline.stand_in import put_off

_TYPES = {1: np.float32, 2: np.float64}  # DT_FLOAT, DT_DOUBLE


@dataclasses.dataclass(frozen=True)
class Analysis:
    """Results of the analyzers on the training split.

    Attributes:
        means: Means of the scaled columns; empty if it is not the graph that we know.
        deviations: Deviations of the same.
        boundaries: Boundaries of each bucketized column, ascending, without the infinity that fills
            it up.
    """

    means: list[float]
    deviations: list[float]
    boundaries: list[list[float]]


def read_analysis(path: Path) -> Analysis:
    """Reads `saved_model.pb` of a transform graph.

    Raises:
        OSError: The graph does not exist.
        ValueError: The graph cannot be read.
    """
    from google.protobuf.message import DecodeError

    model = _messages().SavedModel()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise ValueError(f"{path} is not a SavedModel") from error
    vectors, matrices = [], []
    for value in _constants(model.meta_graphs[0]):
        if value.dtype == "float64" and value.ndim == 1:
            vectors.append(value)
        elif value.dtype == "float32" and value.ndim == 2:
            matrices.append(value)
    known = len(vectors) == 2 and len(vectors[0]) == len(vectors[1]) and (vectors[1] >= 0).all()
    return Analysis(
        means=vectors[0].tolist() if known else [],
        deviations=vectors[1].tolist() if known else [],
        boundaries=[
            [value for value in row if math.isfinite(value)]
            for row in (matrices[0].tolist() if len(matrices) == 1 else ())
        ],
    )


def _messages() -> ModuleType:
    """TensorFlow's messages of saved models; the rest of TensorFlow is loaded when needed."""
    with put_off("tensorflow"):
        from tensorflow.core.protobuf import saved_model_pb2
    return saved_model_pb2


def _constants(graph: Any) -> Iterator[np.ndarray]:
    """The float constants that the function captured, in its order."""
    nodes = {node.name: node for node in graph.graph_def.node if node.op == "Const"}
    for node in graph.object_graph_def.nodes:
        if node.WhichOneof("kind") != "constant" or node.constant.operation not in nodes:
            continue
        tensor = nodes[node.constant.operation].attr["value"].tensor
        if tensor.dtype in _TYPES:
            yield _to_array(tensor)


def _to_array(tensor: Any) -> np.ndarray:
    """Source: tensorflow.python.framework.tensor_util.MakeNdarray; one value stands for all."""
    dtype, shape = _TYPES[tensor.dtype], [each.size for each in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
    values = np.array(tensor.float_val if dtype is np.float32 else tensor.double_val, dtype)
    return np.broadcast_to(values, shape) if len(values) == 1 else values.reshape(shape)
