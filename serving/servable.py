"""A loaded model, and what a request may ask of it, whichever protocol it came by.

Called by `serving.server`. Must not import TFX.

Source: tensorflow_serving/servables/tensorflow/predict_util.cc for which request is refused how.
"""

import os
from dataclasses import dataclass
from typing import Any

import grpc
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from fareline.errors import UserMistake
from serving.versions import SAVED_MODEL_FILE, latest_version


@dataclass(frozen=True)
class Servable:
    """One loaded version of a model.

    Attributes:
        name: The model's name in requests.
        version: Its number.
        signatures: Name -> callable on keyword tensors, answering with a dict of tensors.
        signature_defs: Name -> SignatureDef proto, as saved.
        owner: The loaded object; its variables live as long as it does.
    """

    name: str
    version: int
    signatures: dict[str, Any]
    signature_defs: dict[str, Any]
    owner: Any


class RefusedError(Exception):
    """A request that cannot be answered, with the gRPC status that says whose fault it is."""

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(message)
        self.code = code


def load_servable(name: str, base: str) -> Servable:
    """Loads the newest version under `base`.

    Raises:
        UserMistake: There is no version.
        Exception: Whatever TensorFlow raises on a broken model.
    """
    version = latest_version(base)
    if version is None:
        raise UserMistake.explain(
            base,
            "holds no model version",
            f"expected <number>/{SAVED_MODEL_FILE}",
            "push a model first, and pass the folder above the version",
        )
    path = os.path.join(base, str(version))
    owner = tf.saved_model.load(path)
    return Servable(name, version, dict(owner.signatures), _read_signatures(path), owner)


def _read_signatures(path: str) -> dict[str, Any]:
    """Reads the SignatureDefs of the graph that is tagged for serving."""
    saved = saved_model_pb2.SavedModel()
    with open(os.path.join(path, SAVED_MODEL_FILE), "rb") as reader:
        saved.ParseFromString(reader.read())
    for graph in saved.meta_graphs:
        if tf.saved_model.SERVING in graph.meta_info_def.tags:
            return dict(graph.signature_def)
    return {}


class Servables:
    """What is being served. One version for now; requests ask here on every call."""

    def __init__(self, servable: Servable):
        self._servable = servable

    def find(self, spec: Any) -> Servable:
        """Finds what a ModelSpec names.

        Raises:
            RefusedError: NOT_FOUND, naming what is served.
        """
        servable = self._servable
        wanted = spec.version.value if spec.HasField("version") else servable.version
        if spec.name != servable.name or wanted != servable.version:
            asked = f"{spec.name!r}" + (f" version {wanted}" if spec.HasField("version") else "")
            raise RefusedError(
                grpc.StatusCode.NOT_FOUND,
                f"Servable not found: {asked}; expected {servable.name!r} version "
                f"{servable.version}",
            )
        return servable


def read_inputs(protos: Any, signature: Any) -> dict[str, tf.Tensor]:
    """Turns a request's TensorProtos into the tensors that the signature takes.

    Raises:
        RefusedError: INVALID_ARGUMENT: a name, dtype or shape is not what the signature says, or a
            tensor's values do not fill its shape.
    """
    specs = signature.structured_input_signature[1]
    if set(protos) != set(specs):
        raise RefusedError(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"inputs are {sorted(protos)}; expected {sorted(specs)}",
        )
    tensors = {}
    for name, spec in specs.items():
        wanted = f"expected {spec.dtype.name} {spec.shape}"
        try:
            tensor = tf.constant(tf.make_ndarray(protos[name]))
        except (ValueError, TypeError) as error:
            raise RefusedError(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"input {name!r} is not a tensor ({error}); {wanted}",
            ) from error
        if tensor.dtype != spec.dtype or not spec.shape.is_compatible_with(tensor.shape):
            raise RefusedError(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"input {name!r} is {tensor.dtype.name} {tensor.shape}; {wanted}",
            )
        tensors[name] = tensor
    return tensors


def wanted_outputs(output_filter: Any, outputs: dict[str, tf.Tensor]) -> list[str]:
    """Returns the output names asked for, all of them by default."""
    unknown = sorted(set(output_filter) - set(outputs))
    if unknown:
        raise RefusedError(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"output_filter names {unknown}; expected some of {sorted(outputs)}",
        )
    return list(output_filter) or sorted(outputs)
