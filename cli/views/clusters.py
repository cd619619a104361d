"""Shared by `compile`, `check` and `submit`: the runner's name, and example values in settings."""

from typing import TYPE_CHECKING

import typer

from fareline.errors import SettingsError
from fareline.near import guess

if TYPE_CHECKING:
    from pipeline.settings.runners import RunnerName


def require_runner(runner: str, command: str) -> "RunnerName":
    """Returns the name of a runner.

    Raises:
        SettingsError: The name is not one of a runner.
    """
    from pipeline.settings.runners import RUNNER_NAMES

    for name in RUNNER_NAMES:
        if runner == name:
            return name
    raise SettingsError.explain(
        f"fareline {command}",
        f"found {runner}",
        f"expected {' or '.join(RUNNER_NAMES)}",
        f"{guess(runner, RUNNER_NAMES)}`fareline run` is for this machine",
    )


def warn_of_examples(settings, runner: "RunnerName") -> list[tuple[str, str]]:
    """Names the settings that are examples still, in one line on stderr; returns them.

    `submit` refuses them.
    """
    from pipeline.rules.cluster import find_example_values

    examples = find_example_values(settings, runner)
    if examples:
        listed = ", ".join(f"{key}={value}" for key, value in examples)
        typer.echo(f"fareline: warning: examples still: {listed}", err=True)
    return examples
