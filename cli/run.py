"""`fareline run`: the pipeline on this machine, from settings or from a compiled specification."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    ConfigOption,
    JsonOption,
    MapOption,
    NoCacheOption,
    ParamOption,
    SetOption,
    SpecOption,
    WorkspaceOption,
)
from fareline.errors import UserMistake


def run(
    config: ConfigOption = None,
    overrides: SetOption = None,
    span: Annotated[
        int | None,
        typer.Option(
            "--span", min=0, metavar="N", help="Newest span to read.", show_default="latest"
        ),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
    spec: SpecOption = None,
    maps: MapOption = None,
    parameters: ParamOption = None,
) -> None:
    """Run the pipeline on this machine. Exit code 0: pushed; 3: the model was refused."""
    from runners.workspace import Workspace

    here = Workspace(workspace.resolve())
    overrides = [*(overrides or ()), *([f"data.span={span}"] if span is not None else ())]
    if spec is None:
        _refuse_spec_options(maps, parameters)
    else:
        from runners.replay.run import read_request, run_request

        _refuse_parameters_beside_settings(config, overrides, parameters)
        request = read_request(spec, here, maps or (), parameters or (), not no_cache)
        if config is not None or overrides:
            request = request.compiled_from(config, tuple(overrides or ()))
        outcome, console = run_request(request)
        _answer(outcome, console, request.settings, as_json)
    from pipeline.settings.load import load_settings
    from pipeline.source.check import check_request
    from runners.local.run import RunRequest, run_locally
    from runners.pii_key import read_pii_key

    settings = load_settings(config, overrides)
    source = check_request(settings, read_pii_key)
    for note in source.notes:
        typer.echo(f"fareline: {note}", err=True)
    request = RunRequest(
        settings,
        here,
        use_cache=not no_cache,
        overrides=tuple(overrides),
    )
    outcome, console = run_locally(request, source)
    _answer(outcome, console, settings, as_json)


def _answer(outcome, console, settings, as_json: bool) -> None:
    """Prints what came of a run, and ends with its exit code."""
    from runners.outcome.summary import EXIT_CODES, print_summary

    answer(as_json, outcome.as_json(), lambda _: print_summary(console, outcome, settings))
    raise typer.Exit(EXIT_CODES[outcome.status])


def _refuse_spec_options(maps: Sequence[str] | None, parameters: Sequence[str] | None) -> None:
    """Refuses the options of a specification where none is run.

    Raises:
        UserMistake: One was given.
    """
    if maps or parameters:
        raise UserMistake.explain(
            "--map" if maps else "--param",
            "given without --spec",
            "expected a compiled specification that it belongs to",
            "add --spec FILE, or change a setting with --set",
        )


def _refuse_parameters_beside_settings(
    config: Path | None, overrides: Sequence[str] | None, parameters: Sequence[str] | None
) -> None:
    """Refuses `--param` beside settings: what ran would not be what they say.

    Raises:
        UserMistake: Both were given.
    """
    if parameters and (config is not None or overrides):
        raise UserMistake.explain(
            "--param",
            f"given together with {'--config' if config is not None else '--set'}",
            "expected the settings that the specification was compiled from, or other values",
            "leave out one of them",
        )
