"""Checks of the files of a SavedModel, before any of it runs.

The first checks of `serving.validation.check`, and the cheapest. Must not import TFX.
"""

import os
import re
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from serving.validation.graph_io import asset_files, check_graph_io
from serving.validation.verdict import Reason, RefusedModelError
from serving.versions.publish import SAVED_MODEL_FILE

_SERVE_TAG = "serve"
# What stays in the server.
_HANDLES = {types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT}
_ASSETS = "assets"
_VARIABLES = os.path.join("variables", "variables")
_SHARD = re.compile(r"variables\.data-\d{5}-of-(\d{5})")
# They call back into the Python process that made the model; no server has it.
_PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "NumpyFunction"}


def read_graph(model_dir: str) -> Any:
    """Reads saved_model.pb as a server would.

    Returns:
        The MetaGraphDef that is tagged for serving.

    Raises:
        RefusedModelError: UNREADABLE.
    """
    path = os.path.join(model_dir, SAVED_MODEL_FILE)
    saved = saved_model_pb2.SavedModel()
    try:
        with open(path, "rb") as reader:
            saved.ParseFromString(reader.read())
    except (OSError, DecodeError) as err:
        found = f"cannot be read ({err})"
    else:
        for graph in saved.meta_graphs:
            if set(graph.meta_info_def.tags) == {_SERVE_TAG}:  # Others are not what a server loads.
                return graph
        found = f"holds no graph with the tag {_SERVE_TAG!r} alone"
    raise RefusedModelError.because(
        Reason.UNREADABLE,
        path,
        found,
        "expected what tf.saved_model.save writes",
        "export the model again",
    )


def check_files(model_dir: str, graph: Any) -> None:
    """Refuses a model that needs Python, files that are not there, or anything outside its folder.

    Raises:
        RefusedModelError: PYTHON_FUNCTION, NO_VARIABLES, NO_ASSET, FILE_OUTSIDE, or what
            `check_graph_io` finds.
    """
    bodies = [graph.graph_def.node, *(each.node_def for each in graph.graph_def.library.function)]
    python_nodes = [node.name for nodes in bodies for node in nodes if node.op in _PYTHON_OPS]
    if python_nodes:
        raise RefusedModelError.because(
            Reason.PYTHON_FUNCTION,
            "the graph",
            f"calls Python in {python_nodes[0]!r}",
            "expected TensorFlow operations only, since a server has no Python",
            "write tf.py_function and tf.numpy_function anew with TensorFlow operations",
        )
    check_graph_io(graph)
    _check_links(model_dir)
    missing = _missing_variable_files(model_dir, graph)
    if missing:
        raise RefusedModelError.because(
            Reason.NO_VARIABLES,
            model_dir,
            f"lacks {missing}",
            "expected the values of the variables that the graph has",
            "export the model again, or copy all of its folder",
        )
    for asset in asset_files(graph):
        _check_asset(model_dir, asset.filename)


def check_outputs(graph: Any, signature: str) -> None:
    """Refuses a signature with an output that no request can be answered with.

    Args:
        graph: A MetaGraphDef.
        signature: Its name; one that is missing is the server's to miss.

    Raises:
        RefusedModelError: WRONG_DTYPE.
    """
    for name, info in sorted(graph.signature_def[signature].outputs.items()):
        encoding = info.WhichOneof("encoding")
        if encoding not in (None, "name"):
            found = (
                "is a sparse tensor" if encoding == "coo_sparse" else "is made of several tensors"
            )
        elif info.dtype in _HANDLES:
            found = f"is {types_pb2.DataType.Name(info.dtype)}"
        else:
            continue
        raise RefusedModelError.because(
            Reason.WRONG_DTYPE,
            f"output {name!r} of {signature}",
            found,
            "expected a float tensor [batch, …], or texts beside one",
            "answer plain tensors: tf.sparse.to_dense, or .to_tensor() of a ragged tensor",
        )


def _check_asset(model_dir: str, name: str) -> None:
    """Refuses an asset that is not a file in the folder `assets`."""
    if os.path.isabs(name) or ".." in name.split("/") or "://" in name:
        raise RefusedModelError.because(
            Reason.FILE_OUTSIDE,
            model_dir,
            f"its asset {name!r} leads out of its folder",
            "expected a name inside of assets/, since the model is published as a copy",
            "export the model again with the file as a tf.saved_model.Asset",
        )
    if not os.path.isfile(os.path.join(model_dir, _ASSETS, name)):
        raise RefusedModelError.because(
            Reason.NO_ASSET,
            model_dir,
            f"lacks {_ASSETS}/{name}",
            "expected the vocabularies that the graph reads",
            "export the model again, or copy all of its folder",
        )


def _check_links(model_dir: str) -> None:
    """Refuses links that lead out of the folder, and what is neither a file nor a folder."""
    root = os.path.realpath(model_dir)
    for folder, folders, names in os.walk(root):  # Not into links; those inside are met anyway.
        for name in (*folders, *names):
            path = os.path.join(folder, name)
            real = os.path.realpath(path)
            if os.path.commonpath([root, real]) != root:
                found = f"{os.path.relpath(path, root)} is a link to {real}"
            elif os.path.isfile(real) or (os.path.isdir(real) and not _is_above(real, path)):
                continue
            else:
                found = f"{os.path.relpath(path, root)} is not a file that can be copied"
            raise RefusedModelError.because(
                Reason.FILE_OUTSIDE,
                model_dir,
                found,
                "expected plain files and folders, since the model is published as a copy",
                "put the file itself there",
            )


def _is_above(real: str, path: str) -> bool:
    """Whether a link leads to a folder that holds it: no walk through it would end."""
    return real != path and os.path.commonpath([real, path]) == real


def _missing_variable_files(model_dir: str, graph: Any) -> str:
    """Names the file that is missing; empty if none is, or if the graph has no variables."""
    if not any(node.WhichOneof("kind") == "variable" for node in graph.object_graph_def.nodes):
        return ""
    if not os.path.isfile(os.path.join(model_dir, f"{_VARIABLES}.index")):
        return f"{_VARIABLES}.index"
    shards = [
        match
        for name in os.listdir(os.path.join(model_dir, "variables"))
        if (match := _SHARD.fullmatch(name))
    ]
    if not shards or len(shards) < int(shards[0][1]):
        return f"{_VARIABLES}.data-…, of which {len(shards)} are there"
    return ""
