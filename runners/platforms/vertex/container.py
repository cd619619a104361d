"""A model server in a container of Vertex AI: how the registry starts it, and what it is told.

The registry is told what `container_spec` says. Vertex then starts the container with variables of
its own, which `fareline serve --vertex` reads. Before a push, `require_answers` starts the same
program here in the same way, with the files that were uploaded.
"""

import base64
import contextlib
import dataclasses
import json
import math
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fareline.errors import UserMistake
from fareline.scratch import scratch_folder
from fareline.start import command_for
from pipeline.settings.settings import VertexPush
from runners.platforms.jobs import PlatformError
from runners.platforms.vertex.bucket import download, files_below
from runners.platforms.vertex.connection import api
from serving.validation.child import Child

NAME = "model"  # of the served model, in the routes
_PORT = 8080
_STORAGE, _HTTP_PORT = "AIP_STORAGE_URI", "AIP_HTTP_PORT"
_COMMAND = ("fareline", "serve", "--vertex")
_HEALTH_ROUTE, _PREDICT_ROUTE = f"/v1/models/{NAME}", f"/v1/models/{NAME}:predict"
_START_SECONDS = 180.0  # TensorFlow, on a machine with other work
_ANSWER_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_MOST_ROWS = 8
_TOLD = "fareline: "


def container_spec(settings: VertexPush) -> Any:
    """The container of a version: Google's image knows all by itself, ours is told."""
    types = api()
    if settings.server == "google":
        return types.ModelContainerSpec(image_uri=settings.image)
    return types.ModelContainerSpec(
        image_uri=settings.image,
        command=[*_COMMAND],
        ports=[types.Port(container_port=_PORT)],
        predict_route=_PREDICT_ROUTE,
        health_route=_HEALTH_ROUTE,
    )


@dataclasses.dataclass(frozen=True)
class Container:
    """What Vertex tells a container.

    Attributes:
        model: Folder of a bucket with the SavedModel.
        port: Port that Vertex sends requests to.
    """

    model: str
    port: int

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Container":
        """From the variables that Vertex sets.

        Raises:
            UserMistake: They are missing, as outside such a container, or are of no use.
        """
        model, port = environment.get(_STORAGE, ""), environment.get(_HTTP_PORT, str(_PORT))
        if not model.startswith("gs://"):
            raise UserMistake.explain(
                _STORAGE,
                f"found {model!r}",
                "expected gs://…, as Vertex AI sets it for a container of a model",
                "leave --vertex out on a machine of your own",
            )
        if not port.isdecimal() or not 0 < int(port) <= 65535:
            expected = "expected a port, as Vertex AI sets it"
            raise UserMistake.explain(_HTTP_PORT, f"found {port!r}", expected, "unset it")
        return cls(model.rstrip("/"), int(port))

    def fetch(self, folder: Path) -> Path:
        """Fetches the model as version 1; returns the folder above the version.

        Raises:
            PlatformError, UnreachableError, RefusedRequestError: One line.
        """
        base = folder / NAME
        for uri in files_below(self.model):
            path = base / "1" / uri.removeprefix(f"{self.model}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            download(uri, path)
        return base


def require_answers(model: str) -> None:
    """Starts what the container of Fareline's image runs, and asks it as Vertex does.

    The program runs in a process here, with the variables of Vertex, takes the uploaded files from
    the bucket, and must be healthy and answer rows of the model's warm-up file.

    Args:
        model: Folder of a bucket with the SavedModel.

    Raises:
        PlatformError: The server does not become healthy, or gives no usable answers; one line.
    """
    with scratch_folder("fareline-trial-") as folder:
        examples = _example_rows(model, Path(folder))
        port = _free_port()
        variables = {
            _STORAGE: model,
            _HTTP_PORT: str(port),
            "AIP_HEALTH_ROUTE": _HEALTH_ROUTE,
            "AIP_PREDICT_ROUTE": _PREDICT_ROUTE,
        }
        command = [
            "env",
            *(f"{name}={value}" for name, value in variables.items()),
            # Vertex reaches a container from outside; a trial is asked from this machine alone.
            *command_for("cli.app", *_COMMAND[1:], "--host", "localhost"),
        ]
        child = Child(command, str(Path(folder) / "log"), folder)
        try:
            _wait_until_healthy(child, port)
            ask(port, examples)
        finally:
            child.stop()


def _example_rows(model: str, folder: Path) -> list[Mapping[str, Any]]:
    """Rows as Vertex hands them on, from the warm-up file; none if the model has no such file."""
    from serving.model.warm_up import WARM_UP_FILE, read_warm_up

    uri = f"{model.rstrip('/')}/{WARM_UP_FILE}"
    if uri not in files_below(model):
        return []
    path = folder / WARM_UP_FILE
    path.parent.mkdir()
    download(uri, path)
    rows: list[Mapping[str, Any]] = []
    for request in read_warm_up(str(folder)):
        for name, tensor in request.inputs.items():
            texts = [base64.b64encode(each).decode() for each in tensor.string_val]
            rows += [{name: {"b64": each}} for each in texts]
        if len(rows) >= _MOST_ROWS:
            break
    return rows[:_MOST_ROWS]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_healthy(child: Child, port: int) -> None:
    limit = time.monotonic() + _START_SECONDS
    while time.monotonic() < limit:
        if child.exit_code is not None:
            lines = [line.strip() for line in child.log_tail().splitlines() if line.strip()]
            told = [line for line in lines if line.startswith(_TOLD)] or lines or ["no message"]
            raise _no_server(f"ended with {child.exit_reason} ({told[-1].removeprefix(_TOLD)})")
        with contextlib.suppress(OSError):
            _send(port, _HEALTH_ROUTE, None, 5.0)
            return
        time.sleep(_LOOK_SECONDS)
    raise _no_server(f"was not healthy within {_START_SECONDS:g} s")


def ask(port: int, rows: list[Mapping[str, Any]]) -> None:
    """Asks a server on this machine for predictions, in the shape of Vertex.

    Args:
        port: Port of the server.
        rows: Instances; nothing is asked if there are none.

    Raises:
        PlatformError: The server refuses, or its answers are of no use.
    """
    if not rows:
        return
    try:
        answer = json.loads(_send(port, _PREDICT_ROUTE, {"instances": rows}, _ANSWER_SECONDS))
    except urllib.error.HTTPError as error:
        said = " ".join(error.read().decode(errors="replace").split())
        raise _no_server(f"answered {error.code} ({said})") from error
    except (OSError, ValueError) as error:
        raise _no_server(f"gave no answer ({error})") from error
    found = answer.get("predictions") if isinstance(answer, dict) else None
    if not isinstance(found, list) or len(found) != len(rows):
        raise _no_server(f"did not answer {len(rows)} rows with as many predictions")
    if not all(map(_is_finite, found)):
        raise _no_server("answered with numbers that are not finite")


def _send(port: int, route: str, content: Any, seconds: float) -> bytes:
    data = None if content is None else json.dumps(content).encode()
    kind = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{route}", data, kind)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=seconds) as answer:
        return answer.read()


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    # Our server writes what is not finite as null.
    return value is not None and (not isinstance(value, float) or math.isfinite(value))


def _no_server(found: str) -> PlatformError:
    return PlatformError.explain(
        "push.vertex.server",
        f"`fareline serve --vertex` with the uploaded files {found}",
        "expected a healthy server and its predictions, as Vertex AI needs them",
        "nothing was added to the Model Registry; correct the cause, and run again",
    )
