"""Fails a pipeline whose Beam worker process has ended, instead of waiting for ever.

Beam's runner reads the answers of a worker in a thread. Where the process was killed, by hand or by
the kernel for want of memory, that thread ends, and its caller never gets an answer. Called by
`runners.beam.profiles`, for workers that are processes of this machine. Imports Beam.
"""

import threading
from typing import Any

from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    BeamFnControlServicer,
    ControlConnection,
    SubprocessSdkWorkerHandler,
)

from fareline.errors import message_of
from runners.beam.replacing import is_known, replaces

LOST = (
    "a Beam worker: its process ended before it had answered; expected it to live until the "
    "component is done. Hint: it may have been killed because memory ran out: choose fewer workers "
    "(beam.processes.workers), or beam.engine: direct, and run again."
)
_CLOSED = "Channel closed prematurely"  # Beam, where it notices at the data and not at the answer


def says_lost(error: BaseException) -> bool:
    """Whether a pipeline failed because a worker had ended."""
    return any(text in message_of(error) for text in (LOST, _CLOSED))


def fail_without_workers() -> None:
    """Lets all waits for an ended worker fail; has no effect if Beam is not as expected."""
    if not is_known(ControlConnection, "_read", "self"):
        return
    original = ControlConnection._read

    @replaces(original)
    def read(self: ControlConnection) -> None:
        try:
            original(self)
        finally:
            _fail(self)

    ControlConnection._read = read
    _watch_workers()


def _watch_workers() -> None:
    """The same for a worker that ends before it has come to the runner, and others meanwhile."""
    handler = SubprocessSdkWorkerHandler
    if not (is_known(handler, "start_worker", "self") and is_known(handler, "stop_worker", "self")):
        return
    start, stop = handler.start_worker, handler.stop_worker

    @replaces(start)
    def start_worker(self: SubprocessSdkWorkerHandler) -> None:
        start(self)
        threading.Thread(target=_wait_for, args=(self,), name="lost_worker", daemon=True).start()

    @replaces(stop)
    def stop_worker(self: SubprocessSdkWorkerHandler) -> None:
        # Beam tells those that have come; it waits for one that comes later, and tells it nothing.
        self.control_conn.push(BeamFnControlServicer._DONE_MARKER)
        stop(self)

    handler.start_worker, handler.stop_worker = start_worker, stop_worker


def _wait_for(handler: SubprocessSdkWorkerHandler) -> None:
    handler.worker_thread.join()
    if handler.control_conn._input is None:
        _fail(handler.control_conn)


def _fail(connection: ControlConnection) -> None:
    """Answers what is asked, and what will be, with an error; after the last answer nothing is.

    Beam aborts futures as well, and a thread that waits for data does not check for that.
    """
    push = connection.push

    def push_in_vain(request: Any) -> Any:
        future = push(request)
        _answer_open(connection)
        return future

    connection.push = push_in_vain
    _answer_open(connection)


def _answer_open(connection: ControlConnection) -> None:
    open_futures = connection._futures_by_id
    while open_futures:
        name, future = open_futures.popitem()
        future.set(beam_fn_api_pb2.InstructionResponse(instruction_id=name, error=LOST))
