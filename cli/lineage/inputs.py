"""`fareline lineage inputs`: what an execution read, and whether it is still the same."""

from typing import Annotated

import typer

from cli.answer import answer
from cli.options import DEFAULT_WORKSPACE, EXIT_FOUND, JsonOption, StoreOption, WorkspaceOption
from runners.stores import open_graph, shown_below


def inputs(
    execution: Annotated[
        str, typer.Argument(help="Execution, such as Trainer@latest or Trainer@RUN.")
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an execution read, and whether it is unchanged. Exit code 3: it has changed."""
    from lineage.answers.inputs.inputs import inputs_as_json, read_inputs
    from lineage.answers.inputs.view import draw_inputs
    from lineage.ids import find_execution

    graph = open_graph(workspace, store)
    found = read_inputs(graph, find_execution(graph, execution))
    root = shown_below(workspace, store)
    answer(as_json, inputs_as_json(found), lambda console: draw_inputs(console, found, root))
    raise typer.Exit(EXIT_FOUND if found.changed else 0)
