"""`fareline compile` and `fareline check`: the spec for a cluster, and what is wrong with it."""

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from fareline.errors import SettingsError
from pipeline.runner_sections import RUNNER_NAMES, RunnerName

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Settings file. [default: the taxi pipeline]")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; repeatable."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def compile_(
    runner: Annotated[str, typer.Argument(metavar="kubeflow|vertex")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write. [default: NAME.yaml or NAME.json]"),
    ] = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the pipeline as a spec for Kubeflow or Vertex; no credentials, no network."""
    name = require_runner(runner, "compile")
    if output is not None:
        require_suffix(output, name)
    settings, compiled = compile_quietly(name, config, overrides)
    path = output or Path(f"{settings.name}{compiled.suffix}")
    write_spec(path, compiled.text)
    examples = warn_of_examples(settings, name)
    if as_json:
        answer = {
            "runner": name,
            "path": str(path),
            "pipeline_root": compiled.pipeline_root,
            "parameters": compiled.parameters,
            "example_values": dict(examples),
        }
        typer.echo(json.dumps(answer, indent=2))
    else:
        typer.echo(f"{path}: {settings.name} for {name}, {len(compiled.text):,} bytes")


def check(
    runner: Annotated[str, typer.Option("--runner", metavar="kubeflow|vertex")],
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what would keep the pipeline from running on Kubeflow or Vertex; writes nothing."""
    from runners.source_warnings import source_warnings

    name = require_runner(runner, "check --runner")
    try:
        settings, _ = compile_quietly(name, config, overrides)
    except SettingsError as error:
        if as_json:
            typer.echo(json.dumps({"runner": name, "problems": str(error).splitlines()}, indent=2))
        raise
    examples = warn_of_examples(settings, name)
    warnings = source_warnings(settings)
    for warning in warnings:
        typer.echo(f"fareline: {warning}", err=True)
    if as_json:
        answer = {
            "runner": name,
            "problems": [],
            "warnings": warnings,
            "example_values": dict(examples),
        }
        typer.echo(json.dumps(answer, indent=2))
    else:
        typer.echo(f"{settings.name}: nothing is in the way of running on {name}")


def require_runner(runner: str, command: str) -> RunnerName:
    """Returns the name of a runner.

    Raises:
        SettingsError: It is none.
    """
    for name in RUNNER_NAMES:
        if runner == name:
            return name
    raise SettingsError.explain(
        f"fareline {command}",
        f"found {runner}",
        f"expected {' or '.join(RUNNER_NAMES)}",
        "`fareline run` is for this machine",
    )


def compile_quietly(runner: RunnerName, config: Path | None, overrides: list[str] | None):
    """Compiles, without what TFX tells on stderr while it is imported.

    Returns:
        The settings and the compiled spec.
    """
    from pipeline.config import load_settings
    from pipeline.sections import DEFAULT_PATH
    from runners.compile import compile_spec
    from runners.progress import output_to

    settings = load_settings(config or DEFAULT_PATH, overrides or ())
    with tempfile.TemporaryDirectory() as folder, output_to(Path(folder) / "log"):
        return settings, compile_spec(settings, runner)


def warn_of_examples(settings, runner: RunnerName) -> list[tuple[str, str]]:
    """Names the settings that are examples still, in one line on stderr; returns them.

    `submit` refuses them.
    """
    from pipeline.runner_checks import find_example_values

    examples = find_example_values(settings, runner)
    if examples:
        listed = ", ".join(f"{key}={value}" for key, value in examples)
        typer.echo(f"fareline: warning: examples still: {listed}", err=True)
    return examples


def require_suffix(path: Path, runner: RunnerName) -> None:
    """Refuses a name that says another format than the file would have.

    Raises:
        SettingsError: It does.
    """
    from runners.compile import SUFFIXES

    suffix = SUFFIXES[runner]
    if path.suffix not in (suffix, {".yaml": ".yml"}.get(suffix)):
        raise SettingsError.explain(
            str(path),
            f"its name ends in {path.suffix or 'nothing'}",
            f"expected {suffix}, by which every client knows the format",
            f"name it {path.with_suffix(suffix).name}",
        )


def write_spec(path: Path, text: str) -> None:
    """Writes beside, then renames.

    Raises:
        SettingsError: The file cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise SettingsError.explain(
            str(path),
            f"cannot be written ({error.strerror})",
            "expected a folder that is there, and is yours",
            "name another file with --output",
        ) from error
