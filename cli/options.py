"""The options that several commands have, each defined once."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from fareline.errors import UserMistake

DEFAULT_WORKSPACE = Path("workspace")
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
        help="Metadata store to use instead of the workspace's: sqlite:PATH, "
        "mysql://USER@HOST/DATABASE or "
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
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Execute every node.")]
SchemaOption = Annotated[
    str | None,
    typer.Option(
        "--schema", metavar="NAME|FILE", help="Schema to use instead of that of the settings."
    ),
]
DataArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="DATA", help="CSV, JSON lines, Parquet, Arrow or TFRecord; or a folder of them."
    ),
]
ModelDirOption = Annotated[
    Path | None,
    typer.Option(
        "--model-dir", metavar="DIR", help="Folder of versions to use instead of the workspace's."
    ),
]
_RUNNERS = "kubeflow|vertex"
_ORCHESTRATORS = "airflow|argo|luigi|celery"


def _starting(words: Iterable[str]) -> Callable[[str], list[str]]:
    """What a shell completes an argument to."""
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


def _logs(context: typer.Context, pattern: str) -> list[str]:
    """The logs of a workspace, newest names first: a shell does not wait for a store to open."""
    folder = Path(context.params.get("workspace") or DEFAULT_WORKSPACE, "logs")
    return sorted({path.stem for path in folder.glob(pattern)}, reverse=True)


def complete_runs(context: typer.Context, incomplete: str) -> list[str]:
    """What a shell completes a run to."""
    return _starting(("latest", *_logs(context, "*.log")))(incomplete)


def _ids(context: typer.Context, incomplete: str) -> list[str]:
    return _starting(("latest", "live", *_logs(context, "*.log")))(incomplete)


def _nodes(context: typer.Context, incomplete: str) -> list[str]:
    return sorted(_starting(_logs(context, "*/*.log"))(incomplete))


def runner_argument(**more: Any) -> Any:
    """A cluster; what help says of leaving it out, in `more`."""
    names = _starting(_RUNNERS.split("|"))
    return typer.Argument(metavar=_RUNNERS, autocompletion=names, **more)


def id_argument(help_text: str, metavar: str | None = "ID", **more: Any) -> Any:
    """Anything in the store that has an id; what else help says of it, in `more`."""
    return typer.Argument(metavar=metavar, help=help_text, autocompletion=_ids, **more)


def run_argument(help_text: str) -> Any:
    """A run."""
    return typer.Argument(metavar="RUN", help=help_text, autocompletion=complete_runs)


def node_argument(help_text: str) -> Any:
    """A node of a run."""
    return typer.Argument(metavar="NODE", help=help_text, autocompletion=_nodes)


RunnerArgument = Annotated[str, runner_argument()]
OrchestratorArgument = Annotated[
    str,
    typer.Argument(metavar=_ORCHESTRATORS, autocompletion=_starting(_ORCHESTRATORS.split("|"))),
]
IdArgument = Annotated[
    str, id_argument("Id such as Model:12 or Trainer@RUN; a run, a pipeline, latest or live.")
]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Reason, which is recorded.")
]
PipelineOption = Annotated[
    str | None, typer.Option("--pipeline", metavar="NAME", help="Pipeline, if there are several.")
]


def all_option(help_text: str) -> Any:
    """`--all`, of whatever a command shows or ends."""
    return typer.Option("--all", help=help_text)


ShowAllOption = Annotated[bool, all_option("Show everything, without limits.")]
DepthOption = Annotated[
    int | None,
    typer.Option(
        "--depth", min=1, help="Number of steps; from an artifact to its execution is one step."
    ),
]
TypeOption = Annotated[
    str | None,
    typer.Option(
        "--type", metavar="TYPE", help="Show only branches that lead to artifacts of this type."
    ),
]
BaselinesOption = Annotated[
    bool,
    typer.Option(
        "--through-baselines", help="Also follow models that were only used as a baseline."
    ),
]


def from_option(
    metavar: str, help_text: str, default: str | None = None, hidden: bool = False
) -> Any:
    """`--from`, a place of files or a node; the default as help says it."""
    shown = default or True
    return typer.Option(
        "--from", metavar=metavar, help=help_text, show_default=shown, hidden=hidden
    )


def only_option(metavar: str, help_text: str) -> Any:
    """`--only`, a column or a node."""
    return typer.Option("--only", metavar=metavar, help=help_text)


def to_option(metavar: str, help_text: str) -> Any:
    """`--to`, a version or a node."""
    return typer.Option("--to", metavar=metavar, help=help_text)


# Refused with the reason, where there is no store with the outputs of earlier runs.
RefusedFromOption = Annotated[list[str] | None, from_option("NODE", "Refused.", hidden=True)]
ToNodesOption = Annotated[
    list[str] | None,
    to_option("NODE", "Run all nodes up to and including this one; repeatable."),
]
ToOption = Annotated[int | None, to_option("VERSION", "Version to make live.")]
DestinationOption = Annotated[
    str | None,
    typer.Option(
        "--destination",
        metavar="DIR",
        help="Serving folder, or `vertex`, if there are several.",
    ),
]


def vertex_option(help_text: str) -> Any:
    """`--vertex`, of whatever a command does there."""
    return typer.Option("--vertex", help=help_text)


SpecOption = Annotated[
    Path | None,
    typer.Option(
        "--spec", metavar="FILE", help="Execute the commands of this compiled specification."
    ),
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="gs://BUCKET=DIR",
        help="With --spec: folder that replaces a bucket; repeatable.",
    ),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME=VALUE",
        help="With --spec: value of a runtime parameter; repeatable.",
    ),
]
LogShareOption = Annotated[
    float,
    typer.Option(
        "--log-share",
        min=0.0,
        max=1.0,
        help="Share of rows to log in WORKSPACE/serving_logs, each with an id.",
    ),
]
DEFAULT_PORT = 8787  # of pages
PagesPortOption = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="Port; 0 selects a free one.")
]
OpenOption = Annotated[bool, typer.Option("--open", help="Open the page in a browser.")]
HostOption = Annotated[
    str,
    typer.Option(
        "--host",
        metavar="ADDRESS",
        help="Address to listen on. The default accepts connections from this machine only.",
    ),
]


def limit_option(least: int, help_text: str) -> Any:
    """`--limit`, of whatever is shown.

    Args:
        least: The smallest that makes sense.
        help_text: The limit, for help.
    """
    return typer.Option("--limit", min=least, help=help_text)


LimitOption = Annotated[
    int | None, limit_option(1, "Largest number of rows to show, newest or best first.")
]


def sample_option(least: int, help_text: str) -> Any:
    """`--sample`, a number of rows.

    Args:
        least: Lowest number of rows.
        help_text: The chosen rows, for help.
    """
    return typer.Option("--sample", min=least, max=10_000_000, metavar="N", help=help_text)


def dry_run_option(help_text: str) -> Any:
    """`--dry-run`, of whatever is left undone.

    Args:
        help_text: The omitted effects, for help.
    """
    return typer.Option("--dry-run", help=help_text)


def as_of_option(help_text: str) -> Any:
    """`--as-of`, a time in place of now.

    Args:
        help_text: The effect, for help.
    """
    return typer.Option(
        "--as-of", metavar="TIME", help=f"Time in ISO 8601; {help_text}", show_default="now"
    )


def read_as_of(text: str | None, why: str) -> int:
    """The time of `--as-of`, in milliseconds since 1970; now without one.

    Args:
        text: ISO 8601; None: now.
        why: What would be wrong with a time that is yet to come, for the message.

    Raises:
        UserMistake: It is no time, or one that is yet to come.
    """
    from lineage.text.times import iso, now, read_time

    current = now()
    if text is None:
        return current
    where = f"--as-of {text}"
    try:
        milliseconds = read_time(text)
    except ValueError as error:
        raise UserMistake.explain(
            where, "is not a time", "expected ISO 8601, UTC", "write 2026-11-30T12:00:00Z"
        ) from error
    if milliseconds > current:
        raise UserMistake.explain(
            where, "is in the future", f"expected at most {iso(current)}", why
        )
    return milliseconds


def version_option(help_text: str, *short: str, **more: Any) -> Any:
    """`--version`, of Fareline or of written spans.

    Args:
        help_text: The effect, for help.
        short: Another name of it.
        more: For `typer.Option`.
    """
    return typer.Option("--version", *short, help=help_text, **more)


def label_option(help_text: str, default: str | None = None) -> Any:
    """`--label`, a column; the default as help says it."""
    return typer.Option("--label", metavar="COLUMN", help=help_text, show_default=default or True)


def name_option(help_text: str, default: str) -> Any:
    """`--name`, of a pipeline or of a served model; the default as help says it."""
    return typer.Option("--name", metavar="NAME", help=help_text, show_default=default)


def keep_option(help_text: str, **more: Any) -> Any:
    """`--keep`, columns or a number of runs.

    Args:
        help_text: The kept elements, for help.
        more: For `typer.Option`.
    """
    return typer.Option("--keep", help=help_text, **more)


def yes_option(help_text: str) -> Any:
    """`--yes`, to what would be asked, or is only listed without it."""
    return typer.Option("--yes", help=help_text)


def format_option() -> Any:
    """`--format`, of whatever formats the command has."""
    return typer.Option("--format", help="Format of the output.")


def output_option(metavar: str, help_text: str, default: str | None = None) -> Any:
    """`--output`, which is a file or a folder.

    Args:
        metavar: FILE or DIR.
        help_text: The content of the output, for help.
        default: The default that help shows in place of the value.
    """
    shown = True if default is None else default
    return typer.Option("--output", "-o", metavar=metavar, help=help_text, show_default=shown)


def run_option(help_text: str, default: str | None = None) -> Any:
    """`--run`, an id of a run.

    Args:
        help_text: The use of the value, for help.
        default: The default that help shows.
    """
    shown = True if default is None else default
    return typer.Option(
        "--run", metavar="ID", help=help_text, show_default=shown, autocompletion=complete_runs
    )


RunOption = Annotated[str, run_option("Run id that `step begin` was given or printed.")]
