"""`fareline models`: what is published, and which version is live."""

import typer

from cli.answer import answer
from cli.options import DEFAULT_WORKSPACE, JsonOption, StoreOption, VertexOption, WorkspaceOption
from runners.stores import open_graph, shown_below


def models(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    vertex: VertexOption = False,
    as_json: JsonOption = False,
) -> None:
    """List the published versions: metrics, run and verdicts of each, and which one is live."""
    from cli.views.models import draw_models, models_as_json
    from runners.publishing.interrupted import folders_of_pushers, settle_when_idle
    from runners.publishing.published import read_destinations, workspace_folders
    from runners.workspace import Workspace

    graph = open_graph(workspace, store)
    folders = []  # a store alone says nothing of a workspace
    if store is None:
        folders = workspace_folders(workspace.resolve() / "serving")
        settled = settle_when_idle(Workspace(workspace.resolve()), folders_of_pushers(graph))
        for line in settled:
            typer.echo(f"fareline: {line}", err=True)
        graph = open_graph(workspace, store) if settled else graph
    found = read_destinations(graph, folders)
    content = models_as_json(found) if as_json else None
    root = shown_below(workspace, store)
    if not vertex:
        answer(as_json, content, lambda console: draw_models(console, found, root))
        return
    from cli.views.on_vertex import deployments_as_json, draw_deployments
    from runners.platforms.vertex.changes import deployed

    there = deployed(graph)
    if as_json:
        content["deployed"] = deployments_as_json(there)

    def draw(console) -> None:
        draw_models(console, found, root)
        draw_deployments(console, there)

    answer(as_json, content, draw)
