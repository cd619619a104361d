"""`lineage` inputs, verify, prune, reproduce, explain-cache."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runners.lineage_commands.app import (
    DEFAULT_WORKSPACE,
    JsonOption,
    StoreOption,
    WorkspaceOption,
    answer,
    app,
    open_graph,
    open_to_write,
)

if TYPE_CHECKING:
    from lineage.elements import Artifact
    from lineage.graph import Graph
    from lineage.prune import Plan
    from lineage.prune_payloads import Boundary
    from lineage.reproduce import Recipe

EXIT_DIFFERS = 3
_LOCK = ".lock"  # of a workspace, see runners.workspace


@app.command()
def inputs(
    execution: Annotated[str, typer.Argument(help="Such as Trainer@latest or Trainer@RUN.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an execution read, and whether it is still the same. Exit code 3: it is not."""
    from lineage.care_view import draw_inputs
    from lineage.ids import find_execution
    from lineage.inputs import inputs_as_json, read_inputs

    graph = open_graph(workspace, store)
    found = read_inputs(graph, find_execution(graph, execution))
    answer(as_json, inputs_as_json(found), lambda console: draw_inputs(console, found))
    raise typer.Exit(EXIT_DIFFERS if found.changed else 0)


@app.command()
def verify(
    no_hash: Annotated[
        bool, typer.Option("--no-hash", help="Look at existence and sizes, not at contents.")
    ] = False,
    stale_hours: Annotated[
        float, typer.Option(min=0, help="From when on what is marked as running cannot be.")
    ] = 24,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that store and disk agree, and what a crash left. Exit code 3: there are errors."""
    from lineage.care_view import draw_verification, verification_as_json
    from lineage.findings import ERROR
    from lineage.verify import verify as verify_store
    from runners.workspace import Workspace

    graph = open_graph(workspace, store)
    if store is None and Workspace(workspace.resolve()).is_idle():
        stale_hours = 0
    found = verify_store(graph, _now(), hashing=not no_hash, stale_hours=stale_hours)
    content = verification_as_json(found)
    answer(as_json, content, lambda console: draw_verification(console, found))
    raise typer.Exit(EXIT_DIFFERS if found.count(ERROR) else 0)


@app.command()
def explain_cache(
    run: Annotated[str, typer.Argument(help="Run id, or latest.")],
    node: Annotated[str, typer.Argument(help="Node id, such as Trainer.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a node executed instead of being cached, the root cause first."""
    from lineage.caching import explain_cache as explain
    from lineage.care_view import draw_explanations, explanations_as_json
    from lineage.ids import find_execution, find_run

    graph = open_graph(workspace, store)
    chain = explain(graph, find_execution(graph, f"{node}@{find_run(graph, run)}"))
    content = explanations_as_json(chain)
    answer(as_json, content, lambda console: draw_explanations(console, chain))


@app.command()
def prune(
    keep: Annotated[int, typer.Option(min=1, help="Runs to keep of each pipeline, the newest.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, it is only shown.")] = False,
    pin: Annotated[
        list[str] | None,
        typer.Option(help="Keep this artifact and all that it came from; repeatable."),
    ] = None,
    withdrawn: Annotated[
        bool,
        typer.Option("--withdrawn", help="Also what was pushed, once it left its destination."),
    ] = False,
    root: Annotated[
        list[Path] | None,
        typer.Option(help="Folder below which payloads may go. [default: the workspace's]"),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete payloads of old runs that pushed nothing; shows it first."""
    from lineage.care_view import draw_plan, plan_as_json
    from lineage.prune import plan_prune
    from lineage.prune_payloads import Boundary

    roots = _roots(workspace, store, root or [])
    with _locked(roots, workspace, store) if yes else contextlib.nullcontext():
        graph = open_graph(workspace, store)
        pinned = [_pinned(graph, text) for text in pin or ()]
        boundary = Boundary(roots)
        plan = plan_prune(graph, keep, boundary, pinned, _now(), withdrawn)
        failed = _carry_out(plan, boundary, workspace, store) if yes else []
    content = plan_as_json(plan, yes, failed)
    answer(as_json, content, lambda console: draw_plan(console, plan, yes, failed))
    raise typer.Exit(1 if failed else 0)


def _carry_out(
    plan: "Plan", boundary: "Boundary", workspace: Path, store: str | None
) -> list[tuple[str, str]]:
    from lineage.prune_payloads import mark_deleted, remove_payloads

    if plan.pruned:
        mark_deleted(open_to_write(workspace, store), [e.artifact.id for e in plan.pruned])
    return remove_payloads(plan.uris, boundary)


def _pinned(graph: "Graph", text: str) -> "Artifact":
    """An artifact by its id; a run or an execution by the model that it made."""
    from lineage.elements import Artifact
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


@app.command()
def reproduce(
    model: Annotated[str, typer.Argument(help="Such as Model:12, a run, latest or live.")],
    check: Annotated[
        bool, typer.Option("--check", help="Make it again in a fresh workspace, compare metrics.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With other code or data all the same.")
    ] = False,
    tolerance: Annotated[
        float, typer.Option(min=0, help="Largest absolute difference of a metric.")
    ] = 0.01,
    keep_workspace: Annotated[
        bool, typer.Option("--keep-workspace", help="Leave the fresh workspace there.")
    ] = False,
    settings_out: Annotated[
        Path | None, typer.Option(help="Write the recorded settings to this file.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what makes a model again, or make it and compare. Exit code 3: other metrics."""
    from lineage.ids import find_model
    from lineage.reproduce import code_warning, recipe_as_json, recipe_of
    from lineage.reproduce_view import draw_recipe
    from runners.reproduction import overrides_for, present_fingerprint

    graph = open_graph(workspace, store)
    recipe = recipe_of(graph, find_model(graph, model))
    if settings_out is not None:
        _write_settings(recipe, settings_out)
    if check:
        _check(recipe, force, tolerance, keep_workspace, as_json)
        return
    overrides, warning = overrides_for(recipe), code_warning(recipe, present_fingerprint())
    content = recipe_as_json(recipe, overrides, warning)
    answer(as_json, content, lambda console: draw_recipe(console, recipe, overrides, warning))


def _check(
    recipe: "Recipe", force: bool, tolerance: float, keep_workspace: bool, as_json: bool
) -> None:
    import dataclasses

    from lineage.reproduce import compare_metrics
    from lineage.reproduce_view import draw_comparison
    from runners.reproduction import make_again, require_reproducible

    require_reproducible(recipe, force)
    metrics, kept = make_again(recipe, keep_workspace)
    compared = compare_metrics(recipe.metrics, metrics, tolerance)
    within = all(metric.within for metric in compared)
    content = {
        "model": recipe.model.key,
        "tolerance": tolerance,
        "within": within,
        "metrics": [dataclasses.asdict(metric) for metric in compared],
        "workspace": str(kept) if kept else None,
    }
    answer(as_json, content, lambda console: draw_comparison(console, compared, tolerance))
    if kept:
        typer.echo(f"The workspace is kept: {kept}", err=True)
    raise typer.Exit(0 if within else EXIT_DIFFERS)


def _write_settings(recipe: "Recipe", path: Path) -> None:
    from fareline.errors import UserMistake

    if recipe.settings is None:
        raise UserMistake.explain(
            recipe.model.key,
            "the settings were not recorded",
            "expected a model of a run of this project",
            "leave out --settings-out",
        )
    try:
        path.write_text(recipe.settings, encoding="utf-8")
    except OSError as error:
        found = f"cannot be written ({error.strerror})"
        raise UserMistake.explain(
            str(path), found, "expected a file to write", "name another"
        ) from error


def _now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
