"""`fareline step begin`: check and compile once, and freeze what every step needs."""

import os
from typing import Annotated

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    ConfigOption,
    JsonOption,
    NoCacheOption,
    SetOption,
    WorkspaceOption,
    run_option,
)


def begin(
    run: Annotated[str | None, run_option("Run id; a known run is continued.", "a new id")] = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    no_cache: NoCacheOption = False,
    orchestrator: Annotated[
        str,
        typer.Option("--orchestrator", metavar="NAME", help="Name of the orchestrator, to record."),
    ] = "steps",
    warm: Annotated[
        bool,
        typer.Option(
            "--warm",
            help="Start a process that loads TFX once for the steps of the run on this machine.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check, compile once, and freeze graph, settings, day, span and code of a run.

    Prints one line of JSON; --json indents it: the run, whether it is continued, and its nodes
    with their dependencies.
    """
    from pipeline.settings.load import load_settings
    from pipeline.source.check import check_request
    from runners.local.run import RunRequest, new_run_id
    from runners.pii_key import read_pii_key
    from runners.steps.begin import begin_run
    from runners.workspace import Workspace

    started_with = dict(os.environ)
    settings = load_settings(config, overrides or ())
    source = check_request(settings, read_pii_key)
    for note in source.notes:
        typer.echo(f"fareline: {note}", err=True)
    request = RunRequest(
        settings, Workspace(workspace.resolve()), not no_cache, tuple(overrides or ())
    )
    begun = begin_run(request, source, new_run_id() if run is None else run, orchestrator)
    if warm:
        from runners.steps.warm import start_warm

        if not start_warm(request.workspace, begun.run.run_id, started_with):
            typer.echo("fareline: no warm process can be started here; steps load TFX", err=True)
    content = {
        "run_id": begun.run.run_id,
        "pipeline": begun.run.pipeline,
        "continues": begun.continues,
        "nodes": begun.run.upstream,
    }
    answer(True, content, "", indent=1 if as_json else None)
