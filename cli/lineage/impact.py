"""`fareline lineage impact`: which models data has reached."""

from typing import Annotated

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    EXIT_FOUND,
    JsonOption,
    PipelineOption,
    ShowAllOption,
    StoreOption,
    WorkspaceOption,
)
from runners.stores import open_graph, shown_below

_LISTED = 20  # models in a table, unless --all


def impact(
    asked: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE|SPAN|ID",
            help="A source file (path, name, or SHA-256), span:3, or any id of the store.",
        ),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option(
            "--sha256", metavar="HEX", help="SHA-256 of a source file, or its first digits."
        ),
    ] = None,
    pipeline: PipelineOption = None,
    fail_if_live: Annotated[
        bool,
        typer.Option(
            "--fail-if-live", help="End with exit code 3 if a live model was trained on it."
        ),
    ] = False,
    show_all: ShowAllOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the models trained on a file, a span or an artifact, and which of them are live."""
    from lineage.answers.impact.impact import find_impact
    from lineage.answers.impact.origin import find_origin
    from lineage.answers.impact.view import draw_impact, impact_as_json, shown_models
    from lineage.facts.models import facts_of_models

    graph = open_graph(workspace, store)
    found = find_impact(graph, find_origin(graph, asked, sha256, pipeline))
    listed = found.models if as_json else shown_models(found)[: None if show_all else _LISTED]
    facts = {f.model.id: f for f in facts_of_models(graph, [m.model for m in listed])}
    content = impact_as_json(found, facts) if as_json else None
    root = shown_below(workspace, store)
    answer(as_json, content, lambda console: draw_impact(console, found, facts, root))
    if fail_if_live and found.live:
        raise typer.Exit(EXIT_FOUND)
