"""A worker of a Beam engine: one process that runs our functions, with our names secured.

Beam's in-process runner with worker processes starts it by `fareline/start.py -m
runners.beam.worker`; engines behind a job server, and Beam's worker pools, by the console script
`fareline-beam-worker`, with the flags that Beam gives to a worker's boot program. It patches Beam
as `runners.beam.engine` does, so that what comes out is the same. Imports Beam.
"""

import argparse
import dataclasses
import importlib.metadata
import os
import sys
from collections.abc import Mapping, Sequence

from fareline.errors import FarelineError
from fareline.start import offer_packages
from runners.beam.watched_workers import hold_lock_of_worker, tell_why
from runners.own_code import choose_keras_3

_PACKAGES, _FOLDER = "_FARELINE_PACKAGES", "_FARELINE_CODE"
_BEAM = "_FARELINE_BEAM"


class UnfitWorker(FarelineError, RuntimeError):
    """What is installed beside a worker is not what the run has."""


@dataclasses.dataclass(frozen=True)
class OwnCode:
    """The user's packages (`code` in the settings), for workers that are other processes.

    Attributes:
        packages: Their names.
        folder: Folder with the packages.
    """

    packages: tuple[str, ...] = ()
    folder: str = ""

    def variables(self) -> Mapping[str, str]:
        """Environment variables by which a worker finds them."""
        if not self.packages:
            return {}
        return {_PACKAGES: ",".join(self.packages), _FOLDER: self.folder}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs until the engine has no more to do.

    Args:
        arguments: Flags as Beam's boot program takes them; None: those of the command line. With
            none, the environment says where the engine is, as Beam's own worker has it.
    """
    hold_lock_of_worker()
    choose_keras_3()
    flags = _parser().parse_args(arguments)
    try:
        _work(flags)
    except (ImportError, UnfitWorker) as error:
        reason = (
            f"a Beam worker: {error}; expected the packages of the run. Hint: install the same "
            "pinned packages on its machine (docs/scale.md), and run again."
        )
        tell_why(reason)
        raise SystemExit(reason) from error


def _work(flags: argparse.Namespace) -> None:
    _require_the_same_beam()
    if flags.provision_endpoint:
        os.environ.update(_environment(flags))
    if os.environ.get(_PACKAGES):
        offer_packages(tuple(os.environ[_PACKAGES].split(",")), os.environ[_FOLDER])
    from apache_beam.runners.worker import sdk_worker_main

    from runners.beam.engine import run_beam_in_process

    run_beam_in_process()
    sdk_worker_main.main([sys.argv[0]])


def version_of_beam() -> Mapping[str, str]:
    """Environment variable by which a worker knows the version of Beam that the run has."""
    return {_BEAM: importlib.metadata.version("apache-beam")}


def _require_the_same_beam() -> None:
    wanted, [found] = os.environ.get(_BEAM), version_of_beam().values()
    if wanted not in (None, found):
        raise UnfitWorker(f"Beam {found} is installed there, and the run has {wanted}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fareline-beam-worker",
        description="Runs functions of Fareline for a Beam engine, which starts it by itself.",
    )
    # Prism quotes it, though no shell takes the quotes away.
    parser.add_argument(
        "--id", type=lambda name: name.strip("'"), help="Name that the engine has for this worker."
    )
    for endpoint in ("provision", "control", "logging", "artifact"):
        parser.add_argument(f"--{endpoint}_endpoint", help=f"HOST:PORT of its {endpoint} service.")
    parser.add_argument("--semi_persist_dir", help="Folder for files; not used.")
    return parser


def _environment(flags: argparse.Namespace) -> dict[str, str]:
    """What Beam's worker reads from its environment, from the engine's provision service."""
    import grpc
    from apache_beam.portability.api import (
        beam_provision_api_pb2,
        beam_provision_api_pb2_grpc,
        endpoints_pb2,
    )
    from apache_beam.runners.worker.worker_id_interceptor import WorkerIdInterceptor
    from google.protobuf import json_format, text_format

    def descriptor(said: endpoints_pb2.ApiServiceDescriptor, url: str | None) -> str:
        found = said if said.url else endpoints_pb2.ApiServiceDescriptor(url=url)
        return text_format.MessageToString(found)

    channel = grpc.insecure_channel(flags.provision_endpoint)
    with grpc.intercept_channel(channel, WorkerIdInterceptor(flags.id)) as intercepted:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(intercepted)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        info = service.GetProvisionInfo(request, timeout=60).info
    return {
        "WORKER_ID": flags.id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "CONTROL_API_SERVICE_DESCRIPTOR": descriptor(info.control_endpoint, flags.control_endpoint),
        "LOGGING_API_SERVICE_DESCRIPTOR": descriptor(info.logging_endpoint, flags.logging_endpoint),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }


if __name__ == "__main__":
    main()
