"""Signed requests for a retraining: taken over HTTP, kept as files until they are done with.

On the loopback address, unless the settings name another. A client that knows the secret can start
a retraining, and nothing else.
"""

import contextlib
import hashlib
import http.server
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from fareline.errors import UserMistake
from fareline.files import write_json
from monitoring.live.decision import REQUEST, Cause
from runners.looping.signatures import MOST_AGE_SECONDS, SIGNATURE, TIME, refusal

_MOST_BYTES = 65_536
_READ_SECONDS = 10.0
_DONE = ".done"  # kept for as long as a copy of the request would be believed


def listen(
    address: tuple[str, int], secret: bytes, folder: Path, wake: Callable[[], None]
) -> http.server.ThreadingHTTPServer:
    """Takes requests in a thread from now on.

    Args:
        address: Host and port.
        secret: Secret of the signatures.
        folder: Folder for the requests.
        wake: Called after each that was taken.

    Raises:
        UserMistake: The address cannot be bound.
    """
    handler = type("Handler", (_Handler,), {"secret": secret, "folder": folder, "wake": wake})
    try:
        server = _Server(address, handler)
    except OSError as error:
        raise UserMistake.explain(
            f"loop.port {address[1]}",
            str(error.strerror or error),
            "expected an address of this machine and a port that is free",
            "set loop.host and loop.port; 0 lets the system choose",
        ) from error
    threading.Thread(target=server.serve_forever, name="requests", daemon=True).start()
    return server


def waiting(folder: Path) -> dict[str, Cause]:
    """Requests that are not done with, by the name of their file."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        with contextlib.suppress(OSError, ValueError):
            told = json.loads(path.read_text(encoding="utf-8"))
            found[path.name] = Cause(REQUEST, str(told["reason"]))
    return found


def finish(folder: Path, names: list[str]) -> None:
    """Marks requests as done with, and forgets those whose copies are too old to be believed."""
    for name in names:
        (folder / f"{name}{_DONE}").touch()
        (folder / name).unlink(missing_ok=True)
    for path in folder.glob(f"*{_DONE}"):
        if time.time() - path.stat().st_mtime > 2 * MOST_AGE_SECONDS:
            path.unlink(missing_ok=True)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = _READ_SECONDS
    secret: bytes
    folder: Path
    wake: Callable[[], None]

    def do_POST(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            length = -1
        if not 0 <= length <= _MOST_BYTES:
            self._answer(413 if length > 0 else 411, f"expected at most {_MOST_BYTES} bytes")
            return
        try:
            body = self.rfile.read(length)
        except OSError:  # it does not arrive
            return
        time_told, signature = (self.headers.get(name, "") for name in (TIME, SIGNATURE))
        if found := refusal(self.secret, body, time_told, signature, time.time()):
            self._answer(401, found)
            return
        reason = _reason(body)
        if reason is None:
            self._answer(400, 'expected a body such as {"reason": "new prices"}')
            return
        self._keep(signature, reason)

    def _keep(self, signature: str, reason: str) -> None:
        name = hashlib.sha256(signature.encode()).hexdigest()[:32]
        path = self.folder / f"{name}.json"
        if path.exists() or path.with_name(f"{path.name}{_DONE}").exists():
            self._answer(200, "the same request was taken before", name)
            return
        try:
            write_json(path, {"reason": reason, "at": int(time.time())})
        except OSError as error:
            self._answer(507, str(error))
            return
        type(self).wake()
        self._answer(202, "taken", name)

    def do_GET(self) -> None:
        self._answer(405, "expected a signed POST")

    def _answer(self, status: int, said: str, name: str = "") -> None:
        body = json.dumps({"said": said, "id": name}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing: what is taken, the loop tells."""


def _reason(body: bytes) -> str | None:
    """In the words of who asks, in one line; None if the body is not what was expected."""
    try:
        told = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None
    reason = told.get("reason", "by a signed request") if isinstance(told, dict) else None
    return " ".join(reason.split())[:500] if isinstance(reason, str) else None
