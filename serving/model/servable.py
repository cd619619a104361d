"""One loaded version of a model, run the way TensorFlow Serving runs it: a session on its graph.

Not `tf.saved_model.load`: that rebuilds the Python objects, which finds variables by other ways
than TensorFlow Serving does. A model that only loads with `tf.saved_model.load` would be served
here, but not by TensorFlow Serving.

Called by `serving.server.live` and `serving.server.predictor`. Must not import TFX.

Source: tensorflow_serving/servables/tensorflow/predict_util.cc for which request is refused how.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import grpc
import numpy as np
import tensorflow as tf

from fareline.near import listed
from serving.model.columns import Column, find_columns
from serving.model.warm_up import read_warm_up

DEFAULT_SIGNATURE = "serving_default"
_INTERNAL_PREFIX = "__"
_MOST_MESSAGE = 1000  # characters; gRPC drops the status of an answer whose details are too long
_KEPT_END = 100
_FREE_ELEMENTS = 1 << 20


class RefusedError(Exception):
    """A request that cannot be answered, with the gRPC status for the reason."""

    def __init__(self, code: grpc.StatusCode, message: str):
        """Builds it.

        Args:
            code: The status.
            message: What is wrong. It may quote the request, and is cut and made sendable.
        """
        if len(message) > _MOST_MESSAGE:
            # Its end says what was expected.
            message = f"{message[: _MOST_MESSAGE - _KEPT_END]}…{message[-_KEPT_END:]}"
        super().__init__(message.encode(errors="replace").decode())
        self.code = code

    @classmethod
    def malformed(cls, message: str) -> "RefusedError":
        """Builds the refusal of a request that is wrong in itself."""
        return cls(grpc.StatusCode.INVALID_ARGUMENT, message)

    @classmethod
    def lacking(cls, where: str, columns: Sequence[str]) -> "RefusedError":
        """Builds the refusal of a row without a value in columns that must have one."""
        return cls.malformed(f"{where}: without {listed(columns)}; expected a value")


@dataclass(frozen=True)
class Signature:
    """One way to call a model.

    Attributes:
        name: Its name in requests.
        inputs: Name -> TensorInfo.
        outputs: Names of the outputs, sorted.
        examples_input: The input, if it is a single one that takes a vector of strings, as
            serialized tf.Examples do; else None.
        columns: The columns of these examples by name; empty if the graph does not name them.
        unread: Columns that another signature of the model reads and this one does not, such as
            those of the training data that are no features.
        call: Takes the inputs in the order of `inputs`, gives the outputs in that of `outputs`.
    """

    name: str
    inputs: Mapping[str, Any]
    outputs: tuple[str, ...]
    examples_input: str | None
    columns: Mapping[str, Column]
    call: Callable[..., list[np.ndarray]]
    unread: frozenset[str] = frozenset()

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Computes all outputs; `arrays` have been through `check_arrays`.

        Raises:
            tf.errors.OpError: The model fails.
            RefusedError: The model refuses, with bytes of the request that are not text.
        """
        try:
            answers = self.call(*(arrays[name] for name in self.inputs))
        except UnicodeDecodeError as error:
            text = error.object.decode(errors="replace")
            raise RefusedError.malformed(_explain(text) or "an input cannot be read") from error
        return dict(zip(self.outputs, answers, strict=True))


class Servable:
    """A loaded model.

    Attributes:
        name: The model's name in requests.
        version: Its number.
        signatures: Name -> Signature.
        signature_defs: Name -> SignatureDef proto, as saved.
    """

    def __init__(self, name: str, version: int, path: str):
        """Loads it and answers its warm-up requests, if it carries any.

        Args:
            name: The name to serve it under.
            version: Its number.
            path: Folder of the SavedModel.

        Raises:
            Exception: Whatever TensorFlow raises on a broken model.
        """
        self.name = name
        self.version = version
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        try:
            with graph.as_default():
                loaded = tf.compat.v1.saved_model.load(
                    self._session, [tf.saved_model.SERVING], path
                )
                self.signature_defs = {
                    key: definition
                    for key, definition in loaded.signature_def.items()
                    if not key.startswith(_INTERNAL_PREFIX)
                }
                self.signatures = {
                    key: self._build_signature(key, definition, loaded.graph_def)
                    for key, definition in self.signature_defs.items()
                }
            known = {name for each in self.signatures.values() for name in each.columns}
            self.signatures = {
                key: replace(each, unread=frozenset(known - each.columns.keys()))
                for key, each in self.signatures.items()
            }
            for request in read_warm_up(path):
                signature = self.find_signature(request.model_spec.signature_name)
                signature.run(read_tensors(request.inputs, signature))
        except BaseException:
            self._session.close()
            raise

    def _build_signature(self, name: str, definition: Any, graph_def: Any) -> Signature:
        outputs = tuple(sorted(definition.outputs))
        inputs = dict(definition.inputs)
        (first, *others) = inputs.values() or [None]
        takes_examples = (
            first is not None
            and not others
            and first.dtype == tf.string.as_datatype_enum
            and tf.TensorShape(first.tensor_shape).rank == 1
        )
        return Signature(
            name=name,
            inputs=inputs,
            outputs=outputs,
            examples_input=next(iter(inputs)) if takes_examples else None,
            columns=find_columns(graph_def, first.name) if takes_examples else {},
            call=self._session.make_callable(
                [definition.outputs[key].name for key in outputs],
                feed_list=[info.name for info in inputs.values()],
            ),
        )

    def find_signature(self, name: str) -> Signature:
        """Finds a signature; the default one for the empty name.

        Raises:
            RefusedError: INVALID_ARGUMENT, naming those that there are.
        """
        signature = self.signatures.get(name or DEFAULT_SIGNATURE)
        if signature is None:
            raise RefusedError.malformed(
                f"Serving signature {name or DEFAULT_SIGNATURE!r} not found; expected one of "
                f"{sorted(self.signatures)}"
            )
        return signature

    def close(self) -> None:
        """Frees what it holds; no request may be under way."""
        self._session.close()


def read_tensors(protos: Any, signature: Signature) -> dict[str, np.ndarray]:
    """Turns a request's TensorProtos into the arrays that the signature takes.

    Raises:
        RefusedError: INVALID_ARGUMENT: a name, dtype or shape is not what the signature says, or a
            tensor's values do not fill its shape.
    """
    if set(protos) != set(signature.inputs):
        raise RefusedError.malformed(
            f"inputs are {sorted(protos)}; expected {sorted(signature.inputs)}"
        )
    arrays = {}
    for name in signature.inputs:
        try:
            _require_values(protos[name])
            arrays[name] = _array_of(protos[name])
        except KeyError as error:  # a type of which there are no arrays
            raise RefusedError.malformed(
                f"input {name!r} is of type {error}; {_wanted(signature.inputs[name])}"
            ) from error
        except (ValueError, TypeError, OverflowError) as error:
            raise RefusedError.malformed(
                f"input {name!r} is not a tensor ({error}); {_wanted(signature.inputs[name])}"
            ) from error
    check_arrays(arrays, signature)
    return arrays


def _array_of(proto: Any) -> np.ndarray:
    """The array of a TensorProto; a tensor of texts that holds none is of empty ones."""
    array = tf.make_ndarray(proto)
    if proto.dtype == tf.string.as_datatype_enum and not proto.string_val:
        array.fill(b"")  # make_ndarray fills up with "", which is no bytes
    return array


def _require_values(proto: Any) -> None:
    """Refuses a shape that would be filled with far more values than were sent.

    Raises:
        ValueError: The shape would be, or is not the shape of an array.
    """
    sizes = [each.size for each in proto.tensor_shape.dim]
    if min(sizes, default=0) < 0:
        raise ValueError(f"its shape is {sizes}")
    elements = math.prod(sizes)
    if elements > max(_FREE_ELEMENTS, proto.ByteSize()):
        raise ValueError(f"its shape {sizes} has {elements} values, of {proto.ByteSize()} bytes")


def check_arrays(arrays: Mapping[str, np.ndarray], signature: Signature) -> None:
    """Refuses arrays of a dtype or shape that the signature does not take.

    Raises:
        RefusedError: INVALID_ARGUMENT, saying what was expected.
    """
    for name, info in signature.inputs.items():
        array, shape = arrays[name], tf.TensorShape(info.tensor_shape)
        dtype = tf.as_dtype(array.dtype)
        if dtype != tf.as_dtype(info.dtype) or not shape.is_compatible_with(array.shape):
            found = f"{dtype.name} {tf.TensorShape(array.shape)}"
            raise RefusedError.malformed(f"input {name!r} is {found}; {_wanted(info)}")


def _wanted(info: Any) -> str:
    return f"expected {tf.as_dtype(info.dtype).name} {tf.TensorShape(info.tensor_shape)}"


def wanted_outputs(output_filter: Any, signature: Signature) -> list[str]:
    """Returns the output names asked for, all of them by default.

    Raises:
        RefusedError: INVALID_ARGUMENT: there is no such output.
    """
    unknown = sorted(set(output_filter) - set(signature.outputs))
    if unknown:
        raise RefusedError.malformed(
            f"output_filter names {unknown}; expected some of {list(signature.outputs)}"
        )
    return list(output_filter) or list(signature.outputs)


def explain_op_error(error: tf.errors.OpError) -> str:
    """Returns the one line of TensorFlow's message that says what is wrong."""
    return _explain(str(error.message)) or type(error).__name__


def _explain(message: str) -> str:
    noise = ("Graph execution error", "Detected at node", "Node:", "[[", "Original stack", "node '")
    lines = (line.strip() for line in message.splitlines())
    telling = [line for line in lines if line and not line.startswith(noise)]
    # The value at fault may be bytes of any kind, and long.
    return telling[0].partition(", value:")[0] if telling else ""
