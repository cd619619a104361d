"""`fareline check`: what `run` or `submit` would refuse, without running or sending anything."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.answer import answer
from cli.options import ConfigOption, JsonOption, SetOption, runner_argument
from cli.views.clusters import require_runner
from fareline.errors import SettingsError, UserMistake

if TYPE_CHECKING:
    from pipeline.settings.runners import RunnerName
    from pipeline.settings.settings import Settings


def check(
    runner: Annotated[
        str | None,
        runner_argument(help="Runner to check for.", show_default="this machine"),
    ] = None,
    old_runner: Annotated[
        str | None, typer.Option("--runner", metavar="kubeflow|vertex", hidden=True)
    ] = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check what `run` or `submit` would refuse, and write nothing. Exit code 2: a problem."""
    from pipeline.settings.load import load_settings

    name = _which_runner(runner, old_runner)
    try:
        settings = load_settings(config, overrides or ())
        warnings = _check_run(settings) if name is None else _check_submit(settings, name)
    except UserMistake as error:
        if as_json:
            answer(True, {"runner": name, "problems": str(error).splitlines()}, "")
        raise
    for warning in warnings:
        typer.echo(f"fareline: {warning}", err=True)
    where = "here" if name is None else f"on {name}"
    content = {"runner": name, "problems": [], "warnings": warnings}
    answer(as_json, content, f"{settings.pipeline_name}: ready to run {where}")


def _which_runner(runner: str | None, old_runner: str | None) -> "RunnerName | None":
    if old_runner is not None:
        if runner is not None:
            raise UserMistake.explain(
                "fareline check",
                f"found {runner} and --runner {old_runner}",
                "expected one runner",
                "leave --runner out",
            )
        typer.echo(f"fareline: --runner is written as: fareline check {old_runner}", err=True)
        runner = old_runner
    return None if runner is None else require_runner(runner, "check")


def _check_run(settings: "Settings") -> list[str]:
    """What `run` checks at its start; returns what it would warn of."""
    from pipeline.source.check import check_request
    from runners.pii_key import read_pii_key

    notes = check_request(settings, read_pii_key).notes
    if settings.code.packages:
        from runners.own_code import check_own_code

        check_own_code(settings)
    return list(notes)


def _check_submit(settings: "Settings", name: "RunnerName") -> list[str]:
    """What `submit` checks before it connects; returns warnings about the source.

    Raises:
        UserMistake: A step has problems; one line per problem.
    """
    from pipeline.source.warnings import source_warnings
    from runners.submit.submission import compile_submission, require_no_examples

    problems = []
    for step in (require_no_examples, compile_submission):
        try:
            step(settings, name)
        except UserMistake as error:
            problems += str(error).splitlines()
    if problems:
        raise SettingsError("\n".join(problems))
    return source_warnings(settings)
