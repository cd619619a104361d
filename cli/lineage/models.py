"""`fareline lineage models`: all models of a store, side by side."""

from typing import Annotated

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    LimitOption,
    PipelineOption,
    StoreOption,
    WorkspaceOption,
)
from runners.stores import open_graph

_MODELS_IN_TABLE = 50


def models(
    sort: Annotated[
        str,
        typer.Option(
            "--sort", metavar="METRIC|created", help="Order: best first, or newest first."
        ),
    ] = "created",
    best: Annotated[
        str | None,
        typer.Option("--best", metavar="METRIC", help="Show only the best model by this metric."),
    ] = None,
    limit: LimitOption = None,
    pipeline: PipelineOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List all models with their metrics side by side."""
    from lineage.answers.models.models import best_by, list_models, sort_by
    from lineage.answers.models.view import models_as_json, models_as_table

    if limit is None and not as_json:
        limit = _MODELS_IN_TABLE
    by = best or sort
    newest = limit if by == "created" else None
    rows = list_models(open_graph(workspace, store), pipeline, newest)
    rows = best_by(rows, best) if best else sort_by(rows, sort)[:limit]
    answer(
        as_json,
        models_as_json(rows, by) if as_json else None,
        lambda console: console.print(models_as_table(rows, console.width, by)),
    )
