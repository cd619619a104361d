"""`fareline status`: what is live, what is running, and what needs a look."""

from cli.answer import answer
from cli.options import DEFAULT_WORKSPACE, JsonOption, StoreOption, WorkspaceOption
from runners.stores import open_graph, shown_below


def status(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the live model, the last run, the nodes that are running, and the drift alarms."""
    from cli.views.status import draw_status, status_as_json
    from lineage.facts.runs import drift_of_data, list_runs
    from runners.publishing.published import read_destinations, workspace_folders

    graph = open_graph(workspace, store)
    folders = [] if store is not None else workspace_folders(workspace.resolve() / "serving")
    last = next(iter(list_runs(graph, 1)), None)
    drift = drift_of_data(graph, last) if last is not None else None
    content = status_as_json(read_destinations(graph, folders), last, drift)
    root = shown_below(workspace, store)
    answer(as_json, content, lambda console: draw_status(console, content, root))
