"""Sends requests to a model server as a client does.

Called by `serving.validation.check` and `serving.validation.interview`. Every request has a
deadline. Must not import TFX.
"""

import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

import grpc
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.validation.answers import MOST_ROWS_ASKED, dtype_name
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

# What TensorFlow and our server say of a request that is wrong in itself: the parser of examples,
# assertions of the model, operations that take texts. No client can make sense of a graph that
# fails over its own tables and shapes, such as "indices[0] = -1 is not in [0, 3)".
_CLEAR = re.compile(
    r"Feature: |Key: |[Pp]ars(e|ing)|[Aa]ssertion failed|UTF|base64|image|not correctly convert"
    r"|cannot be read|; expected "
)
# Output name -> TensorProto; the places of the examples that it answers.
Outputs = Mapping[str, tensor_pb2.TensorProto]
Rows = tuple[int, ...]
LookAt = Callable[[Rows, Outputs], None]


class Probe:
    """A client of one running model server.

    Attributes:
        num_requests: Prediction requests answered so far.
        times: Times of the requests that were measured last, milliseconds.
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
        self._lock = threading.Lock()
        self.num_requests = 0
        self.times: list[float] = []

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
        try:
            response = self._stub.GetModelMetadata(request, timeout=self._rpc_seconds)
        except grpc.RpcError as err:
            raise self._refusal(err, "its metadata", self._rpc_seconds) from err
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
        inputs = {n: dtype_name(i.dtype) for n, i in signature.inputs.items()}
        if inputs != {INPUT_NAME: "DT_STRING"} or not signature.outputs:
            raise RefusedModelError.because(
                Reason.WRONG_INPUT,
                SIGNATURE,
                f"takes {inputs} and gives {sorted(signature.outputs)}",
                f"expected one string input {INPUT_NAME!r}, serialized tf.Examples, and an output",
                "parse the examples inside the signature, and name its argument so",
            )

    @property
    def memory_bytes(self) -> int:
        """Memory of the server now, in bytes."""
        return self._server.memory_bytes

    def time(
        self, requests: Iterator[tuple[Rows, list[bytes]]], look_at: LookAt
    ) -> dict[str, float]:
        """Measures the time of requests, the sending and the answer included.

        Args:
            requests: Without end: the places of the examples, and the examples.
            look_at: Gets the places and the answer of each, outside the time that is measured.

        Returns:
            `p50`, `p95` and `p99` of 200 requests, or of what fits in a second, in milliseconds.

        Raises:
            RefusedModelError: A request failed or had no answer in time, or `look_at` refused it.
        """
        for rows, examples in islice(requests, _WARM_UP_CALLS):
            look_at(rows, self.predict(examples))
        milliseconds: list[float] = []
        while len(milliseconds) < _TIMED_CALLS and (
            len(milliseconds) < _FEWEST_TIMED_CALLS or sum(milliseconds) < _TIMED_SECONDS * 1e3
        ):
            rows, examples = next(requests)
            started = time.perf_counter()
            outputs = self.predict(examples)
            milliseconds.append((time.perf_counter() - started) * 1e3)
            look_at(rows, outputs)
        self.times = milliseconds
        return {name: percentile(milliseconds, float(name[1:])) for name in PERCENTILES}

    def predict(self, examples: Sequence[bytes]) -> Outputs:
        """Sends one request; may be called from several threads.

        Args:
            examples: Serialized tf.Examples; as many as the batch is large.

        Returns:
            Output name to TensorProto.

        Raises:
            RefusedModelError: An error, or no answer in time.
        """
        about = f"a batch of {len(examples)}"
        try:
            return self._predict(examples)
        except grpc.RpcError as err:
            raise self._refusal(err, about, self._deadline(examples)) from err

    def predict_or_refuse(self, examples: Sequence[bytes], about: str) -> Outputs | None:
        """As `predict`; None if the request is refused as the client's mistake.

        Args:
            examples: Serialized tf.Examples.
            about: Irregularities.

        Raises:
            RefusedModelError: Another error, or no answer in time.
        """
        try:
            return self._predict(examples)
        except grpc.RpcError as err:
            is_clients = err.code() == grpc.StatusCode.INVALID_ARGUMENT
            if is_clients and _CLEAR.search(err.details() or ""):
                return None
            raise self._refusal(err, about, self._deadline(examples)) from err

    def _deadline(self, examples: Sequence[bytes]) -> float:
        """Seconds: more for more rows than a client asks about."""
        return self._rpc_seconds * max(1.0, len(examples) / MOST_ROWS_ASKED)

    def _predict(self, examples: Sequence[bytes]) -> Outputs:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model_name
        request.model_spec.signature_name = SIGNATURE
        tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=examples)
        tensor.tensor_shape.dim.add(size=len(examples))
        request.inputs[INPUT_NAME].CopyFrom(tensor)
        response = self._stub.Predict(request, timeout=self._deadline(examples))
        with self._lock:
            self.num_requests += 1
        return response.outputs

    def _refusal(self, err: grpc.RpcError, about: str, seconds: float) -> RefusedModelError:
        """Returns how a request failed."""
        found, reason = f"{err.code().name}: {err.details()}", Reason.RPC_FAILED
        if err.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            found, reason = f"no answer within {seconds:g} s", Reason.RPC_TIMEOUT
        elif err.code() == grpc.StatusCode.UNAVAILABLE and self._death():
            found = f"the server died ({self._death()}):\n{self._server.log_tail()}\n"
            reason = Reason.DIED_SERVING
            if self._server.over_memory:
                found = "the server exceeded its memory budget and was killed"
                reason = Reason.TOO_MUCH_MEMORY
        return RefusedModelError.because(
            reason,
            f"the request for {about}",
            found,
            "expected an answer",
            f"call {SIGNATURE} on the same examples in Python",
        )

    def _death(self) -> str | None:
        """Returns how the server died, waiting a little, since the connection breaks first."""
        patience = time.monotonic() + _DEATH_SECONDS
        while self._server.exit_reason is None and time.monotonic() < patience:
            time.sleep(0.05)
        return self._server.exit_reason


def percentile(values: Sequence[float], percent: float) -> float:
    """Returns the smallest value that `percent` % of `values` do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(percent / 100 * len(values)) - 1]
