"""A model server as a child process that never outlives its owner.

Called by `serving.validation.check`. Uses `tensorflow_model_server` where it is on PATH, else
`serving.server.server`; both are asked over the same gRPC API. Must not import TFX.
"""

import functools
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from fareline.errors import FarelineError
from serving.validation.child import CANNOT_RUN, Child, ServerStartError
from serving.validation.warm import start_command, start_program

TENSORFLOW_SERVING = "tensorflow_model_server"
OWN_SERVER = "serving.server.server"

_POLL_SECONDS = 0.02
_PORT_TRIES = 3
_VERSION_SECONDS = 30
_MIB = 1 << 20
_LOADED = get_model_status_pb2.ModelVersionStatus.AVAILABLE
_GIVEN_UP = get_model_status_pb2.ModelVersionStatus.END


class ModelLoadError(FarelineError, RuntimeError):
    """The server died, or gave up, while it loaded the model. Ends with the tail of its log."""


class ModelMemoryError(FarelineError, MemoryError):
    """The server took more memory than it may while it loaded the model, and was killed."""


class PortTakenError(ServerStartError):
    """Every port that was free a moment ago was taken when the server wanted it."""


class ModelLoadTimeout(FarelineError, TimeoutError):
    """The model was not loaded within the deadline."""


def open_channel(address: str) -> grpc.Channel:
    """Opens a channel to a server on this machine, past any proxy, for messages of any size."""
    return grpc.insecure_channel(
        address,
        options=(
            ("grpc.enable_http_proxy", 0),
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
        ),
    )


def server_kind() -> str:
    """The server of this machine: `tensorflow_model_server` or `serving.server.server`."""
    return TENSORFLOW_SERVING if shutil.which(TENSORFLOW_SERVING) else OWN_SERVER


class ModelServer:
    """Serves one SavedModel from a fresh process for as long as the `with` block lasts.

    On entering, waits until the model is loaded. On leaving, the process and all that it started
    are gone; also if this process is killed, whatever with.

    Attributes:
        kind: `tensorflow_model_server` or `serving.server.server`.
        address: Where gRPC is served, `127.0.0.1:<port>`.
        load_seconds: From the start of the process until the model could be asked; without the
            imports, if the process was started in advance (see `serving.validation.warm`).
    """

    def __init__(
        self,
        model_dir: str,
        model_name: str,
        log_path: str,
        startup_deadline_s: float = 60.0,
        memory_bytes: int | None = None,
    ):
        """Prepares; nothing is started.

        Args:
            model_dir: Folder of the SavedModel itself, without versions.
            model_name: The name to serve it under.
            log_path: File for all that the server writes; replaced. Beside it is a folder of the
                server's own while it runs.
            startup_deadline_s: Seconds from the start until the model must be loaded.
            memory_bytes: The server is killed as soon as it holds more than this.
        """
        self._model_dir = os.path.abspath(model_dir)
        self._model_name = model_name
        self._log_path = os.path.abspath(log_path)
        self._startup_deadline_s = startup_deadline_s
        self._memory_bytes = memory_bytes
        self._child: Child | None = None
        self._run_dir = ""
        self.kind = server_kind()
        self.address = ""
        self.load_seconds = 0.0

    def __enter__(self):
        """Starts the server and waits until the model is loaded.

        Raises:
            ServerStartError: The server cannot run here at all.
            PortTakenError: It found no port.
            ModelLoadError: It ended, or reported failure, while loading.
            ModelMemoryError: It passed its limit while loading.
            ModelLoadTimeout: It was not done within the deadline.
        """
        try:
            self._run_dir = tempfile.mkdtemp(prefix="serving-", dir=os.path.dirname(self._log_path))
            # A link, not a copy: a model may be large, and both servers follow it.
            os.mkdir(self._base)
            os.symlink(self._model_dir, os.path.join(self._base, "1"))
            if self.kind == TENSORFLOW_SERVING:
                self._start_tensorflow_serving()
            else:
                self._start_own_server()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_) -> None:
        """Ends the server; returns when it is gone."""
        if self._child is not None:
            self._child.stop()
        shutil.rmtree(self._run_dir, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._child.pid

    @property
    def peak_memory_bytes(self) -> int:
        """The largest resident memory of the server so far, in bytes; stays known after its end."""
        return self._child.peak_memory_bytes

    @property
    def memory_bytes(self) -> int:
        """The resident memory of the server now, in bytes; 0 if it is gone."""
        return self._child.memory_bytes

    @property
    def over_memory(self) -> bool:
        """Whether the server was killed because it took more memory than it may."""
        return self._child.over_memory

    @property
    def exit_reason(self) -> str | None:
        """State of the ended server, `exit code 3` or `killed by SIGSEGV`; None while it runs."""
        return None if self._child.exit_code is None else self._child.exit_reason

    def log_tail(self) -> str:
        """Returns the last lines that the server wrote."""
        return self._child.log_tail()

    @property
    def _base(self) -> str:
        return os.path.join(self._run_dir, "models")

    @property
    def _ready_file(self) -> str:
        return os.path.join(self._run_dir, "ready.json")

    def _start_own_server(self) -> None:
        flags = [
            f"--model_name={self._model_name}",
            f"--model_base_path={self._base}",
            "--port=0",
            f"--ready_file={self._ready_file}",
        ]
        self._run(functools.partial(start_program, OWN_SERVER, flags))

    def _start_tensorflow_serving(self) -> None:
        """Starts the real server. It cannot choose its port, so another may take it in between."""
        _require_runnable(TENSORFLOW_SERVING)
        for tries_left in reversed(range(_PORT_TRIES)):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            self.address = f"127.0.0.1:{port}"
            flags = [
                f"--port={port}",
                "--rest_api_port=0",
                f"--model_name={self._model_name}",
                f"--model_base_path={self._base}",
                # What failed once fails again; say so at once.
                "--max_num_load_retries=0",
                # Or Linux lets two servers share the port and split the requests.
                "--grpc_channel_arguments=grpc.so_reuseport=0",
            ]
            try:
                self._run(functools.partial(start_command, [TENSORFLOW_SERVING, *flags]))
                return
            except ModelLoadError as err:
                # Not the model's fault. Words of gRPC's and TensorFlow Serving's own logs.
                if not re.search("Address already in use|BuildAndStart", self.log_tail()):
                    raise
                self._child.stop()
                if not tries_left:
                    raise PortTakenError.explain(
                        self.kind,
                        f"its port was taken, {_PORT_TRIES} times in a row",
                        "expected a free port to stay free for a moment",
                        "see what takes ports on this machine, then run again",
                    ) from err

    def _run(self, start: Callable[[str, int | None], Child]) -> None:
        """Starts a server and waits until it says that the model is loaded."""
        started = time.monotonic()
        self._child = start(self._log_path, self._memory_bytes)
        while not self._is_loaded():
            if self.exit_reason is not None:
                raise self._death()
            if time.monotonic() > started + self._startup_deadline_s:
                raise ModelLoadTimeout.explain(
                    self._model_dir,
                    f"{self.kind} had not loaded it after {self._startup_deadline_s:g} s",
                    "expected a model that loads in that time",
                    "look for work that it does while loading, or raise the deadline",
                )
            time.sleep(_POLL_SECONDS)
        self.load_seconds = time.monotonic() - started

    def _is_loaded(self) -> bool:
        """Asks the server; False also while it cannot be reached yet."""
        if self.kind == OWN_SERVER:
            try:
                with open(self._ready_file) as reader:
                    told = json.load(reader)
            except FileNotFoundError:
                return False
            self.address = f"127.0.0.1:{told['grpc_port']}"
            if told["stage"] != "serving":
                return False
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = self._model_name
        try:
            with open_channel(self.address) as channel:
                ask = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus
                versions = ask(request, timeout=1.0).model_version_status
        except grpc.RpcError:
            return False
        for version in versions:
            if version.state == _GIVEN_UP:
                raise self._load_error(f"gave up loading it ({version.status.error_message})")
        return any(version.state == _LOADED for version in versions)

    def _death(self) -> FarelineError:
        """Builds the error for a server that ended: the machine's fault, or the model's."""
        if self._child.over_memory:
            return ModelMemoryError.explain(
                self._model_dir,
                f"{self.kind} passed {self._memory_bytes / _MIB:g} MB while loading it",
                "expected a model that loads in that memory",
                "make the model smaller, or raise the memory_mb budget",
            )
        never_ran = self._child.exit_code == CANNOT_RUN
        if never_ran or (self.kind == OWN_SERVER and not os.path.exists(self._ready_file)):
            error = ServerStartError.explain(
                self.kind,
                f"it ended before it took up the model ({self.exit_reason})",
                "expected a model server that runs",
                "see what it wrote",
            )
            return ServerStartError(f"{error}\n{self.log_tail()}")
        return self._load_error(f"died while loading it ({self.exit_reason})")

    def _load_error(self, found: str) -> ModelLoadError:
        error = ModelLoadError.explain(
            self._model_dir,
            f"{self.kind} {found}",
            "expected a model that loads",
            "see what the server wrote",
        )
        return ModelLoadError(f"{error}\n{self.log_tail()}")


def _require_runnable(binary: str) -> None:
    """Tells a server that cannot run at all from one that a model brings down."""
    try:
        subprocess.run(
            [binary, "--version"], check=True, capture_output=True, timeout=_VERSION_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as err:
        said = (getattr(err, "stderr", None) or b"").decode(errors="replace").strip()
        raise ServerStartError.explain(
            binary,
            f"`{binary} --version` failed ({err}) {said}".strip(),
            "expected a model server that runs",
            f"repair it, or take it off PATH to use {OWN_SERVER}",
        ) from err
