"""Asks a model server as a client would, and looks at the answers.

Called by `serving.validation.check` only. Every request has a deadline. Must not import TFX.
"""

import math
import time
from collections.abc import Sequence
from itertools import cycle, islice

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.validation.process import ModelServer, open_channel
from serving.validation.verdict import PERCENTILES, Reason, RefusedModelError

SIGNATURE = "serving_default"
INPUT_NAME = "examples"  # what every client of a published model calls it
# By then all that is slow once (graph optimisation, buffers) is done in any model seen so far.
_WARM_UP_CALLS = 5
_TIMED_CALLS = 200
_FEWEST_TIMED_CALLS = 5
_TIMED_SECONDS = 1.0
_DEATH_SECONDS = 2.0
_FLOATS = {
    types_pb2.DT_HALF,
    types_pb2.DT_BFLOAT16,
    types_pb2.DT_FLOAT,
    types_pb2.DT_DOUBLE,
}


class Probe:
    """A client of one running model server.

    Attributes:
        num_requests: Prediction requests answered so far.
    """

    def __init__(self, server: ModelServer, model_name: str, rpc_seconds: float):
        """Opens a channel; `close()` it, or use `with`.

        Args:
            server: A server that has loaded its model.
            model_name: What it calls the model.
            rpc_seconds: Deadline of each request.
        """
        self._server = server
        self._model_name = model_name
        self._rpc_seconds = rpc_seconds
        self._channel = open_channel(server.address)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self.num_requests = 0

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self._channel.close()

    def check_signature(self) -> None:
        """Looks for `serving_default`, which takes serialized tf.Examples as `examples`.

        Raises:
            RefusedModelError: NO_SIGNATURE; or WRONG_INPUT: it takes or gives something else.
        """
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = self._model_name
        response = self._call(self._stub.GetModelMetadata, request, "its metadata")
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        if SIGNATURE not in signatures.signature_def:
            # TensorFlow's own bookkeeping is no news to the reader.
            names = sorted(n for n in signatures.signature_def if not n.startswith("__")) or "none"
            raise RefusedModelError.because(
                Reason.NO_SIGNATURE,
                "signatures",
                f"found {names}",
                f"expected {SIGNATURE}",
                f"pass signatures={{'{SIGNATURE}': …}} to tf.saved_model.save",
            )
        signature = signatures.signature_def[SIGNATURE]
        inputs = {n: types_pb2.DataType.Name(i.dtype) for n, i in signature.inputs.items()}
        if inputs != {INPUT_NAME: "DT_STRING"} or not signature.outputs:
            raise RefusedModelError.because(
                Reason.WRONG_INPUT,
                SIGNATURE,
                f"takes {inputs} and gives {sorted(signature.outputs)}",
                f"expected one string input {INPUT_NAME!r}, serialized tf.Examples, and an output",
                "parse the examples inside the signature, and name its argument so",
            )

    def ask(self, examples: Sequence[bytes]) -> dict[str, np.ndarray]:
        """Sends one request and judges every output.

        Args:
            examples: Serialized tf.Examples; as many as the batch is large.

        Returns:
            Output name to array, float64 [batch, …]; of texts bytes [batch, …].

        Raises:
            RefusedModelError: No answer in time, an error, or an output that is no finite float
                `[batch, …]`. Texts, such as the name of a class, may stand beside floats.
        """
        outputs = self._predict(examples).outputs
        has_floats = any(output.dtype in _FLOATS for output in outputs.values())
        return {
            name: judge_text(name, output, len(examples))
            if has_floats and output.dtype == types_pb2.DT_STRING
            else judge_output(name, output, len(examples))
            for name, output in outputs.items()
        }

    def time(self, examples: Sequence[bytes], batch: int) -> dict[str, float]:
        """Measures the time of requests, the sending and the answer included.

        Args:
            examples: Serialized tf.Examples to take the requests from, over and over.
            batch: Examples in one request.

        Returns:
            `p50`, `p95` and `p99` of 200 requests, or of what fits in a second, in milliseconds.

        Raises:
            RefusedModelError: A request failed or had no answer in time.
        """
        endless = cycle(examples)
        for _ in range(_WARM_UP_CALLS):
            self._predict(list(islice(endless, batch)))
        milliseconds: list[float] = []
        while len(milliseconds) < _TIMED_CALLS and (
            len(milliseconds) < _FEWEST_TIMED_CALLS or sum(milliseconds) < _TIMED_SECONDS * 1e3
        ):
            request = list(islice(endless, batch))
            started = time.perf_counter()
            self._predict(request)
            milliseconds.append((time.perf_counter() - started) * 1e3)
        return {name: percentile(milliseconds, float(name[1:])) for name in PERCENTILES}

    def _predict(self, examples: Sequence[bytes]) -> predict_pb2.PredictResponse:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model_name
        request.model_spec.signature_name = SIGNATURE
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=examples)
        tensor.tensor_shape.dim.add(size=len(examples))
        request.inputs[INPUT_NAME].CopyFrom(tensor)
        response = self._call(self._stub.Predict, request, f"a batch of {len(examples)}")
        self.num_requests += 1
        return response

    def _call(self, method, request, about: str):
        """Sends a request with the deadline; a failure becomes a refusal."""
        try:
            return method(request, timeout=self._rpc_seconds)
        except grpc.RpcError as err:
            found, reason = f"{err.code().name}: {err.details()}", Reason.RPC_FAILED
            if err.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                found, reason = f"no answer within {self._rpc_seconds:g} s", Reason.RPC_TIMEOUT
            elif err.code() == grpc.StatusCode.UNAVAILABLE and self._death():
                found = f"the server died ({self._death()}):\n{self._server.log_tail()}\n"
                reason = Reason.DIED_SERVING
                if self._server.over_memory:
                    found = "the server passed its memory budget and was killed"
                    reason = Reason.TOO_MUCH_MEMORY
            raise RefusedModelError.because(
                reason,
                f"the request for {about}",
                found,
                "expected an answer",
                f"call {SIGNATURE} on the same examples in Python",
            ) from err

    def _death(self) -> str | None:
        """Says how the server died, waiting a little, since the connection breaks first."""
        patience = time.monotonic() + _DEATH_SECONDS
        while self._server.exit_reason is None and time.monotonic() < patience:
            time.sleep(0.05)
        return self._server.exit_reason


def judge_output(name: str, output: tensor_pb2.TensorProto, batch: int) -> np.ndarray:
    """Returns an output as float64; refuses one that is no finite float tensor `[batch, …]`.

    Args:
        name: The output, for the message.
        output: What the server answered.
        batch: How many examples were asked about.

    Raises:
        RefusedModelError: WRONG_DTYPE, WRONG_SHAPE, NOT_A_NUMBER or INFINITE.
    """
    where = f"output {name!r} for a batch of {batch}"
    if output.dtype not in _FLOATS:
        raise RefusedModelError.because(
            Reason.WRONG_DTYPE,
            where,
            f"is {types_pb2.DataType.Name(output.dtype)}",
            "expected a float dtype",
            "cast it in the signature",
        )
    _check_shape(where, output, batch)
    values = tf.make_ndarray(output).astype(np.float64)
    wrong = values[~np.isfinite(values)]
    if wrong.size:
        raise RefusedModelError.because(
            Reason.NOT_A_NUMBER if np.isnan(wrong).any() else Reason.INFINITE,
            where,
            f"holds {wrong[0]} and {wrong.size} of {values.size} values are not finite",
            "expected finite numbers",
            "look for a division or logarithm of 0, or for weights that diverged",
        )
    return values


def judge_text(name: str, output: tensor_pb2.TensorProto, batch: int) -> np.ndarray:
    """Returns an output of texts as bytes; refuses one that is not `[batch, …]`.

    Raises:
        RefusedModelError: WRONG_SHAPE.
    """
    _check_shape(f"output {name!r} for a batch of {batch}", output, batch)
    return tf.make_ndarray(output).astype("S")


def _check_shape(where: str, output: tensor_pb2.TensorProto, batch: int) -> None:
    shape = [each.size for each in output.tensor_shape.dim]
    if shape[:1] != [batch]:
        raise RefusedModelError.because(
            Reason.WRONG_SHAPE,
            where,
            f"has shape {shape}",
            f"expected [{batch}, …], one row per example",
            "look for a reduction over the batch in the signature",
        )


def percentile(values: Sequence[float], percent: float) -> float:
    """Returns the smallest value that `percent` % of `values` do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(percent / 100 * len(values)) - 1]
