"""The options of `fareline run --spec`, and which options do not go together. Light to import."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fareline.errors import UserMistake

SpecOption = Annotated[
    Path | None,
    typer.Option("--spec", help="Execute this compiled specification, and the commands in it."),
]
MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="gs://BUCKET=DIR", help="With --spec: a folder for a bucket."),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="With --spec: a runtime parameter."),
]


def refuse_spec_options(maps: Sequence[str] | None, parameters: Sequence[str] | None) -> None:
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


def refuse_parameters_beside_settings(
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
