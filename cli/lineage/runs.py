"""`fareline lineage runs`: the runs of every pipeline."""

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


def runs(
    limit: LimitOption = None,
    pipeline: PipelineOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the runs of every pipeline, the latest first."""
    from lineage.answers.runs.view import runs_as_json, runs_as_table
    from lineage.facts.runs import list_runs
    from lineage.ids import find_pipeline

    graph = open_graph(workspace, store)
    name = find_pipeline(graph, pipeline) if pipeline is not None else None
    found = list_runs(graph, limit, name)
    answer(
        as_json,
        runs_as_json(found),
        lambda console: console.print(runs_as_table(found, console.width)),
    )
