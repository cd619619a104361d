"""Opening a store: to read from it nothing is created, written or migrated.

A store is a file of SQLite, or a database on a MySQL, MariaDB or PostgreSQL server. Called by the
other modules of this package and by runners.
"""

import logging
import re
import shlex
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from fareline.errors import FarelineError, UserMistake
from lineage.store.address import MYSQL, POSTGRESQL, StoreAddress, parse_address
from lineage.store.postgresql import mend
from lineage.store.server import no_metadata, require_server, shorten_indexes
from lineage.store.sqlite_snapshot import snapshot

_HINT = "run `fareline run` first, or name another --workspace"
_VERSIONS = re.compile(r"database version (\d+) is (older|greater) than library version (\d+)")
_DAMAGE = re.compile("malformed|disk I/O error")
_READ_ONLY = " options='-c default_transaction_read_only=on'"


class StoreError(FarelineError, RuntimeError):
    """The store failed in the middle of an answer."""


def sqlite_connection(path: Path, read_only: bool = False) -> metadata_store_pb2.ConnectionConfig:
    """Describes an SQLite store; a writer creates the file if it is not there."""
    config = metadata_store_pb2.ConnectionConfig()
    modes = metadata_store_pb2.SqliteMetadataSourceConfig
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = modes.READONLY if read_only else modes.READWRITE_OPENCREATE
    return config


def store_connection(
    address: StoreAddress, password: str = "", read_only: bool = False
) -> metadata_store_pb2.ConnectionConfig:
    """Describes any store, as ML Metadata wants it.

    Args:
        address: Address of the store.
        password: Password of the user; empty for none.
        read_only: Whether SQLite and PostgreSQL refuse to write; MySQL has no such option.
    """
    if address.path is not None:
        return sqlite_connection(address.path, read_only)
    config = metadata_store_pb2.ConnectionConfig()
    if address.scheme == MYSQL:
        server = config.mysql
        server.database = f"`{address.database}`"  # ML Metadata does not quote it
        if address.socket:
            server.socket = address.socket
        else:  # with both, ML Metadata aborts the process
            server.host, server.port = address.host, address.port
    else:
        server = config.postgresql
        # ML Metadata joins these to a text of `name=value`, in which libpq knows quotes.
        server.dbname = f"'{address.database}'" + (_READ_ONLY if read_only else "")
        server.host, server.port = address.host, str(address.port)
        password = "'" + password.replace("\\", "\\\\").replace("'", "\\'") + "'"
    server.user, server.password = address.user, password
    server.skip_db_creation = True
    return config


def open_store(
    location: str | Path, passwords: Mapping[str, str] | None = None
) -> metadata_store.MetadataStore:
    """Opens a store read-only; of an SQLite file, a copy of the moment.

    Args:
        location: A path, or a URI: `sqlite:PATH`, `mysql://…`, `postgresql://…`.
        passwords: Password by scheme.

    Raises:
        UserMistake: If there is no store, or not one that this version of ML Metadata can read.
    """
    address = parse_address(location)
    if address.path is None:
        return _open_server(address, (passwords or {}).get(address.scheme, ""), read_only=True)
    _require_file(address.path)
    try:
        with snapshot(address.path) as copy:
            return _connect(address, sqlite_connection(copy, read_only=True))
    except sqlite3.DatabaseError as error:
        raise _no_sqlite_store(address.path, error) from error


def open_store_in_place(
    location: str | Path, passwords: Mapping[str, str] | None = None
) -> metadata_store.MetadataStore:
    """Opens a store read-only where it is, in the process of the pipeline that writes it.

    Raises:
        UserMistake: See `open_store`.
    """
    address = parse_address(location)
    if address.path is None:
        return open_store(location, passwords)
    _require_file(address.path)
    return _connect(address, sqlite_connection(address.path, read_only=True))


def open_store_to_write(
    location: str | Path, passwords: Mapping[str, str] | None = None
) -> metadata_store.MetadataStore:
    """Opens a store that is there already to mark artifacts in it; only `prune` does.

    Raises:
        UserMistake: See `open_store`.
    """
    address = parse_address(location)
    if address.path is None:
        return _open_server(address, (passwords or {}).get(address.scheme, ""), read_only=False)
    open_store(location)
    return _connect(address, sqlite_connection(address.path))


def connect_for_run(
    location: str | Path, passwords: Mapping[str, str] | None = None
) -> metadata_store_pb2.ConnectionConfig:
    """Returns the connection of a run, whose store is created if it is not there.

    On a server that is the tables; the database itself must be there.

    Raises:
        UserMistake: The server cannot be used, or its store is of another schema version.
    """
    address = parse_address(location)
    password = (passwords or {}).get(address.scheme, "")
    config = store_connection(address, password)
    if address.path is not None:
        if address.path.is_file() and address.path.stat().st_size:
            _connect(address, config)
        return config
    require_server(address, password)
    _connect(address, config)
    if address.scheme == POSTGRESQL:
        shorten_indexes(address, password)
    return config


def connect(config: metadata_store_pb2.ConnectionConfig) -> metadata_store.MetadataStore:
    """Opens a store as ML Metadata does, and applies `adapt`."""
    # ML Metadata announces an error, with all its SQL, before it is raised.
    logging.getLogger("absl").addFilter(_is_no_announcement)
    store = metadata_store.MetadataStore(config)
    adapt(store, config)
    return store


def _is_no_announcement(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("mlmd client ")


def adapt(store: metadata_store.MetadataStore, config: metadata_store_pb2.ConnectionConfig) -> None:
    """Works around faults of ML Metadata on PostgreSQL; see lineage.store.postgresql."""
    if config.HasField("postgresql"):
        mend(store)


def _open_server(
    address: StoreAddress, password: str, read_only: bool
) -> metadata_store.MetadataStore:
    if not require_server(address, password):
        raise no_metadata(address)
    return _connect(address, store_connection(address, password, read_only))


def _connect(
    address: StoreAddress, config: metadata_store_pb2.ConnectionConfig
) -> metadata_store.MetadataStore:
    try:
        store = connect(config)
        store.get_artifact_types()
    except (errors.StatusError, RuntimeError) as error:  # the constructor raises RuntimeError
        versions = _VERSIONS.search(str(error))
        if versions:
            raise _other_version(address, *versions.groups()) from error
        if address.path is not None:
            raise _no_sqlite_store(address.path, error) from error
        found = f"ML Metadata cannot use it ({_first_words(error)})"
        raise UserMistake.explain(
            str(address),
            found,
            "expected a database for ML Metadata alone",
            "check the rights of the user, and what else is in the database",
        ) from error
    return store


def _other_version(address: StoreAddress, stored: str, relation: str, known: str) -> UserMistake:
    if relation == "greater":
        hint = "use the ml-metadata that wrote it, or a newer one"
    elif address.path is None:
        hint = "migrate a copy of the database, as docs/stores.md says"
    else:
        old, new = str(address.path), f"{address.path.with_suffix('')}-migrated.db"
        new = shlex.quote(new)
        hint = (
            f"migrate a copy: cp {shlex.quote(old)} {new} && python -m lineage.store.migrate {new}"
        )
    found = f"the store has schema version {stored}"
    expected = f"expected version {known}, that of the ml-metadata installed here"
    return UserMistake.explain(str(address), found, expected, hint)


def _require_file(path: Path) -> None:
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "no such file"
        raise UserMistake.explain(str(path), found, "expected a metadata store", _HINT)


def _no_sqlite_store(path: Path, error: Exception) -> UserMistake:
    words = _first_words(error)
    if _DAMAGE.search(words):
        return _damaged(str(path), words)
    if path.stat().st_size == 0:
        words = "it is empty"
    elif "a subset of tables" in words:
        words = "some of its tables alone: it is damaged, or just being created"
    elif "readonly database" in words:  # ML Metadata was about to create its tables
        words = "it has none of its tables"
    found = f"holds no ML Metadata ({words})"
    return UserMistake.explain(str(path), found, "expected a metadata store", _HINT)


def failure_of_store(error: errors.StatusError) -> FarelineError:
    """Words for an error of ML Metadata in the middle of an answer: damage, or a server gone."""
    words = _first_words(error)
    if _DAMAGE.search(words):
        return _damaged("the metadata store", words)
    return StoreError.explain(
        "the metadata store",
        f"cannot be read or written ({words})",
        "expected it to be there until the end",
        "try again; look at the server, or the disk",
    )


def _damaged(where: str, words: str) -> UserMistake:
    return UserMistake.explain(
        where,
        f"is damaged ({words})",
        "expected a valid SQLite file",
        "take a copy of before, or what the command .recover of sqlite3 saves of it",
    )


def _first_words(error: Exception) -> str:
    """The reason alone, without the SQL that could not be executed."""
    words = " ".join(str(error).split()).removeprefix("Error when executing query: ")
    return words.partition(" query: ")[0].partition(". ")[0]
