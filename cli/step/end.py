"""`fareline step end`: record the outcome of a run of single steps."""

from typing import TYPE_CHECKING

import typer

from cli.answer import answer
from cli.options import DEFAULT_WORKSPACE, JsonOption, RunOption, WorkspaceOption
from lineage.text.harmless import message

if TYPE_CHECKING:
    from runners.outcome.summary import Outcome


def end(
    run: RunOption,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Record how a run ended. Exit code 0: pushed; 1: failed; 3: refused; 75: try later.

    Prints the answer of `fareline run --json` on one line; --json indents it.
    """
    from runners.outcome.summary import EXIT_CODES, FAILED
    from runners.steps.end import end_run
    from runners.steps.warm import end_warm
    from runners.workspace import Workspace

    place = Workspace(workspace.resolve())
    outcome = end_run(place, run)
    end_warm(place, run)
    answer(True, outcome.as_json(), "", indent=1 if as_json else None)
    if outcome.status == FAILED:
        typer.echo(f"fareline: {run}: {message(_reason(outcome))}", err=True)
    raise typer.Exit(EXIT_CODES[outcome.status])


def _reason(outcome: "Outcome") -> str:
    """Why a run failed: the error of a node, or the nodes that did not run."""
    error = outcome.as_json()["error"]
    missing = [node.name for node in outcome.nodes if not node.state.is_fine and not node.error]
    return error or f"{', '.join(missing)} did not run"
