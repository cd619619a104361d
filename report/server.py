"""Serves pages on this machine, made anew from the store whenever one is asked for.

Called by `cli.ui` and `cli.lineage.ui`. A client that reaches the port can read the store, so the
port is bound to the loopback address, and requests that name another host are refused: a page of
another site must not read it through a name that it has pointed here (DNS rebinding). The server
never writes.
"""

import dataclasses
import http.server
import ipaddress
import socket
import socketserver
import sys
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote, urlsplit

from fareline.errors import FarelineError, UserMistake

# What only a server can say: which other pages may show this one in a frame.
_FRAMED, _NOT_FRAMED = "frame-ancestors 'self'", "frame-ancestors 'none'"
_NOT_HERE = "This server answers to its own address only.\n"
_NO_PAGE = "This page does not exist. The first page is /.\n"


@dataclasses.dataclass(frozen=True)
class Page:
    """The response for an address.

    Attributes:
        text: All of it; empty with status 204, which says that nothing has changed.
        kind: Media type.
        status: HTTP status.
        framed: Whether other pages of this server may show it in a frame; no others ever may.
    """

    text: str
    kind: str = "text/html"
    status: int = 200
    framed: bool = False


class PageServer(http.server.ThreadingHTTPServer):
    """A server of pages.

    Args:
        host: To bind; its name or address, and loopback's, are what requests may ask for.
        port: To bind; 0 takes any that is free.
        find_page: Returns what there is at a path with these parameters, or None; called for every
            request.

    Raises:
        UserMistake: The host is not an address of this machine, or the port is in use.
    """

    daemon_threads = True

    def __init__(
        self,
        host: str,
        port: int,
        find_page: Callable[[str, dict[str, str]], Page | None],
    ):
        self.find_page = find_page
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
        """Whether a request names this server in a way that no other host can point here."""
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
        """Ignores browsers that have closed the connection."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: PageServer
    server_version = "fareline"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        if not self.server.accepts(self.headers.get("Host")):
            self._send(Page(_NOT_HERE, "text/plain", 403), with_body)
            return
        try:
            asked = urlsplit(self.path)
            parameters = dict(parse_qsl(asked.query))
            page = self.server.find_page(unquote(asked.path), parameters)
        except FarelineError as error:  # the store has gone, say, while this runs
            page = Page(f"{error}\n", "text/plain", 503)
        self._send(page or Page(_NO_PAGE, "text/plain", 404), with_body)

    def _send(self, page: Page, with_body: bool) -> None:
        body = page.text.encode()
        self.send_response(page.status)
        for name, value in (
            ("Content-Type", f"{page.kind}; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Security-Policy", _FRAMED if page.framed else _NOT_FRAMED),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Suppresses the log lines of requests."""
