"""The warm process of a workspace: has TFX loaded, and forks itself for each step that is run.

Started by `fareline step begin --warm`. `runners.steps.hand_over` is the other side, and describes
the requests and answers. It ends when the last of its runs has ended, when no request has come for
long enough, and when the sources of Fareline or the installed packages have changed. A step is
killed if this process, or the process that asked for the step, ends before it.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import filelock

from fareline.packages import PACKAGES
from fareline.start import command_for, load_command
from pipeline.user_code import PREPROCESSING_FN, RUN_FN, TUNER_FN, fingerprint_packages
from runners.own_code import choose_keras_3
from runners.replay.forks import Forks, become, preload
from runners.steps.frozen import StepFiles
from runners.steps.hand_over import SOCKET, address, ask, connect, identity, is_own, is_possible
from runners.workspace import Workspace

IDLE_SECONDS = 600.0
_READ_SECONDS = 5.0  # for a request to arrive
_LOCK_SECONDS = 5.0  # for another process that starts or ends one
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
_LARGEST_REQUEST = 1 << 24
# In this order: a cached step needs the first of them, executors the others.
MODULES = (
    "runners.steps.step",
    "runners.beam.engine",
    "runners.local.publication",
    "runners.local.launching",
    "runners.local.node_logs",
    "runners.beam.profiles",
    "runners.outcome.summary",
    "runners.publishing.interrupted",
    "tfx.orchestration.portable.outputs_utils",
    "pipeline.dag",
    *(path.rpartition(".")[0] for path in (PREPROCESSING_FN, TUNER_FN, RUN_FN)),
    "keras_tuner",
    "tensorflow_model_analysis",
)


def start_warm(workspace: Workspace, run_id: str, environment: Mapping[str, str]) -> bool:
    """Has a warm process at work for a run: one that is there, or a new one.

    Args:
        workspace: Workspace of the run.
        run_id: Id of the run, which has begun.
        environment: Environment with which this process was started.

    Returns:
        Whether there is one; not everywhere can be one.
    """
    lock = filelock.FileLock(_lock_path(workspace.root), timeout=_LOCK_SECONDS)
    try:
        with lock:
            if _tell(workspace, {"begins": run_id}) == {"known": run_id}:
                return True
            # Here, for steps to find it from now on: they wait for what is being loaded.
            with listen(workspace.root) as listener:
                _start(workspace, run_id, environment, listener.fileno())
            return True
    except filelock.Timeout:  # it is being started
        return True
    except OSError:
        return False


def _start(
    workspace: Workspace, run_id: str, environment: Mapping[str, str], listener: int
) -> None:
    words = [str(workspace.root), run_id, str(listener)]
    with (StepFiles(workspace, run_id).folder / "warm.log").open("ab") as log:
        subprocess.Popen(
            command_for("runners.steps.warm", *words),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=dict(environment),
            pass_fds=[listener],
            start_new_session=True,
        )


def end_warm(workspace: Workspace, run_id: str) -> None:
    """Ends the warm process, if it is there for this run alone."""
    _tell(workspace, {"ends": run_id})


def _tell(workspace: Workspace, request: Mapping[str, str]) -> dict[str, Any] | None:
    connection = connect(str(workspace.root))
    if connection is None:
        return None
    with connection:
        return ask(connection, request)


class _Loaded:
    """What this process has loaded, or is about to load."""

    def __init__(self):
        self._first = self._now()

    def is_current(self) -> bool:
        """Whether sources and installed packages are what they were."""
        return self._first == self._now()

    def _now(self) -> tuple[str, int]:
        return fingerprint_packages(PACKAGES), os.stat(sysconfig.get_path("purelib")).st_mtime_ns


class _Server:
    """The loop of requests and answers.

    Args:
        listener: Socket that requests come to.
        run_id: Id of the first run that it is there for.
        loaded: What is loaded.
        who: `identity` of this process.
        run: Runs a command line in a fork.
    """

    def __init__(
        self,
        listener: socket.socket,
        run_id: str,
        loaded: _Loaded,
        who: Mapping[str, Any],
        run: Callable[[], object],
    ):
        self._listener = listener
        self._runs = {run_id}
        self._loaded = loaded
        self._who = who
        self._run = run
        self._forks = Forks()
        self._steps: list[socket.socket] = []
        self._last = time.monotonic()
        self._pid = os.getpid()
        self.is_open = True

    def serve(self, seconds: float) -> None:
        """Starts what is asked for, and tells of what has ended.

        Args:
            seconds: How long to wait for something.
        """
        listening = [self._listener] if self.is_open else []
        ready, _, _ = select.select([*listening, self._forks, *self._steps], [], [], seconds)
        for step in ready:
            # Whoever asks for a step says nothing more: it is gone, and nothing waits for the step.
            if step in self._steps:
                self._forks.kill(step)
        for step, code in self._forks.ended():
            self._steps.remove(step)
            _answer(step, {"code": code})
            step.close()
            self._last = time.monotonic()
        if self._listener in ready:
            self._take(self._listener.accept()[0])
        idle = time.monotonic() - self._last > IDLE_SECONDS
        if not self._runs or (idle and not self._steps):
            self.is_open = False

    def has_steps(self) -> bool:
        """Whether steps are at work."""
        return bool(self._steps)

    def _take(self, connection: socket.socket) -> None:
        self._last = time.monotonic()
        connection.settimeout(_READ_SECONDS)
        streams: list[int] = []
        is_step = False
        try:
            if is_own(connection):
                request = _read(connection, streams)
                is_step = self._do(connection, request, streams)
        except (OSError, ValueError, KeyError, TypeError):  # it went away, or is none of ours
            traceback.print_exc()
        finally:
            for descriptor in streams:
                os.close(descriptor)
            if not is_step:
                connection.close()

    def _do(self, connection: socket.socket, request: dict, streams: Sequence[int]) -> bool:
        """Does what is asked for; returns whether a step has been started."""
        if "ends" in request:
            self._runs.discard(request["ends"])
            return False
        if request["identity"] != self._who:
            _answer(connection, {"refused": "another environment"})
            return False
        if not self._loaded.is_current():
            self.is_open = False
            _answer(connection, {"refused": "the sources have changed"})
            return False
        if "begins" in request:
            self._runs.add(request["begins"])
            _answer(connection, {"known": request["begins"]})
            return False
        if _is_gone(connection):  # it has waited too long, and runs the step itself
            return False
        connection.setblocking(True)
        pid = self._forks.start(connection, lambda: self._become(connection, request, streams))
        self._steps.append(connection)
        _answer(connection, {"pid": pid})
        return True

    def _become(
        self, connection: socket.socket, request: dict[str, Any], streams: Sequence[int]
    ) -> NoReturn:
        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != self._pid:  # it has died before that was said
            os._exit(1)
        for each in (self._listener, connection, *self._steps):
            each.close()

        def run() -> None:
            for descriptor in streams:
                os.close(descriptor)
            os.environ.clear()
            os.environ.update(request["environment"])
            os.umask(request["umask"])
            _renew()
            sys.argv = ["fareline", *request["words"]]
            self._run()

        become(run, streams, request["folder"])


def _renew() -> None:
    """What a process has of its own from its start."""
    time.tzset()
    tempfile.tempdir = None
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        old = getattr(sys, name)
        new = open(  # noqa: SIM115 - for as long as the process lasts
            old.fileno(), mode, encoding=old.encoding, errors=old.errors, closefd=False,
            buffering=1 if name == "stderr" or os.isatty(old.fileno()) else -1,
        )  # fmt: skip
        setattr(sys, name, new)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def _read(connection: socket.socket, streams: list[int]) -> dict[str, Any]:
    """A request; its streams are appended, which are open then."""
    _, received, _, _ = socket.recv_fds(connection, 1, 3)
    streams += received
    line = b""
    while not line.endswith(b"\n"):
        read = connection.recv(1 << 16)
        if not read or len(line) > _LARGEST_REQUEST:
            raise ValueError("a request of half a line")
        line += read
    return json.loads(line)


def _is_gone(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False


def _answer(connection: socket.socket, content: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):  # it is gone, and so is what it asked for
        connection.sendall(json.dumps(content).encode() + b"\n")


def listen(root: Path) -> socket.socket:
    """A socket in a workspace that this user alone may use.

    Raises:
        OSError: There can be none.
    """
    if not is_possible():
        raise OSError("not on this system")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    (root / SOCKET).unlink(missing_ok=True)
    folder, umask = os.open(root, os.O_RDONLY | os.O_DIRECTORY), os.umask(0o177)
    try:
        listener.bind(address(folder))
    finally:
        os.umask(umask)
        os.close(folder)
    listener.listen(64)
    return listener


def _lock_path(root: Path) -> Path:
    return root / f"{SOCKET}.lock"


def serve(
    root: Path,
    run_id: str,
    listener: socket.socket,
    load: Callable[[], Callable[[], object]] = load_command,
    modules: Sequence[str] = MODULES,
) -> None:
    """Serves until there is nothing more to serve.

    Args:
        root: Folder of the workspace.
        run_id: Id of the first run.
        listener: Socket there.
        load: Loads what runs a command line, and returns it.
        modules: What is loaded then, in this order. A step finds out what cannot be loaded.
    """
    place = os.stat(root / SOCKET)
    who, loaded = identity(os.environ), _Loaded()
    os.environ.setdefault("GLOG_minloglevel", "2")
    choose_keras_3()
    server = _Server(listener, run_id, loaded, who, load())
    for module in modules:
        preload(module)
    while server.is_open:
        server.serve(IDLE_SECONDS)
    lock = filelock.FileLock(_lock_path(root), timeout=_LOCK_SECONDS)
    with contextlib.suppress(OSError, filelock.Timeout), lock:
        if os.path.samestat(place, os.stat(root / SOCKET)):  # not that of another one
            (root / SOCKET).unlink()
    listener.close()
    while server.has_steps():
        server.serve(IDLE_SECONDS)


def main(root: str, run_id: str, listener: str) -> None:
    """As `python -m runners.steps.warm WORKSPACE RUN DESCRIPTOR`."""
    try:
        serve(Path(root), run_id, socket.socket(fileno=int(listener)))
    except Exception:  # noqa: BLE001 - it goes to the log, and steps run without it
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
