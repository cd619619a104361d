"""`fareline models`: all models side by side, what of them is published, and what is live."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    LimitOption,
    PipelineOption,
    StoreOption,
    WorkspaceOption,
    vertex_option,
)
from runners.stores import open_graph, shown_below

if TYPE_CHECKING:
    from pathlib import Path

    from lineage.graph.graph import Graph
    from runners.publishing.published import Destination

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
    vertex: Annotated[bool, vertex_option("Also query Vertex AI for its versions.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List all models with their metrics, the published versions, and which one is live."""
    from cli.views.models import draw_destinations, models_as_json
    from lineage.answers.models.models import best_by, list_models, sort_by
    from lineage.answers.models.view import models_as_table

    if limit is None and not as_json:
        limit = _MODELS_IN_TABLE
    by = best or sort
    graph, places = _read(workspace, store)
    rows = list_models(graph, pipeline, limit if by == "created" else None)
    rows = best_by(rows, best) if best else sort_by(rows, sort)[:limit]
    there = None
    if vertex:
        from runners.platforms.vertex.changes import deployed

        there = deployed(graph)

    def draw(console) -> None:
        if rows:
            console.print(models_as_table(rows, console.width, by))
            console.print()
        draw_destinations(console, places, shown_below(workspace, store))
        if there is not None:
            from cli.views.on_vertex import draw_deployments

            draw_deployments(console, there)

    answer(as_json, models_as_json(rows, by, places, there) if as_json else None, draw)


def _read(workspace: "Path", store: str | None) -> "tuple[Graph, list[Destination]]":
    """The store and what is published, after recording what a killed command has published."""
    from runners.publishing.interrupted import folders_of_pushers, settle_when_idle
    from runners.publishing.published import read_destinations, workspace_folders
    from runners.workspace import Workspace

    graph = open_graph(workspace, store)
    if store is not None:  # a store alone says nothing of a workspace
        return graph, read_destinations(graph, [])
    folders = workspace_folders(workspace.resolve() / "serving")
    settled = settle_when_idle(Workspace(workspace.resolve()), folders_of_pushers(graph))
    for line in settled:
        typer.echo(f"fareline: {line}", err=True)
    graph = open_graph(workspace, store) if settled else graph
    return graph, read_destinations(graph, folders)
