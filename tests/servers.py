"""Database servers for tests: MariaDB and PostgreSQL from Debian's packages, on loopback.

Each runs on a free port with a folder and a password of its own, as a user without rights, and ends
with the test process, whatever that ends of. Where its package is missing, tests/needs.py leaves
the tests out.
"""

import contextlib
import dataclasses
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
from pg8000 import dbapi

from tests import temporary
from tests.needs import find_program

USER = "fareline"
START_SECONDS = 90


@dataclasses.dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        scheme: `mysql` or `postgresql`.
        port: On 127.0.0.1.
        password: Of USER, who may do everything.
        folder: With its data; a socket of MySQL is in it.
    """

    scheme: str
    port: int
    password: str
    folder: Path

    @property
    def passwords(self) -> dict[str, str]:
        """As `lineage.store.open` takes them."""
        return {self.scheme: self.password}

    def environment(self) -> dict[str, str]:
        """The variable with the password, for a command."""
        name = {"mysql": "MYSQL_PWD", "postgresql": "PGPASSWORD"}[self.scheme]
        return {name: self.password}

    def uri(self, database: str, user: str = USER) -> str:
        """Of a database."""
        return f"{self.scheme}://{user}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Creates an empty database and returns its name."""
        name = f"runs-{secrets.token_hex(4)}"  # a hyphen, since names may have one
        quote = "`" if self.scheme == "mysql" else '"'
        self.execute(f"CREATE DATABASE {quote}{name}{quote}")
        return name

    def execute(self, statement: str, database: str | None = None) -> list[tuple]:
        """Runs one SQL statement and returns its rows."""
        with contextlib.closing(self._connect(database)) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
            return [tuple(row) for row in rows]

    def _connect(self, database: str | None):
        if self.scheme == "mysql":
            return pymysql.connect(
                host="127.0.0.1", port=self.port, user=USER, password=self.password,
                database=database, autocommit=True,
            )  # fmt: skip
        connection = dbapi.connect(
            USER, host="127.0.0.1", port=self.port, password=self.password,
            database=database or "postgres", ssl_context=False,  # that of a server without TLS
        )  # fmt: skip
        connection.autocommit = True
        return connection


@contextlib.contextmanager
def mariadb() -> Iterator[Server]:
    """Starts a MariaDB server."""
    install, program = find_program("mariadb-install-db"), find_program("mariadbd")
    with _folder("mysql") as (folder, user):
        data, port, password = folder / "data", _free_port(), secrets.token_urlsafe(12)
        as_user = [f"--user={user}"] if user else []
        _run([install, "--no-defaults", f"--datadir={data}", "--skip-test-db", *as_user])
        statements = folder / "init.sql"
        _write(
            statements,
            user,
            f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{password}';\n"
            f"GRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
            "DROP USER IF EXISTS ''@'localhost', ''@'" + socket.gethostname() + "';\n",
        )
        command = [program, "--no-defaults", f"--datadir={data}", "--bind-address=127.0.0.1"]
        command += [f"--port={port}", f"--socket={folder}/socket", f"--pid-file={folder}/pid"]
        # No commit waits for the disk: what is in here goes with the server.
        command += ["--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"]
        # As Debian's own configuration has it.
        command += ["--character-set-server=utf8mb4", f"--init-file={statements}"]
        server = Server("mysql", port, password, folder)
        with _running(_become(user) + command, folder, lambda: server.execute("SELECT 1")):
            yield server


@contextlib.contextmanager
def postgresql() -> Iterator[Server]:
    """Starts a PostgreSQL server."""
    program = find_program("postgres")
    initdb = str(Path(program).with_name("initdb"))
    with _folder("postgres") as (folder, user):
        data, port, password = folder / "data", _free_port(), secrets.token_urlsafe(12)
        secret = folder / "password"
        _write(secret, user, password)
        _run([*_become(user), initdb, "-D", data, "-A", "scram-sha-256", "-U", USER,
              f"--pwfile={secret}", "-E", "UTF8", "--locale=C", "-N"], cwd=folder)  # fmt: skip
        command = [*_become(user), program, "-D", data, "-h", "127.0.0.1", "-p", port, "-k", folder]
        # No commit waits for the disk: what is in here goes with the server.
        command += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        server = Server("postgresql", port, password, folder)
        with _running(command, folder, lambda: server.execute("SELECT 1")):
            yield server


SERVERS: dict[str, Callable[[], contextlib.AbstractContextManager[Server]]] = {
    "mysql": mariadb,
    "postgresql": postgresql,
}
PACKAGES = {"mysql": "mariadb-server", "postgresql": "postgresql"}


@contextlib.contextmanager
def _folder(user: str) -> Iterator[tuple[Path, str]]:
    """A folder of the server's user, and that user; of no other user unless we are root."""
    # Beside pytest's own, which only we may enter.
    folder = Path(tempfile.mkdtemp(prefix="fareline-server-", dir=temporary.root()))
    if os.geteuid() != 0:
        user = ""
    try:
        if user:
            account = pwd.getpwnam(user)
            os.chown(folder, account.pw_uid, account.pw_gid)
        yield folder, user
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _become(user: str) -> list[str]:
    """What runs a server as its user, and has the kernel end it if this process is killed.

    In this order: to change the user clears the second. Both servers refuse root.
    """
    if sys.platform != "linux":
        return []
    change = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
    return ["setpriv", *change, "--pdeathsig", "KILL"]


def _write(path: Path, user: str, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
    if user:
        shutil.chown(path, user)


def _run(command: list, **options) -> None:
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=300, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def _running(command: list, folder: Path, ask: Callable[[], object]) -> Iterator[None]:
    """Runs a server until the end of the block."""
    log = folder / "log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,  # an interrupt from the keyboard is for the tests
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert process.poll() is None, log.read_text(errors="replace")
            with contextlib.suppress(pymysql.MySQLError, dbapi.Error, OSError):
                ask()
                break
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
