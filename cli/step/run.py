"""`fareline step run`: one node of a run that has begun."""

import dataclasses
from typing import Annotated

import typer

from cli.again import completed_hints
from cli.answer import answer
from cli.failures import known_failure
from cli.options import DEFAULT_WORKSPACE, JsonOption, RunOption, WorkspaceOption, node_argument
from fareline.errors import FarelineError, Interrupted, message_of
from runners import stopping


def run(
    node: Annotated[str, node_argument("Node to run, such as Trainer.")],
    run: RunOption,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Run one node. Exit code 0: done or cached; 1: failed; 3: refused; 10: blocked; 75: try later.

    Prints one line of JSON, also if the node cannot be started; --json indents it. A finished node
    is not run again.
    """
    from runners.steps.frozen import StepResult
    from runners.steps.step import UNFINISHED, exit_code_of, run_step
    from runners.workspace import Workspace

    def print_result(result: StepResult, code: int) -> None:
        content = dataclasses.asdict(result) | {"exit_code": code}
        answer(True, content, "", indent=1 if as_json else None)

    try:
        result = run_step(Workspace(workspace.resolve()), run, node)
    except (Exception, KeyboardInterrupt) as error:
        said, code = _told(error)
        print_result(StepResult(run, node, UNFINISHED, error=said), code)
        raise
    code = exit_code_of(result)
    print_result(result, code)
    if result.error:
        typer.echo(f"fareline: {node}: {result.error}", err=True)
    raise typer.Exit(code)


def _told(error: BaseException) -> tuple[str, int]:
    """What the command says of an error, and the exit code that it ends with."""
    if isinstance(error, KeyboardInterrupt | Interrupted):
        return message_of(error) or "interrupted", stopping.exit_code()
    known = error if isinstance(error, FarelineError) else known_failure(error)
    if known is None:
        return f"{type(error).__name__}: {message_of(error)}", FarelineError.exit_code
    return completed_hints(str(known)), known.exit_code
