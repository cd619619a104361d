"""The options that several commands have, each defined once."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

DEFAULT_WORKSPACE = Path("workspace")
VERSION = "--version"  # of Fareline; of spans, in `data spans`
EXIT_FOUND = 3  # the answer is that something differs, is missing or was refused; nothing failed

WorkspaceOption = Annotated[
    Path,
    typer.Option(
        "--workspace",
        "-w",
        metavar="DIR",
        envvar="FARELINE_WORKSPACE",
        help="Folder of metadata, artifacts and pushed models.",
    ),
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URI",
        help="Instead of the workspace's store: sqlite:PATH, mysql://USER@HOST/DATABASE or "
        "postgresql://USER@HOST/DATABASE.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        envvar="FARELINE_CONFIG",
        help="Settings file.",
        show_default="the taxi pipeline",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting; repeatable."),
]
SchemaOption = Annotated[
    str | None,
    typer.Option("--schema", metavar="NAME|FILE", help="Instead of the one in the settings."),
]
DataArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DATA]", help="CSV, JSON lines, Parquet, Arrow or TFRecord; or a folder of them."
    ),
]
ModelDirOption = Annotated[
    Path | None,
    typer.Option("--model-dir", help="Use the versions in this folder, not the workspace's."),
]
_RUNNERS = "kubeflow|vertex"
_NAMED_IDS = ("latest", "live")  # what does not take the store to know


def _starting(words: Iterable[str]) -> Callable[[str], list[str]]:
    """What a shell completes an argument to."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


RunnerArgument = Annotated[
    str, typer.Argument(metavar=_RUNNERS, autocompletion=_starting(_RUNNERS.split("|")))
]
IdArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="Such as Model:12, Trainer@RUN, a run, a pipeline, latest or live.",
        autocompletion=_starting(_NAMED_IDS),
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded.")]
PipelineOption = Annotated[
    str | None, typer.Option("--pipeline", help="Only this pipeline, if there are several.")
]
ShowAllOption = Annotated[bool, typer.Option("--all", help="Leave nothing out.")]
DepthOption = Annotated[
    int | None,
    typer.Option("--depth", min=1, help="So many steps; from an artifact to its execution is one."),
]
TypeOption = Annotated[
    str | None,
    typer.Option(
        "--type", metavar="TYPE", help="Only branches that lead to artifacts of this type."
    ),
]
BaselinesOption = Annotated[
    bool,
    typer.Option("--through-baselines", help="Follow models that were only compared with, too."),
]
ToOption = Annotated[int | None, typer.Option("--to", metavar="VERSION", help="Which one.")]
DestinationOption = Annotated[
    str | None,
    typer.Option("--destination", metavar="DIR", help="The serving folder, if there are several."),
]
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
LogShareOption = Annotated[
    float,
    typer.Option(
        "--log-share",
        min=0.0,
        max=1.0,
        help="Share of the rows to write to WORKSPACE/serving_logs, each with an id.",
    ),
]
OpenOption = Annotated[bool, typer.Option("--open", help="Open it in a browser.")]
HostOption = Annotated[
    str,
    typer.Option("--host", help="Address to listen on. Others than loopback let others ask."),
]


def limit_option(least: int, help_text: str) -> Any:
    """`--limit`, of whatever is shown.

    Args:
        least: The smallest that makes sense.
        help_text: What it limits.
    """
    return typer.Option("--limit", min=least, help=help_text)


LimitOption = Annotated[int | None, limit_option(1, "Show at most so many, the newest or best.")]


def dry_run_option(help_text: str) -> Any:
    """`--dry-run`, of whatever is left undone.

    Args:
        help_text: What it leaves undone.
    """
    return typer.Option("--dry-run", help=help_text)


def format_option() -> Any:
    """`--format`, of whatever formats the command has."""
    return typer.Option("--format", help="Of what is written.")


def output_option(metavar: str, help_text: str, default: str | None = None) -> Any:
    """`--output`, which is a file or a folder.

    Args:
        metavar: FILE or DIR.
        help_text: What goes there.
        default: What help says of it where the value does not.
    """
    shown = True if default is None else default
    return typer.Option("--output", "-o", metavar=metavar, help=help_text, show_default=shown)
