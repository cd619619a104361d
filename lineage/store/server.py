"""Looking at a database server before ML Metadata connects to it.

ML Metadata reports `mysql_real_connect failed: errno: , error:` for every fault, waits for a silent
host as long as the system does, and creates missing tables. Therefore a light client connects first
and explains a fault in one line.

Called by lineage.store.open. The clients are imported when such a store is asked for.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from fareline.errors import UserMistake
from lineage.store.address import MYSQL, PASSWORD_VARIABLES, StoreAddress

CONNECT_SECONDS = 5
ANSWER_SECONDS = 15
# SQLSTATE or MySQL's number, and what it means in our words.
_WRONG_PASSWORD = frozenset({1045, 1698, "28P01", "28000"})
_NO_DATABASE = frozenset({1049, "3D000"})
_NO_ACCESS = frozenset({1044, 1142, "42501"})


class _Refused(Exception):
    """What the server, or the way to it, answered: a code, if it gave one, and words."""

    def __init__(self, code: int | str, words: str):
        super().__init__(words)
        self.code = code
        self.words = words


class ServerDown(UserMistake):
    """No server answers at the address of a store."""


def require_server(address: StoreAddress, password: str) -> bool:
    """Connects to the database, and checks whether it holds ML Metadata.

    Returns:
        Whether it does.

    Raises:
        UserMistake: The server, the database or the right to read it is missing.
    """
    try:
        look = _look_mysql if address.scheme == MYSQL else _look_postgresql
        return look(address, password)
    except _Refused as refused:
        raise _explain(address, password, refused) from refused


def shorten_indexes(address: StoreAddress, password: str) -> None:
    """Lets a PostgreSQL store of ML Metadata take texts of more than 2.7 kB.

    ML Metadata indexes whole texts there, and PostgreSQL refuses a row that is too long for an
    index. On MySQL it indexes the first 255 characters; the same is done here, once.

    Raises:
        UserMistake: The user may not change the tables.
    """
    try:
        with _postgresql_cursor(address, password) as cursor:
            cursor.execute(
                "SELECT indexname, tablename FROM pg_indexes WHERE schemaname = current_schema()"
                " AND indexname LIKE 'idx\\_%\\_property\\_string'"
                " AND indexdef NOT LIKE '%left(%' AND indexdef NOT LIKE '%\"left\"(%'"
            )
            for index, table in cursor.fetchall():
                cursor.execute(f"DROP INDEX IF EXISTS {index}")
                cursor.execute(
                    f"CREATE INDEX IF NOT EXISTS {index} ON {table}"
                    " (name, is_custom_property, left(string_value, 255))"
                )
    except _Refused as refused:
        raise _explain(address, password, refused) from refused


def no_metadata(address: StoreAddress) -> UserMistake:
    """The mistake of asking a database that has no tables of ML Metadata."""
    return UserMistake.explain(
        str(address),
        "the database holds no ML Metadata",
        "expected a metadata store",
        "run a pipeline with metadata.store set to it first, or check the database's name",
    )


def _explain(address: StoreAddress, password: str, refused: _Refused) -> UserMistake:
    variable = PASSWORD_VARIABLES[address.scheme]
    if refused.code in _WRONG_PASSWORD:
        how = (
            f"the password in {variable}"
            if password
            else f"no password, since {variable} is not set"
        )
        found = f"the server refuses the user {address.user} with {how}"
        return _mistake(
            address, found, "a user who may log in", f"set {variable}, or name another user"
        )
    if refused.code in _NO_DATABASE:
        found = f"the server has no database {address.database}"
        return _mistake(address, found, "one that is there", "create it, or check the name")
    if refused.code in _NO_ACCESS:
        found = f"the user {address.user} may not use the database {address.database}"
        return _mistake(address, found, "the right to read it", "grant SELECT on it to the user")
    where = address.socket or f"{address.host} port {address.port}"
    found = f"no database server answers at {where} ({refused.words})"
    hint = "start it, or check host and port"
    return _mistake(address, found, "one that is running", hint, ServerDown)


def _mistake(
    address: StoreAddress,
    found: str,
    expected: str,
    hint: str,
    kind: type[UserMistake] = UserMistake,
) -> UserMistake:
    return kind.explain(str(address), found, f"expected {expected}", hint)


def _look_mysql(address: StoreAddress, password: str) -> bool:
    import pymysql

    try:
        connection = pymysql.connect(
            host=address.host,
            port=address.port,
            unix_socket=address.socket or None,
            user=address.user,
            password=password.encode(),  # of a text it takes Latin-1
            database=address.database,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
        )
    except (pymysql.MySQLError, OSError, RuntimeError) as error:
        raise _Refused(error.args[0] if error.args else 0, _words(error)) from None
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM information_schema.tables"
            " WHERE table_schema = %s AND table_name = 'MLMDEnv'",
            (address.database,),
        )
        return cursor.fetchone() != (0,)


def _look_postgresql(address: StoreAddress, password: str) -> bool:
    with _postgresql_cursor(address, password) as cursor:
        cursor.execute("SELECT to_regclass('mlmdenv') IS NOT NULL")
        return cursor.fetchone()[0]


@contextlib.contextmanager
def _postgresql_cursor(address: StoreAddress, password: str) -> Iterator[Any]:
    from pg8000 import dbapi

    try:
        connection = dbapi.connect(
            address.user,
            host=address.host,
            port=address.port,
            database=address.database,
            password=password,
            timeout=CONNECT_SECONDS,
        )
        try:
            yield connection.cursor()
            connection.commit()
        finally:
            connection.close()
    except dbapi.DatabaseError as error:
        fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        raise _Refused(fields.get("C", ""), fields.get("M") or _words(error)) from None
    except (dbapi.Error, OSError) as error:
        raise _Refused("", _words(error)) from None


def _words(error: Exception) -> str:
    """The last reason in a chain of errors, on one line."""
    while error.__cause__ is not None and str(error.__cause__):
        error = error.__cause__
    words = " ".join(str(error.args[-1] if error.args else error).split())
    inner = re.search(r"\((?:\[Errno \S+\] )?([^()]*)\)$", words)
    return inner.group(1) if inner else re.sub(r"^\[Errno \S+\] ", "", words)
