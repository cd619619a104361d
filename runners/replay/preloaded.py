"""A process that has imported what steps need, and forks itself for each of them.

Started by `runners.replay.processes` as `python -m runners.replay.preloaded`. Imports take most of
the time of a short step; a fork has them done. Requests come as lines of JSON on stdin: `{"id",
"argv", "env", "cwd", "log"}`; answers go out likewise: `{"id", "pid"}` when a step has started,
`{"id", "code"}` when it has ended. It imports one module after the other and starts what has been
asked for in between. It ends, and everything that it started, when its stdin does.
"""

import json
import os
import runpy
import select
import signal
import sys
from collections.abc import Sequence
from typing import Any, BinaryIO, NoReturn

from fareline import collector
from runners.replay.forks import Forks, become, preload


class _Server:
    """The loop of requests and answers."""

    def __init__(self, requests: int, answers: BinaryIO):
        self._requests = requests
        self._answers = answers
        self._buffer = b""
        self._forks = Forks()
        self._open = True

    def serve(self, seconds: float | None) -> bool:
        """Starts requested tasks and reports ended ones; False when the parent has ended.

        Args:
            seconds: How long to wait for something; None: until there is something.
        """
        self._report()
        if not self._open:
            return False
        ready, _, _ = select.select([self._requests, self._forks], [], [], seconds)
        if self._forks in ready:
            self._report()
        if self._requests in ready:
            read = os.read(self._requests, 1 << 20)
            self._open = bool(read)
            *lines, self._buffer = (self._buffer + read).split(b"\n")
            for line in lines:
                self._start(json.loads(line))
        return self._open

    def end_all(self) -> None:
        """Ends what is running still."""
        self._forks.kill()

    def _start(self, request: dict[str, Any]) -> None:
        def run() -> NoReturn:
            # Not held by steps: whoever reads the answers sees when this process is gone.
            os.close(self._answers.fileno())
            _run_step(request)

        pid = self._forks.start(request["id"], run)
        self._answer({"id": request["id"], "pid": pid})

    def _report(self) -> None:
        for request, code in self._forks.ended():
            self._answer({"id": request, "code": code})

    def _answer(self, content: dict[str, Any]) -> None:
        self._answers.write(json.dumps(content).encode() + b"\n")
        self._answers.flush()


def _run_step(request: dict[str, Any]) -> NoReturn:
    """In the fork: becomes the command."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    null = os.open(os.devnull, os.O_RDONLY)
    module, *arguments = request["argv"]

    def run() -> None:
        os.environ.update(request["env"])
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)

    become(run, (null, log, log), request["cwd"])


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
            preload(module)
            if not server.serve(0):
                return
        while server.serve(None):
            pass
    finally:
        server.end_all()
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
