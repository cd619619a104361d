"""`fareline submit vertex|kubeflow`: sends the pipeline to a cluster, and follows the job.

Registered in `cli.app`. Exit code 0: sent, or with --wait succeeded; 1: failed, cancelled, or
no use of the platform; 2: a mistake, nothing was started. The answer is on stdout, the table of
nodes on stderr. Imports what it needs inside the functions, so that other commands start at once.
"""

import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answer import answer
from cli.options import (
    ConfigOption,
    JsonOption,
    RefusedFromOption,
    RunnerArgument,
    SetOption,
    ToNodesOption,
    dry_run_option,
)
from cli.views.clusters import require_runner, warn_of_examples
from cli.views.parts import require_no_beginning
from fareline.errors import UserMistake

if TYPE_CHECKING:
    from pipeline.settings.runners import RunnerName
    from pipeline.settings.settings import Settings
    from runners.platforms.jobs import JobStatus, Platform, Submitted
    from runners.submit.submission import Submission


def submit(
    runner: RunnerArgument,
    config: ConfigOption = None,
    overrides: SetOption = None,
    job_id: Annotated[
        str | None,
        typer.Option("--job-id", metavar="NAME", help="Name of the job.", show_default="NAME-TIME"),
    ] = None,
    unless_sent: Annotated[
        bool,
        typer.Option(
            "--unless-sent",
            help="With --job-id: if the platform has this job, answer with it and send nothing.",
        ),
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the job to its end.")] = False,
    poll_seconds: Annotated[
        float, typer.Option("--poll-seconds", min=0.1, help="Seconds between two status requests.")
    ] = 5.0,
    follow: Annotated[
        str | None,
        typer.Option("--follow", metavar="JOB", help="Follow this job; send no new one."),
    ] = None,
    cancel: Annotated[
        str | None, typer.Option("--cancel", metavar="JOB", help="Stop this job; send no new one.")
    ] = None,
    schedule: Annotated[
        bool,
        typer.Option(
            "--schedule", help="Create the schedule of the settings instead of running now."
        ),
    ] = False,
    from_nodes: RefusedFromOption = None,
    to_nodes: ToNodesOption = None,
    dry_run: Annotated[bool, dry_run_option("Print the request without sending it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Send the pipeline to Kubeflow or Vertex. Exit code 0: sent; with --wait: succeeded."""
    from pipeline.settings.load import load_settings
    from runners.platforms.registry import PLATFORMS
    from runners.submit.compilation import require_section

    name = require_runner(runner, "submit")
    require_no_beginning(from_nodes)
    asks = {"--follow": follow, "--cancel": cancel}
    _require_one_of(asks | {"--schedule": schedule, "--wait": wait})
    _require_one_of(asks | {"--job-id": job_id})
    _require_one_of(asks | {"--dry-run": dry_run})
    _require_one_of({"--wait": wait, "--dry-run": dry_run})
    _require_one_of(asks | {"--schedule": schedule, "--unless-sent": unless_sent})
    if unless_sent and job_id is None:
        raise UserMistake.explain(
            "fareline submit", "found --unless-sent alone", "expected --job-id", "name the job"
        )
    settings = load_settings(config, overrides or ())
    warnings.simplefilter("ignore", FutureWarning)  # of Google's clients, on the Python of TFX
    if follow is not None or cancel is not None:
        platform = PLATFORMS[name].connect(require_section(settings, name))
        if cancel is not None:
            _cancel(platform, cancel, as_json)
        else:
            _follow(platform, platform.find(follow), poll_seconds, as_json)
        return
    job = job_id, schedule
    platform, submission = _prepare(name, settings, job, to_nodes or (), dry_run)
    if dry_run:
        answer(True, submission.describe(platform), "")
        return
    submitted, sent = _send(platform, submission, unless_sent)
    for upload in sent:
        typer.echo(f"uploaded {upload.path.name} to {upload.uri}", err=True)
    if wait:
        typer.echo(f"{submitted.id}: {submitted.link}", err=True)
        _follow(platform, submitted, poll_seconds, as_json)
    else:
        _tell_submitted(platform, submission, submitted, as_json)


def _send(
    platform: "Platform", submission: "Submission", unless_sent: bool
) -> tuple["Submitted", list[Any]]:
    from runners.submit.following import SILENCE_SECONDS

    if unless_sent:
        return submission.send_once(platform, SILENCE_SECONDS)
    return submission.send(platform)


def _prepare(
    name: "RunnerName",
    settings: "Settings",
    job: tuple[str | None, bool],
    to_nodes: Sequence[str],
    dry_run: bool,
) -> tuple["Platform", "Submission"]:
    """Compiles; refuses what is an example still, unless nothing is sent anyway."""
    from runners.platforms.registry import PLATFORMS
    from runners.submit.compilation import require_section
    from runners.submit.submission import compile_submission, require_no_examples

    look = warn_of_examples if dry_run else require_no_examples
    submission = compile_submission(settings, name, *job, look, to_nodes)
    return PLATFORMS[name].connect(require_section(settings, name)), submission


def _follow(
    platform: "Platform", submitted: "Submitted", poll_seconds: float, as_json: bool
) -> None:
    """Shows the table until the job has ended, and ends with its exit code."""
    from rich.console import Console

    from runners.platforms.jobs import JobState
    from runners.progress import ProgressTable
    from runners.submit.following import follow, say_how_it_ended

    table = ProgressTable(Console(file=sys.stderr), f"{platform.name} · {submitted.id}")
    status = follow(platform, submitted.id, table, poll_seconds)
    words = f"{say_how_it_ended(submitted.id, status)}\n{submitted.link}"
    answer(as_json, _as_json(platform, submitted, status), words)
    raise typer.Exit(0 if status.state is JobState.SUCCEEDED else 1)


def _cancel(platform: "Platform", job_id: str, as_json: bool) -> None:
    platform.cancel(job_id)
    answer(
        as_json,
        {"platform": platform.name, "job_id": job_id, "state": "cancelling"},
        f"{job_id}: {platform.name} was asked to cancel it. "
        f"`fareline submit {platform.name} --follow {job_id}` shows when it has.",
    )


def _tell_submitted(
    platform: "Platform", submission: "Submission", submitted: "Submitted", as_json: bool
) -> None:
    from runners.submit.following import how_to_go_on

    cron = submission.request.schedule
    if cron is not None:
        words = f"{submission.request.job_id} runs by the schedule `{cron}` from now on."
    else:
        words = f"{submitted.id} was sent; {how_to_go_on(platform.name, submitted.id)}."
    answer(as_json, _as_json(platform, submitted), f"{words}\n{submitted.link}")


def _as_json(
    platform: "Platform", submitted: "Submitted", status: "JobStatus | None" = None
) -> dict[str, Any]:
    content = {"platform": platform.name, "job_id": submitted.id, "link": submitted.link}
    if status is None:
        return content
    nodes = [
        {"name": t.name, "state": t.state.value, "seconds": round(t.seconds, 3), "error": t.error}
        for t in status.tasks.values()
    ]
    return {**content, "state": status.state.value, "error": status.error, "nodes": nodes}


def _require_one_of(options: dict[str, Any]) -> None:
    """Refuses options that exclude each other."""
    given = [name for name, value in options.items() if value]
    if len(given) > 1:
        raise UserMistake.explain(
            "fareline submit",
            f"found {' and '.join(given)}",
            "expected one of them",
            f"leave {given[-1]} out",
        )
