"""Where a store is: reading `sqlite:PATH`, `mysql://…` and `postgresql://…`.

Called by lineage.store.open, by the settings (pipeline.settings.settings) and by runners. Light:
imports neither ml_metadata nor a server's client.
"""

import dataclasses
import re
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from fareline.errors import UserMistake

MYSQL, POSTGRESQL, SQLITE = "mysql", "postgresql", "sqlite"
DEFAULT_PORTS = {MYSQL: 3306, POSTGRESQL: 5432}
# The variables that the servers' own clients read; runners look there, and hand the values over.
PASSWORD_VARIABLES = {MYSQL: "MYSQL_PWD", POSTGRESQL: "PGPASSWORD"}
SQLITE_FILE, URI_FILE = "metadata.db", "metadata.uri"  # of a workspace
_EXPECTED = (
    "expected sqlite:PATH, mysql://USER@HOST[:PORT]/DATABASE or "
    "postgresql://USER@HOST[:PORT]/DATABASE"
)
_CHECK = "check for a typing mistake; docs/stores.md has examples"
# What ML Metadata would put between quotes of its own, or end them with.
_UNSAFE = re.compile(r"[\s'\"`\\;]")


def store_of_workspace(root: Path) -> str:
    """Where a workspace's runs are recorded: a server's URI, or the path of its SQLite file."""
    uri = root / URI_FILE
    return uri.read_text().strip() if uri.is_file() else str(root / SQLITE_FILE)


@dataclasses.dataclass(frozen=True)
class StoreAddress:
    """A store, without its password.

    Attributes:
        scheme: `sqlite`, `mysql` or `postgresql`.
        path: The file, of an SQLite store.
        user: To log in as.
        host: Name or address of the server.
        port: Port of the server.
        database: Its name.
        socket: A Unix socket instead of host and port, of a MySQL server.
    """

    scheme: str
    path: Path | None = None
    user: str = ""
    host: str = ""
    port: int = 0
    database: str = ""
    socket: str = ""

    def __str__(self) -> str:
        """The URI that `parse_address` reads; of an SQLite store the path."""
        if self.path is not None:
            return str(self.path)
        host = f"[{self.host}]" if ":" in self.host else self.host
        place = f"{host}:{self.port}" if self.port != DEFAULT_PORTS[self.scheme] else host
        socket = f"?socket={quote(self.socket)}" if self.socket else ""
        return f"{self.scheme}://{quote(self.user)}@{place}/{quote(self.database)}{socket}"

    @property
    def is_server(self) -> bool:
        """Whether a server is asked, rather than a file."""
        return self.path is None


def parse_address(location: str | Path) -> StoreAddress:
    """Reads a path or a URI.

    Raises:
        UserMistake: The address has another form, or contains a password.
    """
    text = str(location)
    scheme, colon, rest = text.partition(":")
    if isinstance(location, Path) or not colon or "/" in scheme:
        return StoreAddress(SQLITE, Path(text))
    plain, plus, _ = scheme.partition("+")
    if plus and plain in (SQLITE, *DEFAULT_PORTS):  # SQLAlchemy names the client: sqlite+pysqlite
        scheme, text = plain, f"{plain}:{rest}"
    if scheme == SQLITE:
        return StoreAddress(SQLITE, _sqlite_path(text, rest))
    if scheme not in DEFAULT_PORTS:
        if not rest.startswith("//"):
            return StoreAddress(SQLITE, Path(text))  # a file whose name has a colon in it
        raise _mistake(text, f"unknown scheme {scheme}")
    return _server_address(text, scheme)


def without_password(text: str) -> str:
    """A text with the password of every URI in it replaced by stars."""
    return re.sub(r"(://[^/?#\s'\"@:]*:)[^/\s]*@", r"\1***@", text)


def _sqlite_path(text: str, rest: str) -> Path:
    if rest.startswith("//"):
        rest = rest[2:]
        if rest and not rest.startswith("/"):  # sqlite://host/… is no file of this machine
            raise _mistake(text, "a host in front of the path")
        if rest.startswith("//"):  # SQLAlchemy's way to write an absolute path
            rest = "/" + rest.lstrip("/")
        elif not Path(rest).exists() and Path(rest[1:]).is_file():  # and its way of a relative one
            rest = rest[1:]
    if not rest:
        raise _mistake(text, "no path")
    return Path(rest)


def _server_address(text: str, scheme: str) -> StoreAddress:
    parts, port = _split(text)
    if parts.password is not None:
        raise _mistake(
            text,
            "it holds a password",
            f"set {PASSWORD_VARIABLES[scheme]} in the environment instead: a URI ends up in logs, "
            "shell histories and the store",
        )
    socket = _socket(text, parts)
    user, host = unquote(parts.username or ""), unquote(parts.hostname or "")
    database = unquote(parts.path.removeprefix("/"))
    if not user:
        raise _mistake(text, "no user")
    if not host and not socket:
        raise _mistake(text, "no host")
    if not database:
        raise _mistake(text, "no database")
    if "/" in database or any(_UNSAFE.search(part) for part in (user, host, database)):
        raise _mistake(text, "a character that no such name may have here")
    return StoreAddress(
        scheme, None, user, host or "localhost", port or DEFAULT_PORTS[scheme], database, socket
    )


def _split(text: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:  # a port that is none, or half an IPv6 address
        raise _mistake(text, "a port or host that is none") from error
    if port == 0:
        raise _mistake(text, "a port or host that is none")
    if parts.fragment:
        raise _mistake(text, "a # in it")
    return parts, port


def _socket(text: str, parts: SplitResult) -> str:
    query = parse_qs(parts.query, keep_blank_values=True)
    if not parts.query:
        return ""
    if parts.scheme != MYSQL or set(query) != {"socket"} or not query["socket"][0]:
        raise _mistake(text, "an option after the ? other than mysql's socket=PATH")
    return query["socket"][0]


def _mistake(text: str, found: str, hint: str = _CHECK) -> UserMistake:
    return UserMistake.explain(without_password(text), found, _EXPECTED, hint)
