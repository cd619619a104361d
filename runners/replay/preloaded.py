"""A process that has imported what steps need, and forks itself for each of them.

Started by `runners.replay.processes` as `python -m runners.replay.preloaded`. Imports take most of
the time of a short step; a fork has them done. Requests come as lines of JSON on stdin: `{"id",
"argv", "env", "cwd", "log"}`; answers go out likewise: `{"id", "pid"}` when a step has started,
`{"id", "code"}` when it has ended. It imports one module after the other and starts what has been
asked for in between. It ends, and everything that it started, when its stdin does.
"""

import importlib
import json
import os
import runpy
import select
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Any, BinaryIO

from fareline import collector
from runners.replay.processes import kill


class _Server:
    """The loop: one thread, since a fork takes only the thread that forks."""

    def __init__(self, requests: int, answers: BinaryIO):
        self._requests = requests
        self._answers = answers
        self._buffer = b""
        self._running: dict[int, int] = {}  # pid to id of the request
        self._open = True
        self._wake, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake, False)
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)
        signal.set_wakeup_fd(self._wake_in, warn_on_full_buffer=False)

    def serve(self, seconds: float | None) -> bool:
        """Starts requested tasks and reports ended ones; False when the parent has ended.

        Args:
            seconds: How long to wait for something; None: until there is something.
        """
        self._reap()
        if not self._open:
            return False
        ready, _, _ = select.select([self._requests, self._wake], [], [], seconds)
        if self._wake in ready:
            os.read(self._wake, 4096)
            self._reap()
        if self._requests in ready:
            read = os.read(self._requests, 1 << 20)
            self._open = bool(read)
            *lines, self._buffer = (self._buffer + read).split(b"\n")
            for line in lines:
                self._start(json.loads(line))
        return self._open

    def end_all(self) -> None:
        """Ends what is running still."""
        for pid in self._running:
            kill(pid, signal.SIGKILL)

    def _start(self, request: dict[str, Any]) -> None:
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            # Not held by steps: whoever reads the answers sees when this process is gone.
            for descriptor in (self._answers.fileno(), self._wake, self._wake_in):
                os.close(descriptor)
            _run_step(request)
        self._running[pid] = request["id"]
        self._answer({"id": request["id"], "pid": pid})

    def _reap(self) -> None:
        for pid in list(self._running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                self._answer({"id": self._running.pop(pid), "code": code})

    def _answer(self, content: dict[str, Any]) -> None:
        self._answers.write(json.dumps(content).encode() + b"\n")
        self._answers.flush()


def _run_step(request: dict[str, Any]) -> None:
    """In the fork: becomes the command, and never returns."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        null = os.open(os.devnull, os.O_RDONLY)
        for target, descriptor in ((0, null), (1, log), (2, log)):
            os.dup2(descriptor, target)
        os.chdir(request["cwd"])
        os.environ.update(request["env"])
        module, *arguments = request["argv"]
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            sys.stderr.write(error.code + "\n")
    except BaseException:  # noqa: BLE001 - the last frame of a process: say it and go
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        # Without the interpreter's farewell: in it TensorFlow 2.16 prints hundreds of errors.
        os._exit(code)


def main(modules: Sequence[str]) -> None:
    """Imports modules and serves.

    Args:
        modules: In this order; one that cannot be imported is left to the step that needs it.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print while they are imported is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this decides when it ends
    server = _Server(0, answers)
    try:
        with collector.paused():
            from runners.beam.engine import run_beam_in_process
        run_beam_in_process()
        for module in modules:
            try:
                with collector.paused():
                    importlib.import_module(module)
            except Exception:  # noqa: BLE001 - the step that needs it says what is wrong
                traceback.print_exc()
            if not server.serve(0):
                return
        while server.serve(None):
            pass
    finally:
        server.end_all()
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
