"""`fareline step run`: one node of a run that has begun."""

import dataclasses
from typing import Annotated

import typer

from cli.answer import answer
from cli.options import DEFAULT_WORKSPACE, JsonOption, RunOption, WorkspaceOption, node_argument


def run(
    node: Annotated[str, node_argument("Node to run, such as Trainer.")],
    run: RunOption,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Run one node. Exit code 0: done or cached; 1: failed; 3: refused; 10: blocked; 75: try later.

    Prints the result as one line of JSON; --json indents it. A finished node is not run again.
    """
    from runners.steps.step import exit_code_of, run_step
    from runners.workspace import Workspace

    result = run_step(Workspace(workspace.resolve()), run, node)
    code = exit_code_of(result)
    answer(
        True, dataclasses.asdict(result) | {"exit_code": code}, "", indent=1 if as_json else None
    )
    if result.error:
        typer.echo(f"fareline: {node}: {result.error}", err=True)
    raise typer.Exit(code)
