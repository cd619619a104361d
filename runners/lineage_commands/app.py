"""What all lineage commands share: the typer app, the options, opening the store, answering."""

import io
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fareline.errors import UserMistake
from runners.passwords import store_passwords
from runners.workspace import Workspace

if TYPE_CHECKING:
    from ml_metadata.metadata_store.metadata_store import MetadataStore
    from rich.console import Console

    from lineage.graph import Graph

app = typer.Typer(help="Questions to the metadata store.", no_args_is_help=True)

WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", help="Folder whose store is asked, unless --store is given.")
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URI",
        help="sqlite:PATH, mysql://USER@HOST/DATABASE or postgresql://USER@HOST/DATABASE.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
DEFAULT_WORKSPACE = Path("workspace")
UNCUT_WIDTH = 200  # of a table that goes into a pipe, which has no width: nothing is cut off


def open_graph(workspace: Path, store: str | None) -> "Graph":
    """Opens the store that was asked for, read-only.

    Raises:
        UserMistake: There is none.
    """
    from lineage.graph import Graph
    from lineage.store import open_store

    return Graph(open_store(_store_of(workspace, store), store_passwords()))


def open_to_write(workspace: Path, store: str | None) -> "MetadataStore":
    """Opens the store that was asked for to mark artifacts in it, as `prune` alone does."""
    from lineage.store import open_store_to_write

    return open_store_to_write(_store_of(workspace, store), store_passwords())


def answer(as_json: bool, content: Any, draw: Callable[["Console"], None]) -> None:
    """Prints an answer on stdout: as JSON, or drawn for a reader."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A locale without arrows gets question marks, not a failure.
        sys.stdout.reconfigure(errors="replace")
    if as_json:
        # Escaped where a terminal might obey it, or the locale lacks a letter; NaN is null.
        escape = sys.stdout.isatty() or sys.stdout.encoding.lower() != "utf-8"
        json.dump(_without_nan(content), sys.stdout, indent=1, ensure_ascii=escape, allow_nan=False)
        sys.stdout.write("\n")
        return
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=UNCUT_WIDTH, highlight=False)
    draw(console)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _store_of(workspace: Path, store: str | None) -> str:
    if store is None:
        return Workspace(workspace.resolve()).store_location
    if not store.strip():  # as an unset variable of a script gives: not the workspace then
        raise UserMistake.explain("--store", "is empty", "expected a URI", "leave --store out")
    return store
