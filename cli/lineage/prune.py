"""`fareline lineage prune`: delete payloads of old runs that pushed nothing."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    StoreOption,
    WorkspaceOption,
    keep_option,
    yes_option,
)
from lineage.text.times import now
from runners.stores import open_graph, open_to_write, shown_below

if TYPE_CHECKING:
    from lineage.answers.prune.payloads import Boundary
    from lineage.answers.prune.prune import Plan
    from lineage.graph.elements import Artifact
    from lineage.graph.graph import Graph

_LOCK = ".lock"  # of a workspace, see runners.workspace


def prune(
    keep: Annotated[int, keep_option("Number of newest runs to keep per pipeline.", min=1)],
    yes: Annotated[bool, yes_option("Delete; without it, the payloads are only listed.")] = False,
    pin: Annotated[
        list[str] | None,
        typer.Option(
            "--pin",
            metavar="ID",
            help="Keep this artifact and everything it was derived from; repeatable.",
        ),
    ] = None,
    withdrawn: Annotated[
        bool,
        typer.Option(
            "--withdrawn",
            help="Include published versions that are no longer at their destination.",
        ),
    ] = False,
    root: Annotated[
        list[Path] | None,
        typer.Option(
            "--root",
            metavar="DIR",
            help="Delete payloads below this folder only.",
            show_default="the workspace's",
        ),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete payloads of old runs that published no version. Without --yes: list them only."""
    from lineage.answers.prune.payloads import Boundary
    from lineage.answers.prune.prune import plan_prune
    from lineage.answers.prune.view import draw_plan, plan_as_json

    roots = _roots(workspace, store, root or [])
    with _locked(roots, workspace, store) if yes else contextlib.nullcontext():
        graph = open_graph(workspace, store)
        pinned = [_pinned(graph, text) for text in pin or ()]
        boundary = Boundary(roots)
        plan = plan_prune(graph, keep, boundary, pinned, now(), withdrawn)
        failed = _carry_out(plan, boundary, workspace, store) if yes else []
    content, shown = plan_as_json(plan, yes, failed), shown_below(workspace, store)
    answer(as_json, content, lambda console: draw_plan(console, plan, yes, failed, shown))
    raise typer.Exit(1 if failed else 0)


def _carry_out(
    plan: "Plan", boundary: "Boundary", workspace: Path, store: str | None
) -> list[tuple[str, str]]:
    from lineage.answers.prune.payloads import mark_deleted, remove_payloads

    if plan.pruned:
        mark_deleted(open_to_write(workspace, store), [e.artifact.id for e in plan.pruned])
    return remove_payloads(plan.uris, boundary)


def _pinned(graph: "Graph", text: str) -> "Artifact":
    """An artifact by its id; a run or an execution by the model that it made."""
    from lineage.graph.elements import Artifact
    from lineage.ids import find, find_model

    target = find(graph, text)
    return target if isinstance(target, Artifact) else find_model(graph, text)


def _roots(workspace: Path, store: str | None, given: Sequence[Path]) -> list[Path]:
    from fareline.errors import UserMistake

    if store is not None and not given:
        raise UserMistake.explain(
            "--store",
            "it is not said where the payloads of this store are",
            "expected --root too",
            "name the pipeline root; nothing outside of it is touched",
        )
    for folder in given:
        found = None if folder.is_dir() else "no such folder"
        if folder.resolve() == Path(folder.resolve().anchor):
            found = "is the whole file system"
        if found:
            raise UserMistake.explain(
                str(folder), found, "expected the pipeline root", "correct --root"
            )
    return list(given) or [workspace.resolve() / "artifacts"]


@contextlib.contextmanager
def _locked(roots: Sequence[Path], workspace: Path, store: str | None) -> Any:
    """Holds the workspaces that the roots are in, so that no run of ours is at work there."""
    from runners.workspace import Workspace

    folders = {root.resolve().parent for root in roots}
    held = {folder for folder in folders if (folder / _LOCK).is_file()}
    if store is None:
        held.add(workspace.resolve())
    with contextlib.ExitStack() as stack:
        for folder in sorted(held):
            stack.enter_context(Workspace(folder).locked())
        yield
