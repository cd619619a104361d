"""What a Beam pipeline is told of its engine."""

import contextlib
import json
import re
import shlex
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
import pytest
from apache_beam.options.pipeline_options import (
    PortableOptions,
    StandardOptions,
)
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

from fareline.errors import UserMistake
from pipeline.settings.running.beam import Beam
from runners.beam import profiles, watched_workers, worker
from runners.beam.worker import OwnCode, _parser, version_of_beam


class JobServer(beam_job_api_pb2_grpc.JobServiceServicer):
    def DescribePipelineOptions(self, request, context):  # noqa: N802 - its name in gRPC
        return beam_job_api_pb2.DescribePipelineOptionsResponse()


@pytest.fixture
def address():
    """Where a job server answers the first question."""
    with serving(JobServer()) as address:
        yield address


@contextlib.contextmanager
def serving(servicer):
    server = grpc.server(ThreadPoolExecutor(1))
    if servicer is not None:
        beam_job_api_pb2_grpc.add_JobServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


@contextlib.contextmanager
def silent():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@contextlib.contextmanager
def web():
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def options_of(settings, packages=(), folder=""):
    """The options of the pipeline of Transform."""
    make = profiles.pipelines_by_node(Beam.model_validate(settings), packages, folder)["Transform"]
    return make()._options


def test_the_default_engine_makes_no_pipelines():
    assert profiles.pipelines_by_node(Beam(), (), "") == {}


@pytest.mark.parametrize(
    ("said", "environment", "config"),
    [
        ({}, "LOOPBACK", None),
        ({"workers": "pool", "pool": "workers:50000"}, "EXTERNAL", "workers:50000"),
        ({"workers": "processes", "command": "/opt/work"}, "PROCESS",
         {"command": "/opt/work", "env": version_of_beam()}),
    ],
    ids=["loopback", "pool", "processes"],
)  # fmt: skip
@pytest.mark.parametrize("engine", ["flink", "spark", "prism"])
def test_a_job_server_is_asked_by_beams_portable_interface(
    engine, said, environment, config, address
):
    server = {"job_endpoint": address, "parallelism": 3, **said}
    options = options_of({"engine": engine, engine: server})
    assert options.view_as(StandardOptions).runner == "PortableRunner"
    portable = options.view_as(PortableOptions)
    assert (portable.job_endpoint, portable.environment_type) == (address, environment)
    assert portable.job_server_timeout > 24 * 3600  # of the whole job
    found = portable.environment_config
    if isinstance(config, dict):
        found = json.loads(found)
        # Prism does not report a lost worker, so each holds a lock in a folder of the pipeline.
        assert bool(found["env"].pop("_FARELINE_WORKERS", None)) == (engine == "prism")
    assert found == config
    assert options.get_all_options(retain_unknown_options=True)["parallelism"] in (3, "3")


def test_workers_elsewhere_find_the_users_packages(address):
    server = {"job_endpoint": address, "workers": "processes", "command": "/opt/work"}
    options = options_of({"engine": "flink", "flink": server}, ("mine", "more"), "/my code")
    config = json.loads(options.view_as(PortableOptions).environment_config)
    own = OwnCode(("mine", "more"), "/my code").variables()
    assert config["env"] == {**own, **version_of_beam()}
    [environment] = {profiles.WorkerProcesses(own)._default_environment}
    words = shlex.split(environment.command_string)
    assert words[0] == "env" and words[-2:] == ["-m", "runners.beam.worker"]
    assert {f"{name}={value}" for name, value in own.items()} == set(words[1:3])


def test_a_job_server_that_is_not_there_is_said_before_anything_starts():
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(UserMistake, match=f"nothing answers at {free}.*Hint: start it"):
        options_of({"engine": "flink", "flink": {"job_endpoint": free}})


@pytest.mark.parametrize(
    ("other", "code"),
    [
        (silent, "DEADLINE_EXCEEDED"),
        (web, "UNAVAILABLE|DEADLINE_EXCEEDED"),
        (lambda: serving(None), "UNIMPLEMENTED"),
    ],
    ids=["silent", "web", "grpc"],
)
def test_what_is_no_job_server_is_said_before_anything_starts(other, code, monkeypatch):
    monkeypatch.setattr(profiles, "_SECONDS_TO_CONNECT", 0.5)
    with other() as address, pytest.raises(UserMistake) as error:
        options_of({"engine": "prism", "prism": {"job_endpoint": address}})
    assert re.fullmatch(
        rf"beam\.prism\.job_endpoint: {address} does not answer as a job server of Beam "
        rf"\(({code})\); expected .* Hint: .*",
        str(error.value),
    )


def test_a_missing_program_of_workers_is_said_before_anything_starts(
    address, monkeypatch, tmp_path
):
    monkeypatch.setattr(profiles, "_worker_script", lambda: tmp_path / "fareline-beam-worker")
    server = {"job_endpoint": address, "workers": "processes"}
    with pytest.raises(UserMistake, match=r"beam\.flink\.workers: .* is missing"):
        options_of({"engine": "flink", "flink": server})


def test_an_engine_that_is_gone_is_one_line(monkeypatch):
    def gone(*_):
        raise grpc.RpcError("connection reset")

    monkeypatch.setattr(profiles.BeamExecutorOperator, "run_executor", gone)
    monkeypatch.setattr(profiles.BeamExecutorOperator, "__init__", lambda self: None)
    [operator] = profiles.operators("Transform", lambda: None).values()
    with pytest.raises(profiles.EngineError) as error:
        operator().run_executor(None)
    assert str(error.value).startswith("Transform: its Beam engine did not answer (RpcError)")
    assert "\n" not in str(error.value)


def test_a_worker_takes_the_flags_of_beams_boot_program():
    flags = _parser().parse_args(["--id='job-1_go'", "--provision_endpoint=h:1"])
    assert (flags.id, flags.provision_endpoint) == ("job-1_go", "h:1")  # Prism quotes it
    assert _parser().parse_args([]).provision_endpoint is None  # the environment says it


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("version", "Beam .* is installed there, and the run has 1.0"),
        ("package", "No module .*tfx"),
    ],
)
def test_a_worker_that_does_not_fit_tells_the_run_why(fault, said, monkeypatch, tmp_path):
    monkeypatch.setattr(watched_workers.fcntl, "flock", lambda *_: None)
    monkeypatch.setenv("_FARELINE_WORKERS", str(tmp_path))
    if fault == "version":
        monkeypatch.setenv("_FARELINE_BEAM", "1.0")
    else:
        monkeypatch.setattr(worker, "_require_the_same_beam", lambda: missing("tfx"))
    with pytest.raises(SystemExit) as ended:
        worker.main([])
    [told] = tmp_path.iterdir()
    assert told.read_text(encoding="utf-8") == str(ended.value.code)
    assert re.fullmatch(f"a Beam worker: {said}.*; expected .* Hint: .*", str(ended.value.code))


def missing(name):
    raise ModuleNotFoundError(f"No module named {name!r}")
