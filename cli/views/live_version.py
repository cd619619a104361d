"""The answer of `fareline rollback` and `fareline promote`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cli.answer import answer
from cli.views.on_vertex import change_vertex, is_on_vertex
from runners.stores import open_graph, open_to_write

if TYPE_CHECKING:
    from runners.publishing.rollback import Done


def change_live(folder: Path, wish: tuple, as_json: bool) -> None:
    """Makes another version the live one, and prints which.

    Args:
        folder: Workspace.
        wish: Fields of `runners.publishing.rollback.Wish`.
        as_json: Whether as JSON.
    """
    if is_on_vertex(wish[-1]):
        change_vertex(folder, wish, as_json)
        return
    from runners.publishing.interrupted import folders_of_pushers, settle
    from runners.publishing.rollback import Wish, change_live_version
    from runners.workspace import Workspace

    # Before the workspace is made where there is none.
    folders = folders_of_pushers(open_graph(folder, None))
    workspace = Workspace(folder.resolve())
    with workspace.locked():
        for line in settle(workspace, folders):
            typer.echo(f"fareline: {line}", err=True)
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
    from lineage.text.harmless import plain

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
