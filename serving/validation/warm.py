"""Programs of this package as child processes; some start before there is a model to give them.

A fresh process spends its first seconds on imports. `prepare` starts processes that do their
imports and then wait; `start_program` hands one of them its arguments, or starts a fresh process if
none waits. `allowed` bounds the time in which processes may wait: its caller
(`runners.local.run`) leaves none behind. Called by `serving.validation.process`,
`serving.validation.reference`, `serving.validation.check` and `runners.local.warming`. Must not
import TFX or TensorFlow.
"""

import contextlib
import json
import os
import threading
from collections.abc import Iterator, Sequence

from fareline.packages import CHECKOUT
from fareline.start import command_for
from serving.validation.child import Child, ServerStartError

STARTER = "serving.model.start"
WAIT_FLAG = "--wait"


class _WaitingProgram:
    """A process that has done its imports, or is at them, and then waits for its arguments.

    They come through a pipe. If the pipe closes without any, the process ends; so it does not need
    its guard to end with this process, and no file is left behind.
    """

    def __init__(self, module: str):
        reader, writer = os.pipe()
        # Unbuffered, so that closing it writes nothing. Closed by `start` or `stop`.
        self._arguments = open(writer, "wb", buffering=0)  # noqa: SIM115
        command = command_for(STARTER, WAIT_FLAG, str(reader), module)
        try:
            # Until it has arguments its output is of no use: if it fails, a fresh one says why.
            self._child = Child(command, os.devnull, str(CHECKOUT), pass_fds=(reader,))
        except BaseException:
            self._arguments.close()
            raise
        finally:
            os.close(reader)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    def start(
        self, arguments: Sequence[str], log_path: str, memory_bytes: int | None
    ) -> Child | None:
        """Hands it its arguments; returns None, and cleans up, if it has ended meanwhile."""
        told = json.dumps({"log": log_path, "arguments": list(arguments)})
        if self._child.exit_code is None:
            with contextlib.suppress(BrokenPipeError):
                self._child.hand_over(log_path, memory_bytes)
                with self._arguments:
                    self._arguments.write(told.encode())
                return self._child
        self.stop()
        return None

    def stop(self) -> None:
        """Ends it."""
        self._arguments.close()
        self._child.stop()


class _Waiting:
    """The processes that wait now, by module; none is added while it is closed."""

    def __init__(self):
        self._lock = threading.Lock()
        self._programs: dict[str, _WaitingProgram] = {}
        self._open = False

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of those that wait, by module."""
        with self._lock:
            return {module: program.pid for module, program in self._programs.items()}

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        with self._lock:
            self._open = True
        try:
            yield
        finally:
            with self._lock:
                self._open = False
                while self._programs:
                    self._programs.popitem()[1].stop()

    def add(self, module: str) -> None:
        with self._lock:
            if self._open and module not in self._programs:
                self._programs[module] = _WaitingProgram(module)

    def take(self, module: str) -> _WaitingProgram | None:
        with self._lock:
            return self._programs.pop(module, None)


waiting = _Waiting()


def allowed() -> contextlib.AbstractContextManager[None]:
    """Lets `prepare` start processes while the block lasts.

    At the end of the block, even after an error, all unused processes have ended.
    """
    return waiting.opened()


def prepare(modules: Sequence[str]) -> None:
    """Starts a waiting process for each module that has none; does nothing where it is not allowed.

    Args:
        modules: Modules with a `main(argv)`.
    """
    for module in modules:
        # What cannot be started now is started, or refused with its reason, when it is needed.
        with contextlib.suppress(ServerStartError, OSError):
            waiting.add(module)


def start_program(
    module: str, arguments: Sequence[str], log_path: str, memory_bytes: int | None
) -> Child:
    """Gives a waiting process its arguments; starts a fresh one if none waits, or if it has ended.

    Args:
        module: A module with a `main(argv)`.
        arguments: For its `main`.
        log_path: File for all that it writes; replaced.
        memory_bytes: Memory limit of the process; above it the process is killed.

    Raises:
        ServerStartError: No process can be started.
    """
    program = waiting.take(module)
    child = program and program.start(arguments, log_path, memory_bytes)
    if child is None:
        child = start_command(command_for(STARTER, module, *arguments), log_path, memory_bytes)
    return child


def start_command(command: Sequence[str], log_path: str, memory_bytes: int | None) -> Child:
    """Starts any command, in a folder that stays.

    Args:
        command: Program and arguments.
        log_path: File for all that it writes; replaced.
        memory_bytes: Memory limit of the process; above it the process is killed.

    Raises:
        ServerStartError: No process can be started.
    """
    return Child(list(command), log_path, str(CHECKOUT), memory_bytes)
