"""`lineage runs`, `lineage show`."""

from runners.lineage_commands.app import (
    DEFAULT_WORKSPACE,
    JsonOption,
    StoreOption,
    WorkspaceOption,
    answer,
    app,
    open_graph,
)


@app.command()
def runs(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the runs of every pipeline, the latest first."""
    from lineage.render import runs_as_json, runs_as_table
    from lineage.runs import list_runs

    found = list_runs(open_graph(workspace, store).store)
    answer(as_json, runs_as_json(found), lambda console: console.print(runs_as_table(found)))
