"""What the commands of `fareline schema` share: their options, and the exit code of a finding."""

from pathlib import Path
from typing import Annotated

import typer

UNREVIEWED = 3  # exit code: there is a difference to review, or an anomaly
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Settings file. [default: the taxi pipeline]")
]
SchemaOption = Annotated[
    str | None,
    typer.Option("--schema", metavar="NAME|FILE", help="Instead of the one in the settings."),
]
DataArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[DATA]", help="CSV, Parquet, Arrow or TFRecord; or a folder of them."),
]
