"""DuckDB in memory, repeatable, and locked away from everything that it was not given.

Called by `data.sources.local_query` and `data.example_query`. Imports DuckDB when asked.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

_SETTINGS = {
    "threads": "1",  # more would return rows in any order
    "python_enable_replacements": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


@contextlib.contextmanager
def connected(settings: Mapping[str, str] | None = None) -> Iterator[Any]:
    """An empty database that sees no variables of Python and loads no extensions.

    Args:
        settings: More of DuckDB's, by name; values as SQL.

    Yields:
        The connection, which is closed when the block ends, however it does.
    """
    import duckdb

    with contextlib.closing(duckdb.connect(":memory:")) as connection:
        for name, value in {**_SETTINGS, **(settings or {})}.items():
            connection.execute(f"SET {name} = {value}")
        yield connection


def lock(connection: Any) -> None:
    """From here on no other file, network or setting is in reach."""
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
