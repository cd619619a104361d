"""`lineage runs`, `lineage show`."""

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


@app.command()
def runs(
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Only so many, the latest.")
    ] = None,
    pipeline: Annotated[str | None, typer.Option("--pipeline", help="Only of this one.")] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the runs of every pipeline, the latest first."""
    from lineage.ids import find_pipeline
    from lineage.render import runs_as_json, runs_as_table
    from lineage.runs import list_runs

    graph = open_graph(workspace, store)
    name = find_pipeline(graph, pipeline) if pipeline is not None else None
    found = list_runs(graph, limit, name)
    answer(as_json, runs_as_json(found), lambda console: console.print(runs_as_table(found)))


@app.command()
def show(
    asked: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Such as Model:12, Trainer@RUN, a run, a pipeline, latest or live."
        ),
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one artifact, execution, run or pipeline, decoded."""
    from lineage.ids import find
    from lineage.show import describe
    from lineage.show_drawing import draw

    graph = open_graph(workspace, store)
    content = describe(graph, find(graph, asked))
    answer(as_json, content, lambda console: draw(console, content))
