"""A small HTTP server on 127.0.0.1, for servers that answer JSON."""

import contextlib
import dataclasses
import http.server
import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        method, path: As sent.
        parts: What the route's pattern named.
        query: The last value of each name.
        headers: With names in lower case.
        body: As sent.
        host: `HOST:PORT` that it was sent to.
    """

    method: str
    path: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    host: str

    def json(self) -> dict[str, Any]:
        return json.loads(self.body or b"{}")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is sent back."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Refused(Exception):
    """The request is refused, with an HTTP status and a message."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Api:
    """Routes to functions. Subclasses add routes and word their errors.

    Attributes:
        requests: Every request so far, as `METHOD /path`.
        breakdowns: Requests that are answered by a failure of the service before it is well again.
    """

    def __init__(self):
        self.requests: list[str] = []
        self.breakdowns = 0
        self.lock = threading.RLock()
        self._routes: list[tuple[str, re.Pattern, Callable[[Request], Any]]] = []

    def route(self, method: str, pattern: str, function: Callable[[Request], Any]) -> None:
        self._routes.append((method, re.compile(pattern), function))

    def answer(self, request: Request) -> Answer:
        """Finds the route; a function returns an Answer, or what is sent as JSON."""
        self.requests.append(f"{request.method} {request.path}")
        try:
            if self.breakdowns > 0:
                self.breakdowns -= 1
                raise Refused(503, "The service is currently unavailable.")
            self.admit(request)
            for method, pattern, function in self._routes:
                found = pattern.fullmatch(request.path)
                if method == request.method and found:
                    with self.lock:
                        answer = function(dataclasses.replace(request, parts=found.groupdict()))
                    if isinstance(answer, Answer):
                        return answer
                    return Answer(json.dumps(answer).encode())
            raise Refused(404, f"{request.method} {request.path} is not served")
        except Refused as refused:
            return Answer(json.dumps(self.word(refused)).encode(), refused.status)

    def admit(self, request: Request) -> None:
        """Raises Refused for who may not ask at all."""

    def word(self, refused: Refused) -> dict[str, Any]:
        """The body of an error."""
        return {"error": {"code": refused.status, "message": str(refused)}}


@contextlib.contextmanager
def serving(api: Api) -> Iterator[str]:
    """Serves until the block ends; yields the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body are two packets; the second would wait 40 ms for word of the first.
        disable_nagle_algorithm = True

        def _serve(self):
            address = urllib.parse.urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length) if length else self._chunks()
            request = Request(
                self.command,
                address.path,
                {},
                dict(urllib.parse.parse_qsl(address.query)),
                {name.lower(): value for name, value in self.headers.items()},
                body,
                self.headers.get("host", ""),
            )
            answer = api.answer(request)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815

        def _chunks(self) -> bytes:
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                return b""
            body = b""
            while size := int(self.rfile.readline().strip() or b"0", 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, format, *args):
            """Nothing on stderr."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
