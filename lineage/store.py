"""Opening a store to read from: it is never created, written or migrated here.

Called by the other modules of this room and by runners.cli.
"""

from collections.abc import Mapping
from pathlib import Path

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from fareline.errors import UserMistake


def sqlite_connection(path: Path, read_only: bool = False) -> metadata_store_pb2.ConnectionConfig:
    """Describes an SQLite store; a writer creates the file if it is not there."""
    config = metadata_store_pb2.ConnectionConfig()
    modes = metadata_store_pb2.SqliteMetadataSourceConfig
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = modes.READONLY if read_only else modes.READWRITE_OPENCREATE
    return config


def open_store(
    location: str | Path, passwords: Mapping[str, str] | None = None
) -> metadata_store.MetadataStore:
    """Opens an SQLite store read-only.

    Args:
        location: A path, or a URI: `sqlite:PATH`, `mysql://…`, `postgresql://…`.
        passwords: Password by scheme.

    Raises:
        UserMistake: If there is no store, or the file is none.
    """
    path = Path(str(location).removeprefix("sqlite:"))
    hint = "run `fareline run` first, or name another --workspace"
    if not path.is_file():
        raise UserMistake.explain(str(path), "no such file", "expected a metadata store", hint)
    try:
        store = metadata_store.MetadataStore(sqlite_connection(path, read_only=True))
        store.get_artifact_types()
    except (errors.StatusError, RuntimeError) as error:  # the constructor raises RuntimeError
        found = f"holds no ML Metadata ({_sqlite_words(error)})"
        raise UserMistake.explain(str(path), found, "expected a metadata store", hint) from error
    return store


def _sqlite_words(error: Exception) -> str:
    """The reason alone, without the SQL that could not be executed."""
    words = " ".join(str(error).split()).removeprefix("Error when executing query: ")
    return words.partition(" query: ")[0]


def open_store_to_write(
    location: str | Path, passwords: Mapping[str, str] | None = None
) -> metadata_store.MetadataStore:
    """Opens a store that is there already to mark artifacts in it; only `prune` does.

    Raises:
        UserMistake: As `open_store`.
    """
    open_store(location, passwords)
    path = Path(str(location).removeprefix("sqlite:"))
    return metadata_store.MetadataStore(sqlite_connection(path))
