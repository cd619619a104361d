"""Both APIs over one model, in a thread of this process: requests cost no start of a server."""

import asyncio
import contextlib
import json
import re
import socket
import threading
import urllib.parse

import grpc

from serving.server.grpc_api import build_grpc_server
from serving.server.live import LiveModel
from serving.server.predictor import Predictor
from serving.server.server import LOOPBACK, ServeOptions, _prepare_rest

NAME = "taxi"
_PREDICT = "/tensorflow.serving.PredictionService/Predict"


class Served:
    """What is served.

    Attributes:
        grpc: Address.
        rest_port: Port of the other API.
    """

    def __init__(self, grpc_port: int, rest_port: int):
        self.grpc = f"{LOOPBACK}:{grpc_port}"
        self.rest_port = rest_port
        self._channel = grpc.insecure_channel(self.grpc)

    def send(self, data: bytes, seconds: float = 30.0) -> bytes:
        """Sends bytes, whatever they are, and returns all that is answered until it is done."""
        with socket.create_connection((LOOPBACK, self.rest_port), seconds) as connection:
            connection.sendall(data)
            answer = b""
            while not _is_whole(answer) and (part := connection.recv(1 << 20)):
                answer += part
            return answer

    def post(
        self, body: bytes, path: str = f"/v1/models/{NAME}:predict", **headers: str
    ) -> tuple[int, dict]:
        """Posts bytes; returns status and parsed answer."""
        lines = {"Host": "x", "Content-Length": str(len(body)), "Connection": "close"}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        quoted = urllib.parse.quote(path, safe="/:%")
        answer = self.send(f"POST {quoted} HTTP/1.1\r\n{head}\r\n".encode() + body)
        return read_answer(answer)

    def call(self, data: bytes, method: str = _PREDICT, seconds: float = 20.0):
        """Calls a method with bytes; returns the status code, and the answer or the details."""
        try:
            return grpc.StatusCode.OK, self._channel.unary_unary(method)(data, timeout=seconds)
        except grpc.RpcError as error:
            return error.code(), error.details()

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.rpartition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    return bool(end and length) and len(body) >= int(length[1])


def read_answer(answer: bytes) -> tuple[int, dict]:
    """Status and parsed body of the last of the HTTP answers."""
    head, _, body = answer.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100 "):
        head, _, body = body.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@contextlib.contextmanager
def serve_here(base: str, required: frozenset[str] = frozenset()):
    """Serves the latest version under a folder while the block lasts.

    Args:
        base: The folder above the versions.
        required: Columns that a row must have.

    Yields:
        Served.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="served", daemon=True)
    thread.start()
    stack = contextlib.AsyncExitStack()

    async def start():
        live = LiveModel(NAME, base)
        await live.start()
        options = ServeOptions(NAME, base)
        predictor = Predictor(live, required=required)
        server = build_grpc_server(predictor)
        grpc_port = server.add_insecure_port(f"{LOOPBACK}:0")
        await server.start()
        stack.push_async_callback(server.stop, None)
        listener = socket.create_server((LOOPBACK, 0))
        await (await _prepare_rest(predictor, options, listener, stack))()
        return Served(grpc_port, listener.getsockname()[1])

    try:
        served = asyncio.run_coroutine_threadsafe(start(), loop).result(60)
        yield served
        served.close()
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
