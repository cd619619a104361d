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
    from lineage.facts.runs import list_runs, outputs_of_run
    from runners.publishing.published import read_destinations, workspace_folders

    graph = open_graph(workspace, store)
    folders = [] if store is not None else workspace_folders(workspace.resolve() / "serving")
    last = next(iter(list_runs(graph, 1)), None)
    drift = None
    if last is not None:
        found = outputs_of_run(graph, last.run_id).get("DriftMonitor", {}).get("drift", ())
        drift = next(iter(found), None)
    content = status_as_json(read_destinations(graph, folders), last, drift)
    root = shown_below(workspace, store)
    answer(as_json, content, lambda console: draw_status(console, content, root))
