"""`lineage impact`, `lineage models`, `lineage diff`."""

from typing import Annotated

import typer

from runners.lineage_commands.app import (
    DEFAULT_WORKSPACE,
    JsonOption,
    StoreOption,
    WorkspaceOption,
    answer,
    app,
    open_graph,
)

# As the run that completed and whose model was refused: nothing failed, and the answer is no.
_EXIT_LIVE = 3
_MODELS_IN_TABLE = 50
_LISTED = 20  # models in a table, unless --all

PipelineOption = Annotated[
    str | None, typer.Option("--pipeline", help="Only this pipeline of the store.")
]
ShowAllOption = Annotated[bool, typer.Option("--all", help="Leave nothing out of the tables.")]


@app.command()
def impact(
    asked: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE|SPAN|ID",
            help="A source file (path, name, or SHA-256), span:3, or any id of the store.",
        ),
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="Of a source file, or its first digits.")
    ] = None,
    pipeline: PipelineOption = None,
    fail_if_live: Annotated[
        bool, typer.Option("--fail-if-live", help="Exit code 3 if a live model learned from it.")
    ] = False,
    show_all: ShowAllOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which models learned from a file, a span or an artifact, and which of them are live."""
    from lineage.impact import find_impact
    from lineage.impact_origin import find_origin
    from lineage.impact_view import draw_impact, impact_as_json, shown_models
    from lineage.model_facts import facts_of_models

    graph = open_graph(workspace, store)
    found = find_impact(graph, find_origin(graph, asked, sha256, pipeline))
    listed = found.models if as_json else shown_models(found)[: None if show_all else _LISTED]
    facts = {f.model.id: f for f in facts_of_models(graph, [m.model for m in listed])}
    content = impact_as_json(found, facts) if as_json else None
    answer(as_json, content, lambda console: draw_impact(console, found, facts))
    if fail_if_live and found.live:
        raise typer.Exit(_EXIT_LIVE)


@app.command()
def models(
    sort: Annotated[
        str, typer.Option(metavar="METRIC|created", help="The best, or the newest, first.")
    ] = "created",
    best: Annotated[
        str | None, typer.Option(metavar="METRIC", help="Only the one that is best by it.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many; a table has 50 if nothing is said.")
    ] = None,
    pipeline: PipelineOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List all models with their metrics side by side."""
    from lineage.models import best_by, list_models, sort_by
    from lineage.models_view import models_as_json, models_as_table

    if limit is None and not as_json:
        limit = _MODELS_IN_TABLE
    by = best or sort
    newest = limit if by == "created" else None
    rows = list_models(open_graph(workspace, store), pipeline, newest)
    rows = best_by(rows, best) if best else sort_by(rows, sort)[:limit]
    answer(
        as_json,
        models_as_json(rows, by) if as_json else None,
        lambda console: console.print(models_as_table(rows, by)),
    )


@app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A run, a model, or what leads to one.")],
    b: Annotated[str, typer.Argument(metavar="B", help="What it is compared with.")],
    show_all: ShowAllOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what differs between two runs or models, and what is the same."""
    from lineage.diff import find_diff
    from lineage.diff_view import diff_as_json, draw_diff

    found = find_diff(open_graph(workspace, store), a, b)
    content = diff_as_json(found) if as_json else None
    answer(as_json, content, lambda console: draw_diff(console, found, show_all))
