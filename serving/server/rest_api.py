"""TensorFlow Serving's REST API: predict, metadata and status.

    GET  /v1/models/NAME[/versions/N]
    GET  /v1/models/NAME[/versions/N]/metadata
    POST /v1/models/NAME[/versions/N]:predict
    GET  /metrics, for Prometheus

Called by `serving.server.server`. Must not import TFX.

Source: tensorflow.org/tfx/serving/api_rest
"""

import asyncio
import json
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

import grpc
from aiohttp import web
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2

from serving.model.servable import RefusedError
from serving.server.grpc_api import (
    PREDICTION_ID,
    SIGNATURE_FIELD,
    describe_signatures,
    model_status,
)
from serving.server.instances import encode_text, format_outputs, read_body
from serving.server.predictor import Predictor

MOST_REQUEST_BYTES = 16 << 20
_MODEL = r"/v1/models/{name:[^/:]+}"
_VERSION = r"/versions/{version:[0-9]{1,18}}"
_HTTP = {grpc.StatusCode.NOT_FOUND: 404, grpc.StatusCode.INVALID_ARGUMENT: 400}
_SURPRISE = 500
_READ_SECONDS = 30.0  # for a whole body to arrive, which a wrong Content-Length keeps waiting


class _RestApi:
    """The handlers."""

    def __init__(self, predictor: Predictor):
        self._predictor = predictor

    async def predict(self, request: web.Request) -> web.Response:
        data = await asyncio.wait_for(request.read(), _READ_SECONDS)
        work, size = self._predictor.work, len(data)
        body = await work(size, _parse, data)
        spec = _model_spec(request)
        signature_name = body.pop("signature_name", "")
        if not isinstance(signature_name, str):
            raise RefusedError.malformed(f"signature_name is {signature_name!r}; expected text")
        spec.signature_name = encode_text("signature_name", signature_name).decode()
        by_row = "instances" in body
        required, entity = self._predictor.required, self._predictor.entity
        answer = await self._predictor.predict(
            spec, lambda signature: read_body(body, signature, required, entity), "rest", size
        )
        response = await work(size, lambda: _json(format_outputs(answer.outputs, by_row)))
        if answer.prediction_id is not None:
            response.headers[PREDICTION_ID] = answer.prediction_id
        return response

    async def metadata(self, request: web.Request) -> web.Response:
        with self._predictor.live.lease(_model_spec(request)) as servable:
            described = describe_signatures(servable)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        described.metadata[SIGNATURE_FIELD].Unpack(signatures)
        spec = {
            "name": servable.name,
            "signature_name": "",
            "version": str(servable.version),
        }
        return _json({"model_spec": spec, "metadata": {SIGNATURE_FIELD: _plain(signatures)}})

    async def metrics(self, request: web.Request) -> web.Response:
        text, kind = await asyncio.to_thread(self._predictor.metrics.text)
        return web.Response(body=text, headers={"Content-Type": kind})

    async def status(self, request: web.Request) -> web.Response:
        status = model_status(self._predictor.live, _model_spec(request))
        versions = [
            {
                "version": str(each.version),
                "state": type(each).State.Name(each.state),
                "status": {
                    "error_code": "INTERNAL" if each.status.error_code else "OK",
                    "error_message": each.status.error_message,
                },
            }
            for each in status.model_version_status
        ]
        return _json({"model_version_status": versions})


def build_rest_app(predictor: Predictor) -> web.Application:
    """Builds the application, whose requests the predictor answers."""
    api = _RestApi(predictor)

    @web.middleware
    async def counted(request: web.Request, handler: Any) -> web.StreamResponse:
        began = time.perf_counter()
        response = await handler(request)  # `_explain` leaves no exception of a request
        if request.path.endswith(":predict"):
            predictor.metrics.count("rest", str(response.status), time.perf_counter() - began)
        return response

    app = web.Application(client_max_size=MOST_REQUEST_BYTES, middlewares=[counted, _explain])
    app.router.add_get("/metrics", api.metrics)
    for model in (_MODEL, _MODEL + _VERSION):
        app.router.add_post(f"{model}:predict", api.predict)
        app.router.add_get(f"{model}/metadata", api.metadata)
        app.router.add_get(model, api.status)
    return app


@web.middleware
async def _explain(request: web.Request, handler: Any) -> web.StreamResponse:
    """Turns whatever goes wrong into `{"error": …}` with its status; only a surprise is logged."""
    try:
        return await handler(request)
    except RefusedError as error:
        return _json({"error": str(error)}, _HTTP.get(error.code, _SURPRISE))
    except web.HTTPRequestEntityTooLarge:
        return _json({"error": f"the body is larger than {MOST_REQUEST_BYTES >> 20} MB"}, 413)
    except asyncio.TimeoutError:
        return _json({"error": f"the body did not arrive within {_READ_SECONDS:g} s"}, 408)
    except (web.RequestPayloadError, ConnectionError) as error:
        found = " ".join(str(error).split())
        return _json({"error": f"the body cannot be read ({found})"}, 400)
    except web.HTTPException as error:
        message = f"Malformed request: {request.method} {request.path} ({error.reason})"
        return _json({"error": message}, error.status)
    except Exception as error:  # noqa: BLE001 - the client gets whatever it was
        traceback.print_exc(file=sys.stderr)
        return _json({"error": f"{type(error).__name__}: {error}"}, _SURPRISE)


def _model_spec(request: web.Request) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=request.match_info["name"])
    if "version" in request.match_info:
        spec.version.value = int(request.match_info["version"])
    return spec


def _parse(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise RefusedError.malformed(f"the body is not JSON ({error})") from error
    if not isinstance(body, dict):
        raise RefusedError.malformed(
            f'the body is {type(body).__name__}; expected {{"instances": […]}} or {{"inputs": …}}'
        )
    return body


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Makes an object; refuses one that has a name twice, of which either may be meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RefusedError.malformed(f"the body has {twice!r:.120} twice in one object")
    return found


def _plain(message: Any) -> Any:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def _json(content: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=json.dumps(content, allow_nan=False).encode(),
        status=status,
        content_type="application/json",
    )
