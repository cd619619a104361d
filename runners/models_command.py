"""`fareline models`, `fareline rollback`, `fareline promote`: what is published, and which is live.

Registered in `runners.cli`. Imports what it needs inside the functions, so that other commands
start at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fareline.errors import UserMistake
from runners.lineage_commands.app import (
    DEFAULT_WORKSPACE,
    JsonOption,
    StoreOption,
    WorkspaceOption,
    answer,
    open_graph,
    open_to_write,
)

if TYPE_CHECKING:
    from runners.rollback import Done

ToOption = Annotated[int | None, typer.Option("--to", metavar="VERSION", help="Which one.")]
DestinationOption = Annotated[
    str | None,
    typer.Option("--destination", metavar="DIR", help="The serving folder, if there are several."),
]


def models(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the published versions: what each is worth, where it came from, which one is live."""
    from runners.models_view import draw_models, models_as_json
    from runners.published import read_destinations, workspace_folders

    graph = open_graph(workspace, store)
    # A store alone says nothing of a workspace.
    folders = workspace_folders(workspace.resolve() / "serving") if store is None else []
    found = read_destinations(graph, folders)
    content = models_as_json(found) if as_json else None
    answer(as_json, content, lambda console: draw_models(console, found))


def rollback(
    to: ToOption = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded.")] = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    destination: DestinationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an older version live again; by default the one before the live one."""
    from lineage.recorded import ROLLBACK

    said = " ".join(reason.split())
    if not said:
        raise UserMistake.explain(
            "rollback",
            "without a reason",
            "expected --reason TEXT",
            "say in a few words why; whoever asks what is live, and why, will read it",
        )
    _change(workspace, (ROLLBACK, to, said, destination), as_json)


def promote(
    to: ToOption = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded.")] = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    destination: DestinationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a newer version live again, after a rollback; by default the newest."""
    from lineage.recorded import PROMOTE

    _change(workspace, (PROMOTE, to, " ".join(reason.split()), destination), as_json)


def _change(folder: Path, wish: tuple, as_json: bool) -> None:
    open_graph(folder, None)  # before the workspace is made where there is none
    from runners.rollback import Wish, change_live_version
    from runners.workspace import Workspace

    workspace = Workspace(folder.resolve())
    with workspace.locked():
        done = change_live_version(open_to_write(folder, None), workspace, Wish(*wish))
    answer(as_json, _as_json(done), lambda console: _draw(console, done))


def _as_json(done: "Done") -> dict[str, Any]:
    """Keys: change, destination, from_version, to_version, version, path, reason, user, …"""
    change = done.change
    return {
        "change": change.node,
        "destination": change.destination,
        "from_version": change.from_version,
        "to_version": change.to_version,
        "version": done.version.number,
        "path": done.version.path,
        "model": done.wanted.model.model.key if done.wanted.model else None,
        "reason": change.reason or None,
        "user": change.user,
        "execution": done.execution,
        "pushed_model": done.pushed_model,
    }


def _draw(console, done: "Done") -> None:
    from lineage.text import plain

    change = done.change
    lines = [
        f"Live: version {done.version.number}, with the content of {change.to_version}; before: "
        f"{change.from_version}.",
        done.version.path,
    ]
    if change.node == "rollback":
        lines.append(
            f"The model of version {change.from_version} is withheld: no run pushes it again. "
            "`fareline promote` brings it back."
        )
    lines.append(f"Recorded as {done.execution} ({done.pushed_model}).")
    for line in lines:
        console.print(plain(line), markup=False, highlight=False, soft_wrap=True)
