"""`fareline models`: what is published, and which version is live."""

from cli.answer import answer
from cli.options import DEFAULT_WORKSPACE, JsonOption, StoreOption, WorkspaceOption
from runners.stores import open_graph


def models(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the published versions: what each is worth, where it came from, which one is live."""
    from cli.views.models import draw_models, models_as_json
    from runners.publishing.published import read_destinations, workspace_folders

    graph = open_graph(workspace, store)
    # A store alone says nothing of a workspace.
    folders = workspace_folders(workspace.resolve() / "serving") if store is None else []
    found = read_destinations(graph, folders)
    content = models_as_json(found) if as_json else None
    answer(as_json, content, lambda console: draw_models(console, found))
