"""runners.beam.lost_workers: what is asked of a worker that has ended fails, and does not wait."""

import threading

import pytest
from apache_beam.portability.api import beam_fn_api_pb2 as fn_api
from apache_beam.runners.portability import local_job_service
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    BeamFnControlServicer,
    ControlConnection,
    SubprocessSdkWorkerHandler,
)

from runners.beam import profiles
from runners.beam.lost_workers import LOST, fail_without_workers


@pytest.fixture(autouse=True)
def _as_beam_has_it(monkeypatch):
    monkeypatch.setattr(ControlConnection, "_read", ControlConnection._read)
    for name in ("start_worker", "stop_worker"):
        function = getattr(SubprocessSdkWorkerHandler, name)
        monkeypatch.setattr(SubprocessSdkWorkerHandler, name, function)
    fail_without_workers()


def connected(answers, error=None):
    """A connection to a worker that answers so often, and then ends: with an error or without."""
    connection, ended = ControlConnection(), threading.Event()

    def stream():
        for _ in range(answers):
            request = connection.get_req()
            yield fn_api.InstructionResponse(instruction_id=request.instruction_id)
        ended.wait(10)
        if error is not None:
            raise error

    connection.set_input(stream())
    return connection, ended


@pytest.mark.parametrize("error", [None, RuntimeError("stream removed"), OSError("reset")])
@pytest.mark.parametrize("answers", [0, 2])
def test_what_waits_for_a_lost_worker_fails(answers, error):
    connection, ended = connected(answers, error)
    for _ in range(answers):
        assert connection.push(fn_api.InstructionRequest()).get(10).error == ""
    waiting = connection.push(fn_api.InstructionRequest())
    assert not waiting.is_done()
    ended.set()
    assert waiting.get(10).error == LOST
    assert waiting.is_done()  # which Beam asks while it waits for data
    connection._read_thread.join(10)
    later = connection.push(fn_api.InstructionRequest())
    assert later.get(10).error == LOST
    connection.close()


def test_a_worker_that_is_lost_before_it_comes_fails_what_is_asked(monkeypatch):
    class Killed:
        def __init__(self, *_):
            self.run = lambda: None

    monkeypatch.setattr(local_job_service, "SubprocessSdkWorker", Killed)
    handler = object.__new__(SubprocessSdkWorkerHandler)
    handler.control_conn = ControlConnection()
    for name in ("_worker_command_line", "control_address", "provision_info", "worker_id"):
        setattr(handler, name, None)
    waiting = handler.control_conn.push(fn_api.InstructionRequest())
    handler.start_worker()
    assert waiting.get(10).error == LOST
    handler.control_conn.close()
    handler.stop_worker()
    # A worker that came only now would be told to end.
    told = [handler.control_conn.get_req() for _ in range(2)]
    assert told[1] is BeamFnControlServicer._DONE_MARKER


def test_a_worker_that_ends_with_its_work_fails_nothing():
    connection, ended = connected(1)
    answer = connection.push(fn_api.InstructionRequest())
    assert answer.get(10).error == ""
    ended.set()
    connection.close()
    assert connection.get_req() is BeamFnControlServicer._DONE_MARKER


@pytest.mark.parametrize("text", [LOST, "Channel closed prematurely."])
def test_the_end_of_a_pipeline_names_the_lost_worker(monkeypatch, text):
    failures = iter([RuntimeError(text), RuntimeError("ValueError: of the user")])

    def run_executor(self, execution_info, make):
        raise next(failures)

    monkeypatch.setattr(profiles.BeamExecutorOperator, "run_executor", run_executor)
    (operator,) = profiles.operators("Transform", None).values()
    one = object.__new__(operator)
    with pytest.raises(profiles.EngineError, match="a Beam worker: its process ended"):
        one.run_executor(None)
    with pytest.raises(RuntimeError, match="of the user"):
        one.run_executor(None)
