"""`python -m lineage.store.migrate COPY`: brings a copy of a store to this ml-metadata's schema.

ML Metadata changes the tables in place, and a reader never has it do that: make a copy first.
docs/stores.md says how it is done on a server.
"""

import sys

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store

from fareline.errors import UserMistake
from lineage.store.address import parse_address
from lineage.store.open import open_store, sqlite_connection


def migrate(location: str) -> None:
    """Migrates an SQLite store, in place.

    Raises:
        UserMistake: The store does not exist, or cannot be migrated.
    """
    path = parse_address(location).path
    if path is None or not path.is_file():
        found = "no such file" if path else "a server, and no file"
        raise UserMistake.explain(location, found, "expected a copy of a store", "make it with cp")
    try:
        metadata_store.MetadataStore(sqlite_connection(path), enable_upgrade_migration=True)
    except (errors.StatusError, RuntimeError) as error:
        words = " ".join(str(error).split())
        raise UserMistake.explain(
            location, f"not migrated ({words})", "expected an older store", "make a new copy"
        ) from error
    open_store(location)


def main(arguments: list[str]) -> int:
    """Migrates the store that the one argument names, and returns the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m lineage.store.migrate COPY\n")
        return 2
    try:
        migrate(arguments[0])
    except UserMistake as mistake:
        sys.stderr.write(f"{mistake}\n")
        return mistake.exit_code
    sys.stderr.write(f"{arguments[0]}: migrated\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
