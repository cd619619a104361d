"""The metadata store that a command asks: a workspace's, or one that the user names."""

from pathlib import Path
from typing import TYPE_CHECKING

from fareline.errors import UserMistake
from runners.passwords import store_passwords
from runners.workspace import Workspace

if TYPE_CHECKING:
    from ml_metadata.metadata_store.metadata_store import MetadataStore

    from lineage.graph.graph import Graph


def open_graph(workspace: Path, store: str | None) -> "Graph":
    """Opens the store that was asked for, read-only.

    Raises:
        UserMistake: The store does not exist.
    """
    from lineage.graph.graph import Graph
    from lineage.store.open import open_store

    opened = open_store(store_of(workspace, store), store_passwords())
    return Graph(opened, ("--store", store) if store else place_of(workspace))


def place_of(workspace: Path) -> tuple[str, ...]:
    """The options by which a command finds a workspace from anywhere; none for the default one."""
    is_default = workspace.resolve() == Path("workspace").resolve()
    return () if is_default else ("--workspace", str(workspace.resolve()))


def open_to_write(workspace: Path, store: str | None) -> "MetadataStore":
    """Opens the store that was asked for to mark artifacts in it, as `prune` alone does."""
    from lineage.store.open import open_store_to_write

    return open_store_to_write(store_of(workspace, store), store_passwords())


def shown_below(workspace: Path, store: str | None) -> Path | None:
    """The folder that an answer shows paths without: the workspace; None of a store by itself."""
    return workspace.resolve() if store is None else None


def store_of(workspace: Path, store: str | None) -> str:
    """Where the store is that was asked for: a path, or a URI.

    Raises:
        UserMistake: Its URI is empty.
    """
    if store is None:
        return Workspace(workspace.resolve()).store_location
    if not store.strip():  # as an unset variable of a script gives: not the workspace then
        raise UserMistake.explain("--store", "is empty", "expected a URI", "leave --store out")
    return store
