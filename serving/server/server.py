"""A model server: TensorFlow Serving's gRPC and REST APIs over one model, on one event loop.

`fareline serve` runs it in its own process (`serve`). Infra validation starts it as a child, on
machines that have no `tensorflow_model_server`; by hand:

    python -m serving.server.server --model_name taxi --model_base_path DIR --port 8500

Must not import TFX, and of TensorFlow only what serving needs: the start counts.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import tensorflow as tf

from fareline.errors import FarelineError, UserMistake
from fareline.files import write_json
from serving.model.start import run_and_exit
from serving.server.grpc_api import build_grpc_server
from serving.server.live import LiveModel
from serving.server.predictor import Predictor
from serving.server.request_log import RequestLog

LOOPBACK = "127.0.0.1"


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


@dataclass(frozen=True)
class ServeOptions:
    """Options of the server.

    Attributes:
        name: The model's name in requests.
        base: The folder above the versions.
        host: Address to listen on.
        grpc_port: 0 lets the system choose.
        rest_port: Rest port, as `grpc_port`; None for no REST.
        poll_seconds: Seconds between two searches for another version; None: never.
        drain_seconds: Time that requests have to end after the signal.
        required: Columns that a row must have a value of, where the model reads them.
        entity: Column that says whom or what a row is about; None: none does.
        request_log: Log of the requests; None: no log.
        alarms_path: Last answer of `fareline monitor`, for `/metrics`.
        ready_file: Gets {"stage": "loading" | "serving", "grpc_port", "rest_port"}.
        tell: Called with one line per event.
    """

    name: str
    base: str
    host: str = LOOPBACK
    grpc_port: int = 0
    rest_port: int | None = None
    poll_seconds: float | None = None
    drain_seconds: float = 0.5
    required: frozenset[str] = frozenset()
    entity: str | None = None
    request_log: RequestLog | None = None
    alarms_path: str | None = None
    ready_file: str | None = None
    tell: Callable[[str], None] = field(default=_say)


async def serve(options: ServeOptions) -> None:
    """Loads and serves until a signal stops it, then lets what is under way come to its end.

    Raises:
        UserMistake: A port is taken, or there is no model.
        LoadError: The model cannot be loaded.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    live = LiveModel(options.name, options.base, options.tell)
    predictor = Predictor(
        live, options.request_log, options.required, options.alarms_path, options.entity
    )
    grpc_server = build_grpc_server(predictor)
    grpc_port = _bind_grpc(grpc_server, options)
    async with contextlib.AsyncExitStack() as stack:
        listener, rest_port, start_rest = None, None, None
        if options.rest_port is not None:
            listener = _require_free(options.host, options.rest_port, "REST", keep=True)
            stack.callback(listener.close)
            rest_port = listener.getsockname()[1]
        _write_ready(options, "loading", grpc_port, rest_port)
        loading = asyncio.ensure_future(live.start())
        await asyncio.sleep(0)  # so that its thread is at work while REST is imported
        if listener is not None:
            start_rest = await _prepare_rest(predictor, options, listener, stack)
        if not await _finish_or_stop(loading, stop):
            return
        await grpc_server.start()
        stack.push_async_callback(grpc_server.stop, options.drain_seconds)
        if start_rest is not None:
            await start_rest()
        _write_ready(options, "serving", grpc_port, rest_port)
        where = f"gRPC {options.host}:{grpc_port}"
        if rest_port is not None:
            where += f", REST http://{options.host}:{rest_port}/v1/models/{options.name}"
        (version,) = (each.version for each in live.statuses())
        options.tell(f"serving {options.name} version {version}: {where}")
        if options.poll_seconds is not None:
            following = asyncio.ensure_future(live.follow(options.poll_seconds))
            stack.callback(following.cancel)
        await stop.wait()


async def _finish_or_stop(work, stop: asyncio.Event) -> bool:
    """Waits for the work, or for the signal to end; returns whether the work was done."""
    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if working.done():
        working.result()
        return True
    return False


def _bind_grpc(server, options: ServeOptions) -> int:
    _require_free(options.host, options.grpc_port, "gRPC")
    host = f"[{options.host}]" if ":" in options.host else options.host
    try:
        port = server.add_insecure_port(f"{host}:{options.grpc_port}")
    except RuntimeError as error:
        raise _port_taken(options.grpc_port, "gRPC", str(error)) from error
    if not port:
        raise _port_taken(options.grpc_port, "gRPC", "cannot be bound")
    return port


async def _prepare_rest(
    predictor: Predictor, options: ServeOptions, listener: socket.socket, stack
):
    """Imports and builds the REST API; returns what starts to take requests on the port."""
    from aiohttp import web

    from serving.server.rest_api import build_rest_app

    runner = web.AppRunner(
        build_rest_app(predictor),
        access_log=None,
        # aiohttp would write a traceback for bytes that are no HTTP; what the handlers do not
        # expect, `rest_api` writes.
        logger=logging.Logger("rest", logging.CRITICAL),
        shutdown_timeout=options.drain_seconds,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    return web.SockSite(runner, listener).start


def _require_free(host: str, port: int, protocol: str, keep: bool = False) -> socket.socket | None:
    """Binds the port and, unless it is to be kept, lets it go again: for the system's own words."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(0 if not keep else 128)
    except OSError as error:
        listener.close()
        raise _port_taken(port, protocol, str(error.strerror or error)) from error
    if keep:
        return listener
    listener.close()
    return None


def _port_taken(port: int, protocol: str, found: str) -> UserMistake:
    return UserMistake.explain(
        f"{protocol} port {port}",
        found,
        "expected an address of this machine and a port that is free",
        f"name another with --{protocol.lower()}-port; 0 lets the system choose",
    )


def _write_ready(options: ServeOptions, stage: str, grpc_port: int, rest_port: int | None) -> None:
    """Writes how far the start has come, so that a reader finds the old word or the new one."""
    if options.ready_file:
        told = {"stage": stage, "grpc_port": grpc_port, "rest_port": rest_port}
        write_json(options.ready_file, told)


def run_server(options: ServeOptions) -> None:
    """Runs `serve` on an event loop of its own; see there."""
    tf.get_logger().setLevel("ERROR")  # or it tells the user that sessions are of another time
    loop = asyncio.new_event_loop()
    # Not asyncio.run: it would wait for a thread that still loads a model, maybe for ever.
    loop.run_until_complete(serve(options))
    if options.request_log is not None:
        options.request_log.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Loads and serves until SIGTERM or SIGINT. Returns 1 if there is nothing to load."""
    parser = argparse.ArgumentParser(prog="serving.server.server", description="Serve a model.")
    parser.add_argument("--model_name", required=True)
    parser.add_argument("--model_base_path", required=True)
    parser.add_argument("--port", type=int, default=0, help="gRPC; 0 lets the system choose")
    parser.add_argument("--rest_api_port", type=int, help="0 lets the system choose")
    parser.add_argument("--ready_file", help='gets {"stage": "loading" | "serving", "grpc_port"}')
    arguments = parser.parse_args(argv)
    options = ServeOptions(
        name=arguments.model_name,
        base=arguments.model_base_path,
        grpc_port=arguments.port,
        rest_port=arguments.rest_api_port,
        ready_file=arguments.ready_file,
    )
    try:
        run_server(options)
    except FarelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    run_and_exit(main)
