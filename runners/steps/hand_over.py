"""`fareline step run`, handed over to the warm process of a workspace, if there is one.

Called before anything else is loaded; imports nothing but a little of the standard library, since a
step that is cached takes less time than the import of anything more. `runners.steps.warm` is the
other side: it has TFX loaded already, and runs the same command line in a fork of itself with the
folder, the environment and the streams of this process. Where it cannot, nothing has happened, and
the command goes on here.

One connection for each request, which is a line of JSON after one byte with the descriptors of
stdin, stdout and stderr. Answers are lines of JSON: `{"pid"}` when the fork has started, `{"code"}`
when it has ended, as `subprocess` has it; `{"refused"}` in place of both.
"""

import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SOCKET = ".warm-socket"  # in the workspace
START_SECONDS = 60.0  # for the warm process to start a step; it may be loading TFX still
_END_SECONDS = 10.0  # for a killed step to be gone
_WORKSPACE = "workspace"
_WORKSPACE_VARIABLE = "FARELINE_WORKSPACE"
_WITH_VALUE = ("--run", "--workspace", "-w")
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What libraries read once, when they are loaded: a process that differs in these is another one.
_READ_ONCE = (
    "ABSL_", "ARROW_", "BEAM_", "CUDA_", "GLOG_", "GRPC_", "HOME", "KERAS_", "KMP_", "LANG", "LC_",
    "LD_", "MALLOC_", "MKL_", "NUMEXPR_", "OMP_", "OPENBLAS_", "PYTHON", "TF2_", "TFX_", "TF_",
    "XLA_",
)  # fmt: skip
_SET_BY_US = ("GLOG_minloglevel",)  # by every command, before libraries are loaded


def hand_over() -> None:
    """Has the warm process run this command, and ends as it ends; returns where it cannot."""
    root = _workspace_of(sys.argv[1:])
    if root is None or not _has_streams():
        return
    connection = connect(root)
    if connection is None:
        return
    received: list[int] = []
    process = None
    with connection, _signals_to(received):
        process = _start(connection)
        if process is not None:
            code = _wait(connection, process, received)
            if code is not None:
                _end_as(code)
            _make_sure_of_its_end(process)
    if received:  # while nothing of the step ran
        sys.stderr.write("fareline: interrupted\n")
        sys.exit(128 + received[-1])


def connect(root: str) -> socket.socket | None:
    """Connects to the warm process of a workspace; None if there is none of this user.

    Args:
        root: Folder of the workspace.
    """
    if not is_possible():
        return None
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(START_SECONDS)
        connection.connect(address(folder))
        if is_own(connection):
            return connection
    except OSError:
        pass
    finally:
        os.close(folder)
    connection.close()
    return None


def is_possible() -> bool:
    """Whether this system has what is needed, as Linux has."""
    return hasattr(os, "pidfd_open") and hasattr(socket, "SO_PEERCRED")


def address(folder: int) -> str:
    """Address of the socket in an open folder; by the descriptor, since 107 bytes is the limit."""
    return f"/proc/self/fd/{folder}/{SOCKET}"


def is_own(connection: socket.socket) -> bool:
    """Whether the process at the other end is one of this user."""
    credentials = struct.Struct("3i")
    asked = (socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size)
    _, user, _ = credentials.unpack(connection.getsockopt(*asked))
    return user == os.geteuid()


def identity(environment: Mapping[str, str]) -> dict[str, Any]:
    """What two processes must have in common for one to run the command of the other.

    Args:
        environment: The variables that it was started with.
    """
    names = ("mnt", "pid", "net", "user")
    namespaces = [_link(f"/proc/self/ns/{name}") for name in names]
    root = os.stat("/")
    return {
        "python": [sys.prefix, sys.version],
        "sources": os.path.realpath(__file__),
        "place": [*namespaces, root.st_dev, root.st_ino],
        "environment": {
            name: value
            for name, value in sorted(environment.items())
            if name.startswith(_READ_ONCE) and name not in _SET_BY_US
        },
    }


def ask(connection: socket.socket, request: Mapping[str, Any]) -> dict[str, Any] | None:
    """Sends a request with the streams of this process, and reads the first answer; None if none.

    Args:
        connection: From `connect`.
        request: What is asked for, beside who asks.
    """
    content = {**request, "identity": identity(os.environ)}
    try:
        socket.send_fds(connection, [b"\n"], [0, 1, 2])
        connection.sendall(json.dumps(content).encode() + b"\n")
        return _answer(connection)
    except OSError:
        return None


def _start(connection: socket.socket) -> int | None:
    """Has the step started; returns a descriptor of its process, or None if there is none."""
    umask = os.umask(0)
    os.umask(umask)
    try:
        folder = os.getcwd()
    except OSError:  # it is gone
        return None
    request = {
        "words": sys.argv[1:], "folder": folder, "umask": umask, "environment": dict(os.environ),
    }  # fmt: skip
    answer = ask(connection, request)
    if answer is None or "pid" not in answer:
        return None
    try:
        return os.pidfd_open(answer["pid"])
    except OSError:  # it has ended already
        return -1


def _wait(connection: socket.socket, process: int, received: list[int]) -> int | None:
    """Exit code of the step; None if the warm process is gone.

    Signals that this process gets are sent to the step, which decides what comes of them.
    """
    connection.settimeout(None)
    told = 0
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while True:
        for number in received[told:]:
            told += 1
            _send(process, number)
        # Not for ever: a signal may come between the look at `received` and the wait.
        if poll.poll(200):
            answer = _answer(connection)
            return None if answer is None else answer["code"]


def _send(process: int, number: int) -> None:
    with contextlib.suppress(OSError):
        signal.pidfd_send_signal(process, number)


def _make_sure_of_its_end(process: int) -> None:
    """Waits until a step without its warm process is gone, which the kernel kills."""
    if process < 0:
        return
    _send(process, signal.SIGKILL)
    poll = select.poll()
    poll.register(process, select.POLLIN)
    poll.poll(_END_SECONDS * 1000)
    os.close(process)


@contextlib.contextmanager
def _signals_to(received: list[int]) -> Iterator[None]:
    """Has the signals that stop a command noted, but those that are ignored."""
    heeded = [n for n in _FORWARDED if signal.getsignal(n) is not signal.SIG_IGN]
    before = {n: signal.signal(n, lambda number, frame: received.append(number)) for n in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_as(code: int) -> None:
    """Ends this process as the step has ended: with its exit code, or by its signal."""
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    sys.exit(code)


def _answer(connection: socket.socket) -> dict[str, Any] | None:
    """The next line; None at the end."""
    line = b""
    while not line.endswith(b"\n"):
        try:
            read = connection.recv(1)
        except OSError:
            return None
        if not read:
            return None
        line += read
    return json.loads(line)


def _workspace_of(words: Sequence[str]) -> str | None:
    """Folder of the workspace that a command line names; None if it is no plain `step run`."""
    given = [word for word in words if word != "--debug"]
    if given[:2] != ["step", "run"]:
        return None
    found = os.environ.get(_WORKSPACE_VARIABLE) or _WORKSPACE
    rest = iter(given[2:])
    for word in rest:
        name, _, value = word.partition("=")
        if name in _WITH_VALUE:
            value = value or next(rest, "")
            found = value if name in ("--workspace", "-w") else found
        elif word.startswith("-") and word != "--json":
            return None
    return found


def _has_streams() -> bool:
    """Whether stdin, stdout and stderr are open."""
    try:
        return all(os.fstat(number) for number in range(3))
    except OSError:
        return False


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
