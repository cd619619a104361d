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


def refuse_settings_options(config: Path | None, overrides: Sequence[str] | None) -> None:
    """Refuses settings beside a specification, which has them compiled in.

    Raises:
        UserMistake: One was given.
    """
    if config is not None or overrides:
        raise UserMistake.explain(
            "--config" if config is not None else "--set",
            "given together with --spec",
            "expected one of them: a specification holds its settings",
            "compile it again with these settings, or change a runtime parameter with --param",
        )
