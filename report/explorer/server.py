"""Serves the explorer on this machine: the page is made anew from the store at every reload.

Called by cli.lineage (`lineage ui`). Whoever reaches the port reads the store, so it
is bound to the loopback address, and requests that name another host are refused: a page of some
other site must not read it through a name that it has pointed here (DNS rebinding).
"""

import http.server
import ipaddress
import socket
import socketserver
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

from fareline.errors import FarelineError, UserMistake

# What only a server can say: no other page may show this one in a frame.
_FRAME_POLICY = "frame-ancestors 'none'"
_NOT_HERE = "This server answers to its own address only.\n"


class ExplorerServer(http.server.ThreadingHTTPServer):
    """A server of one page.

    Args:
        host: To bind; its name or address, and loopback's, are what requests may ask for.
        port: To bind; 0 takes any that is free.
        make_page: Returns the page; called for every request.

    Raises:
        UserMistake: The host is none of this machine, or the port is taken.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, make_page: Callable[[], str]):
        self.make_page = make_page
        self._host = host
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserMistake.explain(
                f"{host}:{port}",
                f"cannot be bound ({reason.lower()})",
                "expected a free port of this machine",
                "name another --port, or --port 0 for any",
            ) from error

    def server_bind(self) -> None:
        """Binds without asking name servers for this machine's name, as the base class does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self._host, self.server_address[1]

    @property
    def url(self) -> str:
        """Where a browser finds the page."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.server_port}/"

    def accepts(self, host_header: str | None) -> bool:
        """Whether a request is for this server by a name that nobody else can point here."""
        try:
            named = urlsplit(f"//{host_header or ''}").hostname or ""
        except ValueError:
            return False
        if named in (self._host.lower(), "localhost"):
            return True
        try:
            address = ipaddress.ip_address(named)
        except ValueError:
            return False
        # An address is no name. Bound to all addresses, it is asked for by any of them.
        bound_to_all = self._host in ("0.0.0.0", "::")
        return address.is_loopback or bound_to_all

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that has gone away is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: ExplorerServer
    server_version = "fareline"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        if not self.server.accepts(self.headers.get("Host")):
            self._send(403, "text/plain", _NOT_HERE, with_body)
        elif urlsplit(self.path).path != "/":
            self._send(404, "text/plain", "There is one page here: /\n", with_body)
        else:
            try:
                page = self.server.make_page()
            except FarelineError as error:  # the store has gone, say, while this runs
                self._send(503, "text/plain", f"{error}\n", with_body)
            else:
                self._send(200, "text/html", page, with_body)

    def _send(self, status: int, kind: str, text: str, with_body: bool) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Security-Policy", _FRAME_POLICY),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: whoever reloads a page knows it."""
