"""`fareline lineage reproduce`: what makes a model again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    EXIT_FOUND,
    JsonOption,
    StoreOption,
    WorkspaceOption,
    id_argument,
)
from runners.stores import open_graph

if TYPE_CHECKING:
    from lineage.answers.reproduce.reproduce import Recipe


def reproduce(
    model: Annotated[str, id_argument("Model, such as Model:12, a run, latest or live.", "MODEL")],
    check: Annotated[
        bool,
        typer.Option("--check", help="Reproduce the model in a new workspace and compare metrics."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Continue even if code or data differ.")
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            min=0,
            help="Largest absolute difference of a metric; by default 0 where code, packages and "
            "kind of machine are as recorded, else 0.01.",
        ),
    ] = None,
    keep_workspace: Annotated[
        bool, typer.Option("--keep-workspace", help="Keep the new workspace.")
    ] = False,
    settings_out: Annotated[
        Path | None,
        typer.Option(
            "--settings-out", metavar="FILE", help="Write the recorded settings to this file."
        ),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how to reproduce a model, or do it and compare. Exit code 3: metrics differ."""
    from lineage.answers.reproduce.reproduce import code_warning, recipe_as_json, recipe_of
    from lineage.answers.reproduce.view import draw_recipe
    from lineage.ids import find_model
    from runners.publishing.reproduction import overrides_for, present_fingerprint

    graph = open_graph(workspace, store)
    recipe = recipe_of(graph, find_model(graph, model))
    if settings_out is not None:
        _write_settings(recipe, settings_out)
    if check:
        _check(recipe, force, tolerance, keep_workspace, as_json)
        return
    overrides, warning = overrides_for(recipe), code_warning(recipe, present_fingerprint(recipe))
    content = recipe_as_json(recipe, overrides, warning)
    answer(as_json, content, lambda console: draw_recipe(console, recipe, overrides, warning))


def _check(
    recipe: "Recipe", force: bool, tolerance: float | None, keep_workspace: bool, as_json: bool
) -> None:
    import dataclasses

    from lineage.answers.reproduce.reproduce import compare_metrics
    from lineage.answers.reproduce.view import draw_comparison
    from runners.publishing.reproduction import (
        default_tolerance,
        make_again,
        require_reproducible,
    )

    require_reproducible(recipe, force)
    if tolerance is None:
        tolerance = default_tolerance(recipe)
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
    raise typer.Exit(0 if within else EXIT_FOUND)


def _write_settings(recipe: "Recipe", path: Path) -> None:
    from fareline.errors import UserMistake
    from fareline.files import write_text

    if recipe.settings is None:
        raise UserMistake.explain(
            recipe.model.key,
            "the settings were not recorded",
            "expected a model of a run of this project",
            "leave out --settings-out",
        )
    write_text(path, recipe.settings, hint="name another --settings-out")
