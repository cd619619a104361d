"""Runs the commands of containers: in a preloaded process where that is the same, else as they are.

A command is recognised if it is `python -m` TFX's entry point for containers. Every other command
is a process of its own, with our Python in the place of the image's. The check before
ExampleGen's cache is one of these, with only the libraries that it needs: where all is cached,
nothing else runs.
"""

import contextlib
import dataclasses
import itertools
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from fareline.errors import FarelineError
from fareline.packages import CHECKOUT
from fareline.start import command_for
from runners.replay.forks import kill

PRELOADABLE = ("tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",)
# TFX's check before ExampleGen's cache, and ours, which reads a span and then calls it.
CHECKS = (
    "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver",
    "pipeline.components.wanted_span",
)
LIGHT = "runners.replay.light_check"
PYTHONS = ("python", "python3")
# Keras 3 on TensorFlow in every step, as in the image, whatever the shell says.
KERAS = {"KERAS_BACKEND": "tensorflow"}
LEGACY_KERAS = "TF_USE_LEGACY_KERAS"
GRACE_SECONDS = 5  # between being asked to end and being ended


class Cancelled(FarelineError, RuntimeError):
    """The run was cancelled."""


class ProcessesError(FarelineError, RuntimeError):
    """The preloaded process has ended by itself."""


@dataclasses.dataclass
class _Step:
    """A command under way: its process, and how it ended."""

    ended: threading.Event = dataclasses.field(default_factory=threading.Event)
    pid: int | None = None
    code: int | None = None


@dataclasses.dataclass(frozen=True)
class Command:
    """A container's command, placeholders filled.

    Attributes:
        words: The command and its arguments.
        environment: Variables that the container sets.
        folder: Where it runs.
        log: File that its output is appended to.
    """

    words: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path

    def write_script(self, path: Path) -> None:
        """Writes the exact command as a shell script, for a person to repeat it."""
        exports = [
            f"export {name}={shlex.quote(value)}"
            for name, value in sorted({**_own_environment(), **self.environment}.items())
        ]
        lines = [
            "#!/bin/sh",
            "# The command of one step, as it was run; its exit code is the step's.",
            f"cd {shlex.quote(str(self.folder))}",
            f"unset {LEGACY_KERAS}",
            *exports,
            f"exec {shlex.join(_with_our_python(self.words))}",
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


class Processes:
    """Runs commands, side by side; a context manager that ends all of them.

    Args:
        modules: Modules that the preloaded process imports, in this order; empty: no process.
        log: File for the output of the preloaded process.
        cancel: Set from any thread: commands are ended.
    """

    def __init__(self, modules: Sequence[str], log: Path, cancel: threading.Event):
        self._modules = list(modules)
        self._log = log
        self._cancel = cancel
        self._lock = threading.Lock()
        self._steps: dict[int, _Step] = {}
        self._numbers = itertools.count(1)
        self._server: subprocess.Popen | None = None
        self._server_ended = False

    def __enter__(self) -> "Processes":
        if self._modules:
            with self._log.open("ab") as log:
                self._server = subprocess.Popen(
                    command_for("runners.replay.preloaded", *self._modules),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=_environment(),
                    start_new_session=True,
                )
            threading.Thread(target=self._read_answers, args=(self._server,), daemon=True).start()
        return self

    def __exit__(self, *exception) -> None:
        if self._server is None:
            return
        for step in list(self._steps.values()):  # none, unless the run broke off
            kill(step.pid, signal.SIGKILL)
        self._server.kill()  # it may be importing what nobody needs any more
        self._server.wait()
        with contextlib.suppress(BrokenPipeError):
            self._server.stdin.close()

    def run(self, command: Command) -> int:
        """Runs a command to its end.

        Returns:
            Its exit code; negative if a signal ended it.

        Raises:
            Cancelled: The run was cancelled meanwhile.
            ProcessesError: The preloaded process is gone.
        """
        if self._cancel.is_set():
            raise Cancelled("the run was cancelled")
        if self._server is not None and is_preloadable(command.words):
            step = self._ask(command)
        else:
            step = self._spawn(command)
        while not step.ended.wait(0.2):
            if self._cancel.is_set():
                self._end(step)
                raise Cancelled("the run was cancelled")
        if step.code is None:
            kill(step.pid, signal.SIGKILL)
            raise ProcessesError(f"the preloaded process has ended; its output is in {self._log}")
        return step.code

    def _ask(self, command: Command) -> _Step:
        step, number = _Step(), next(self._numbers)
        request = {
            "id": number,
            "argv": list(command.words[2:]),
            "env": dict(command.environment),
            "cwd": str(command.folder),
            "log": str(command.log),
        }
        with self._lock:
            if self._server_ended:  # a step that it left behind may hold its stdin open still
                step.ended.set()
                return step
            self._steps[number] = step
            try:
                self._server.stdin.write(json.dumps(request).encode() + b"\n")
                self._server.stdin.flush()
            except OSError:
                self._steps.pop(number).ended.set()
        return step

    def _read_answers(self, server: subprocess.Popen) -> None:
        for line in server.stdout:
            answer = json.loads(line)
            step = self._steps[answer["id"]]
            if "pid" in answer:
                step.pid = answer["pid"]
            else:
                step.code = answer["code"]
                self._steps.pop(answer["id"])
                step.ended.set()
        with self._lock:
            self._server_ended = True
            while self._steps:
                self._steps.popitem()[1].ended.set()

    def _spawn(self, command: Command) -> _Step:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        environment = _environment() | {"PATH": path}
        step = _Step()
        with command.log.open("ab") as log:
            try:
                process = subprocess.Popen(
                    _with_our_python(_with_few_libraries(command.words)),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=command.folder,
                    env=environment | dict(command.environment),
                    start_new_session=True,
                )
            except OSError as error:
                log.write(f"{command.words[0]}: {error.strerror}\n".encode())
                step.code = 127  # as a shell says it
                step.ended.set()
                return step
        step.pid = process.pid

        def wait() -> None:
            step.code = process.wait()
            step.ended.set()

        threading.Thread(target=wait, daemon=True).start()
        return step

    def _end(self, step: _Step) -> None:
        """Ends a step and everything that it started."""
        kill(step.pid, signal.SIGTERM)
        if not step.ended.wait(GRACE_SECONDS):
            kill(step.pid, signal.SIGKILL)


def is_preloadable(words: Sequence[str]) -> bool:
    """Whether a command may run in the preloaded process."""
    return _runs_module(words, PRELOADABLE)


def _runs_module(words: Sequence[str], modules: Sequence[str]) -> bool:
    return len(words) > 2 and words[0] in PYTHONS and words[1] == "-m" and words[2] in modules


def _with_few_libraries(words: Sequence[str]) -> list[str]:
    """The command of a check in a process that loads only what the check needs."""
    return [*words[:2], LIGHT, *words[2:]] if _runs_module(words, CHECKS) else list(words)


def _with_our_python(words: Sequence[str]) -> list[str]:
    """Our Python in the place of the image's; what it runs as a module finds our packages."""
    first, *rest = words
    if first not in PYTHONS:
        return list(words)
    return command_for(*rest[1:]) if rest[:1] == ["-m"] else [sys.executable, *rest]


def _own_environment() -> dict[str, str]:
    """What every step gets from us: our sources are importable, as they are in the image.

    Where they are installed they are importable already, and so is everything beside them, which
    would come before the standard library.
    """
    known = os.environ.get("PYTHONPATH")
    if CHECKOUT.name in ("site-packages", "dist-packages"):
        return {"PYTHONPATH": known, **KERAS} if known else KERAS
    return {"PYTHONPATH": f"{CHECKOUT}{os.pathsep}{known}" if known else str(CHECKOUT), **KERAS}


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != LEGACY_KERAS}
    return inherited | _own_environment()
