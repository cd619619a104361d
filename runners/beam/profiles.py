"""Beam pipelines on the engine that the settings choose for a component (`beam`).

A pipeline is made with its options here and handed to TFX's executor. With options in the
executor's own specification, TFX would pack itself for the workers of every component, and they
would be part of the cache key, though results are the same on every engine. Imports Beam and TFX.
"""

import json
import shlex
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment
from tfx.orchestration.portable.beam_executor_operator import BeamExecutorOperator

from fareline.errors import FarelineError, UserMistake
from fareline.start import command_for
from pipeline.settings.running.beam import PROCESSES, Beam, Engine, JobServer
from runners.beam.lost_workers import LOST, fail_without_workers, says_lost
from runners.beam.watched_workers import Workers
from runners.beam.worker import OwnCode, version_of_beam

MakePipeline = Callable[[], beam.Pipeline]
_SECONDS_TO_CONNECT = 5
# Beam counts the whole job as one answer of the server, and gives up after five minutes.
_SECONDS_FOR_A_JOB = 30 * 24 * 3600
_WORKER = "fareline-beam-worker"


class EngineError(FarelineError, RuntimeError):
    """An engine did not do what was asked of it."""


class WorkerProcesses(FnApiRunner):
    """Beam's in-process runner with workers that are processes of ours."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        fail_without_workers()
        shown = [f"{name}={value}" for name, value in variables.items()]
        command = shlex.join(["env", *shown, *command_for("runners.beam.worker")])
        super().__init__(SubprocessSDKEnvironment.from_command_string(command_string=command))


class WatchedPipeline(beam.Pipeline):
    """A pipeline on an engine that does not say when a worker process was lost."""

    def __init__(self, flags: Sequence[str], workers: Workers) -> None:
        super().__init__(options=PipelineOptions(flags))
        self._workers = workers

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """As Beam's; the wait for its end fails, with the reason or LOST, when a worker is lost."""
        result = super().run(*args, **kwargs)
        wait = result.wait_until_finish

        def wait_until_finish(duration: int | None = None) -> Any:
            self._workers.cancel_without(result)
            try:
                return wait(duration)
            except RuntimeError as error:
                if self._workers.lost:
                    raise EngineError(self._workers.reason or LOST) from error
                raise
            finally:
                self._workers.forget()

        result.wait_until_finish = wait_until_finish
        return result


def pipelines_by_node(
    settings: Beam, packages: Sequence[str], folder: str
) -> dict[str, MakePipeline]:
    """Builds the Beam pipeline of each component that uses another engine than `direct`.

    Args:
        settings: The section `beam`.
        packages: Packages of the user's functions (`code` in the settings).
        folder: Folder with the packages, on every machine where workers run.

    Raises:
        UserMistake: Nothing answers where a job server should be, or a worker's program is missing.
    """
    chosen = settings.by_node()
    own = OwnCode(tuple(packages), folder)
    for engine in dict.fromkeys(chosen.values()):
        if engine != PROCESSES:
            _require_server(engine, settings.server_of(engine))
    return {node: _maker(settings, engine, own.variables()) for node, engine in chosen.items()}


def operators(node: str, make: MakePipeline) -> Mapping[Any, Any]:
    """TFX's operator of Beam executors, with this pipeline in place of the default one."""
    from tfx.proto.orchestration.executable_spec_pb2 import BeamExecutableSpec

    class OnEngine(BeamExecutorOperator):
        def run_executor(self, execution_info, make_beam_pipeline_fn=None):
            try:
                return super().run_executor(execution_info, make)
            except RuntimeError as error:
                if not says_lost(error):
                    raise
                raise EngineError(LOST) from error
            except grpc.RpcError as error:
                raise EngineError(
                    f"{node}: its Beam engine did not answer ({_said(error)}); expected it to run "
                    "until the component is done. Hint: look at the job server and its workers, "
                    "start them again, and run again: what is done is kept."
                ) from error

    return {BeamExecutableSpec: OnEngine}


def _said(error: grpc.RpcError) -> str:
    code = error.code() if isinstance(error, grpc.Call) else None
    return code.name if code is not None else type(error).__name__


def _maker(settings: Beam, engine: Engine, variables: Mapping[str, str]) -> MakePipeline:
    if engine == PROCESSES:
        workers = settings.processes.workers
        return lambda: beam.Pipeline(
            runner=WorkerProcesses(variables),
            options=PipelineOptions([f"--direct_num_workers={workers}"]),
        )
    server = settings.server_of(engine)
    if engine == "prism" and server.workers == "processes":

        def watched() -> beam.Pipeline:
            workers = Workers()
            return WatchedPipeline(_flags(server, {**variables, **workers.variables()}), workers)

        return watched
    return lambda: beam.Pipeline(options=PipelineOptions(_flags(server, variables)))


def _flags(server: JobServer, variables: Mapping[str, str]) -> list[str]:
    flags = ["--runner=PortableRunner", f"--job_endpoint={server.job_endpoint}"]
    flags.append(f"--job_server_timeout={_SECONDS_FOR_A_JOB}")
    if server.parallelism is not None:
        flags.append(f"--parallelism={server.parallelism}")
    if server.workers == "loopback":
        return [*flags, "--environment_type=LOOPBACK"]
    if server.workers == "pool":
        return [*flags, "--environment_type=EXTERNAL", f"--environment_config={server.pool}"]
    config = json.dumps(
        {
            "command": server.command or str(_worker_script()),
            "env": {**variables, **version_of_beam()},
        }
    )
    return [*flags, "--environment_type=PROCESS", f"--environment_config={config}"]


def _worker_script() -> Path:
    return Path(sys.executable).with_name(_WORKER)


def _require_server(engine: Engine, server: JobServer) -> None:
    where = f"beam.{engine}.job_endpoint"
    host, _, port = server.job_endpoint.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _SECONDS_TO_CONNECT).close()
    except OSError as error:
        raise UserMistake.explain(
            where,
            f"nothing answers at {server.job_endpoint} ({error.strerror or error})",
            "expected a job server of Beam",
            "start it, or choose another engine: `--set beam.engine=direct`",
        ) from error
    try:
        _ask_for_options(server.job_endpoint)
    except grpc.RpcError as error:
        raise UserMistake.explain(
            where,
            f"{server.job_endpoint} does not answer as a job server of Beam ({_said(error)})",
            "expected the port that --job-port names",
            "look at the port, and at what listens there",
        ) from error
    if server.workers == "processes" and server.command is None and not _worker_script().is_file():
        raise UserMistake.explain(
            f"beam.{engine}.workers",
            f"{_worker_script()} is missing",
            "expected the program that starts a worker",
            "`make setup` installs it; or name it in beam.ENGINE.command",
        )


def _ask_for_options(endpoint: str) -> None:
    """The first question of Beam's PortableRunner, which asks it for minutes at a wrong port."""
    with grpc.insecure_channel(endpoint) as channel:
        beam_job_api_pb2_grpc.JobServiceStub(channel).DescribePipelineOptions(
            beam_job_api_pb2.DescribePipelineOptionsRequest(), timeout=_SECONDS_TO_CONNECT
        )
