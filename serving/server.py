"""A model server for machines that have no `tensorflow_model_server`.

Serves the newest version under a base folder over TensorFlow Serving's own gRPC API on 127.0.0.1:
PredictionService.Predict and GetModelMetadata, ModelService.GetModelStatus. A client cannot tell it
from the real one. `serving.process` starts it as a child; by hand:

    python -m serving.server --model_name taxi --model_base_path DIR --port 8500

Must not import TFX, and of TensorFlow only what serving needs: the start counts.

Source: tensorflow_serving/apis/*.proto.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent import futures

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from fareline.errors import FarelineError
from serving.servable import RefusedError, Servables, load_servable, read_inputs, wanted_outputs

_THREADS = 8
_STOP_SECONDS = 0.5
_SIGNATURE_FIELD = "signature_def"
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Linux would otherwise let two servers share one port and split its requests.
    ("grpc.so_reuseport", 0),
)


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """tensorflow.serving.PredictionService: Predict and GetModelMetadata."""

    def __init__(self, servables: Servables):
        self._servables = servables

    def Predict(self, request, context):  # noqa: N802 - the proto's name
        with _statuses(context):
            servable = self._servables.find(request.model_spec)
            name = request.model_spec.signature_name or "serving_default"
            signature = servable.signatures.get(name)
            if signature is None:
                raise RefusedError(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"Serving signature {name!r} not found; expected one of "
                    f"{sorted(servable.signatures)}",
                )
            outputs = signature(**read_inputs(request.inputs, signature))
            response = predict_pb2.PredictResponse()
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            response.model_spec.signature_name = name
            for key in wanted_outputs(request.output_filter, outputs):
                response.outputs[key].CopyFrom(tf.make_tensor_proto(outputs[key].numpy()))
            return response

    def GetModelMetadata(self, request, context):  # noqa: N802 - the proto's name
        with _statuses(context):
            servable = self._servables.find(request.model_spec)
            if list(request.metadata_field) != [_SIGNATURE_FIELD]:
                raise RefusedError(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"metadata_field is {list(request.metadata_field)}; expected "
                    f"[{_SIGNATURE_FIELD!r}]",
                )
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, definition in servable.signature_defs.items():
                signatures.signature_def[name].CopyFrom(definition)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            response.metadata[_SIGNATURE_FIELD].Pack(signatures)
            return response


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """tensorflow.serving.ModelService: GetModelStatus."""

    def __init__(self, servables: Servables):
        self._servables = servables

    def GetModelStatus(self, request, context):  # noqa: N802 - the proto's name
        with _statuses(context):
            servable = self._servables.find(request.model_spec)
            response = get_model_status_pb2.GetModelStatusResponse()
            response.model_version_status.add(
                version=servable.version,
                state=get_model_status_pb2.ModelVersionStatus.AVAILABLE,
            )
            return response


@contextlib.contextmanager
def _statuses(context: grpc.ServicerContext) -> Iterator[None]:
    """Turns what goes wrong inside into a gRPC status; only a surprise is logged."""
    try:
        yield
    except RefusedError as error:
        code, message = error.code, str(error)
    except tf.errors.InvalidArgumentError as error:
        # What the parsing op inside the graph says to bytes that are no tf.Example.
        code, message = grpc.StatusCode.INVALID_ARGUMENT, error.message
    except Exception as error:  # noqa: BLE001 - the client gets whatever it was
        traceback.print_exc()
        code, message = grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}"
    else:
        return
    context.abort(code, message)


def main(argv: list[str] | None = None) -> int:
    """Loads and serves until SIGTERM or SIGINT. Returns 1 if there is nothing to load."""
    parser = argparse.ArgumentParser(prog="serving.server", description="Serve a model over gRPC.")
    parser.add_argument("--model_name", required=True)
    parser.add_argument("--model_base_path", required=True)
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose (default)")
    parser.add_argument("--ready_file", help='gets {"stage": "loading" | "serving", "grpc_port"}')
    arguments = parser.parse_args(argv)

    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=_OPTIONS)
    port = server.add_insecure_port(f"127.0.0.1:{arguments.port}")
    _tell(arguments.ready_file, "loading", port)
    try:
        servables = Servables(load_servable(arguments.model_name, arguments.model_base_path))
    except FarelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _PredictionService(servables), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_ModelService(servables), server)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server.start()
    _tell(arguments.ready_file, "serving", port)
    sys.stderr.write(f"serving {arguments.model_name} on 127.0.0.1:{port}\n")
    stop.wait()
    server.stop(_STOP_SECONDS).wait(2 * _STOP_SECONDS)
    return 0


def _tell(ready_file: str | None, stage: str, port: int) -> None:
    """Writes how far the start has come, so that a reader finds the old word or the new one."""
    if ready_file:
        with open(f"{ready_file}.part", "w") as writer:
            json.dump({"stage": stage, "grpc_port": port}, writer)
        os.replace(f"{ready_file}.part", ready_file)


if __name__ == "__main__":
    try:
        status = main()
    except Exception:  # noqa: BLE001 - logged, and then the noisy exit is skipped
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # A request that never ends must not keep the process; TensorFlow's own exit prints noise.
    os._exit(status)
