"""`fareline check`: what would keep the pipeline from running in a cluster."""

from typing import Annotated

import typer

from cli.answer import answer
from cli.options import ConfigOption, JsonOption, SetOption
from cli.views.clusters import require_runner, warn_of_examples
from fareline.errors import SettingsError
from runners.submit.quietly import compile_quietly


def check(
    runner: Annotated[str, typer.Option("--runner", metavar="kubeflow|vertex")],
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what would keep the pipeline from running on Kubeflow or Vertex; writes nothing."""
    from pipeline.settings.load import load_settings
    from pipeline.source.warnings import source_warnings

    name = require_runner(runner, "check --runner")
    try:
        settings = load_settings(config, overrides or ())
        compile_quietly(settings, name)
    except SettingsError as error:
        if as_json:
            answer(True, {"runner": name, "problems": str(error).splitlines()}, "")
        raise
    examples = warn_of_examples(settings, name)
    warnings = source_warnings(settings)
    for warning in warnings:
        typer.echo(f"fareline: {warning}", err=True)
    content = {
        "runner": name,
        "problems": [],
        "warnings": warnings,
        "example_values": dict(examples),
    }
    answer(as_json, content, f"{settings.name}: nothing is in the way of running on {name}")
