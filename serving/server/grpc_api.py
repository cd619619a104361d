"""TensorFlow Serving's gRPC API: PredictionService and ModelService.

Predict, GetModelMetadata and GetModelStatus; clients see no difference from TensorFlow Serving.
Called by `serving.server.server`. Must not import TFX.

Source: tensorflow_serving/apis/*.proto.
"""

import contextlib
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import grpc
import grpc.aio
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from serving.model.servable import RefusedError, read_tensors, wanted_outputs
from serving.server.metrics import Metrics
from serving.server.predictor import Predictor

SIGNATURE_FIELD = "signature_def"
PREDICTION_ID = "fareline-prediction-id"  # trailing metadata; REST has it as a header
MOST_REQUEST_BYTES = 64 << 20
_OPTIONS = (
    ("grpc.max_receive_message_length", MOST_REQUEST_BYTES),
    ("grpc.max_send_message_length", -1),
    # Linux would otherwise let two servers share one port and split its requests.
    ("grpc.so_reuseport", 0),
)


class _PredictionService:
    """tensorflow.serving.PredictionService: Predict and GetModelMetadata."""

    def __init__(self, predictor: Predictor):
        self._predictor = predictor

    async def predict(self, request, context):
        async with _statuses(context, request, self._predictor.metrics):
            answer = await self._predictor.predict(
                request.model_spec,
                lambda signature: (
                    wanted_outputs(request.output_filter, signature)
                    and read_tensors(request.inputs, signature)
                ),
                "grpc",
                request.ByteSize(),
            )
            response = predict_pb2.PredictResponse()
            response.model_spec.name = answer.servable.name
            response.model_spec.version.value = answer.servable.version
            response.model_spec.signature_name = answer.signature.name
            if answer.prediction_id is not None:
                context.set_trailing_metadata(((PREDICTION_ID, answer.prediction_id),))
            for key in wanted_outputs(request.output_filter, answer.signature):
                response.outputs[key].CopyFrom(tf.make_tensor_proto(answer.outputs[key]))
            return response

    async def metadata(self, request, context):
        async with _statuses(context, request):
            if list(request.metadata_field) != [SIGNATURE_FIELD]:
                raise RefusedError.malformed(
                    f"metadata_field is {list(request.metadata_field)}; expected "
                    f"[{SIGNATURE_FIELD!r}]"
                )
            with self._predictor.live.lease(request.model_spec) as servable:
                return describe_signatures(servable)


def describe_signatures(servable) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Builds the answer to a question for a model's metadata."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in servable.signature_defs.items():
        signatures.signature_def[name].CopyFrom(definition)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = servable.name
    response.model_spec.version.value = servable.version
    response.metadata[SIGNATURE_FIELD].Pack(signatures)
    return response


class _ModelService:
    """tensorflow.serving.ModelService: GetModelStatus."""

    def __init__(self, predictor: Predictor):
        self._live = predictor.live

    async def status(self, request, context):
        async with _statuses(context, request):
            return model_status(self._live, request.model_spec)


def model_status(live, spec) -> get_model_status_pb2.GetModelStatusResponse:
    """Builds the answer to a question for a model's status, of all versions or of one.

    Raises:
        RefusedError: NOT_FOUND.
    """
    statuses = live.statuses()
    if spec.HasField("version"):
        statuses = [each for each in statuses if each.version == spec.version.value]
    if not statuses or spec.name != live.name:
        with live.lease(spec):  # refuses, with the words for it
            pass
    return get_model_status_pb2.GetModelStatusResponse(model_version_status=statuses)


@contextlib.asynccontextmanager
async def _statuses(
    context: grpc.aio.ServicerContext, request: Any, metrics: Metrics | None = None
) -> AsyncIterator[None]:
    """Turns what goes wrong inside into a gRPC status; only a surprise is logged."""
    began = time.perf_counter()
    code, message = grpc.StatusCode.OK, ""
    try:
        if isinstance(request, RefusedError):
            raise request
        yield
    except RefusedError as error:
        code, message = error.code, str(error)
    except Exception as error:  # noqa: BLE001 - the client gets whatever it was
        traceback.print_exc(file=sys.stderr)
        code, message = grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}"
    if metrics is not None:
        metrics.count("grpc", code.name, time.perf_counter() - began)
    if code is not grpc.StatusCode.OK:
        await context.abort(code, message)


def build_grpc_server(predictor: Predictor) -> grpc.aio.Server:
    """Builds the server; it still needs a port and a start, on the running event loop."""
    server = grpc.aio.server(options=_OPTIONS)
    prediction, model = _PredictionService(predictor), _ModelService(predictor)
    metadata = get_model_metadata_pb2.GetModelMetadataRequest
    status = get_model_status_pb2.GetModelStatusRequest
    prediction_methods = {
        "Predict": _method(prediction.predict, predict_pb2.PredictRequest),
        "GetModelMetadata": _method(prediction.metadata, metadata),
    }
    model_methods = {"GetModelStatus": _method(model.status, status)}
    server.add_generic_rpc_handlers(
        (
            _service("tensorflow.serving.PredictionService", prediction_methods),
            _service("tensorflow.serving.ModelService", model_methods),
        )
    )
    return server


def _service(name: str, methods: Mapping[str, grpc.RpcMethodHandler]) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(name, methods)


def _method(answer: Callable[..., Any], request_type: Any) -> grpc.RpcMethodHandler:
    """Builds a handler; bytes that are no request reach it as the refusal of them.

    What grpcio's generated code does with such bytes is UNKNOWN and a traceback.
    """

    def read(data: bytes) -> Any:
        try:
            return request_type.FromString(data)
        # The C++ implementation of protobuf has SystemError for some bytes that are no message.
        except (DecodeError, SystemError) as error:
            return RefusedError.malformed(f"the request is not a {request_type.__name__} ({error})")

    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=read,
        response_serializer=lambda response: response.SerializeToString(),
    )
