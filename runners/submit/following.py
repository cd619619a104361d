"""Following a job in a cluster with the table that a local run has, until it ends.

The platform is asked again and again, by us and not by its client: that of Kubeflow waits for ever
on a job that was cancelled. A moment without an answer ends nothing, since the job goes on without
us. Imports no client.
"""

import dataclasses
import time
from collections.abc import Callable

from google.api_core import exceptions, retry

from fareline.errors import Interrupted
from runners.platforms.jobs import JobState, JobStatus, Platform, Task, UnreachableError
from runners.progress import NodeState, ProgressTable

# How long the platform may stay silent before following is given up.
SILENCE_SECONDS = 300.0


def follow(
    platform: Platform,
    job_id: str,
    table: ProgressTable,
    poll_seconds: float,
    silence_seconds: float = SILENCE_SECONDS,
) -> JobStatus:
    """Shows how far a job is until it has ended.

    Args:
        platform: Where the job is.
        job_id: Job id, as the platform knows it.
        table: Shows the tasks.
        poll_seconds: Pause between two questions.
        silence_seconds: Longest time without an answer of the platform.

    Returns:
        The last status, which is final.

    Raises:
        Interrupted: Ctrl-C was pressed; the job continues.
        UnreachableError: If there was no answer for `silence_seconds`.
        PlatformError, RefusedRequestError: If the platform answers with an error.
    """
    patiently = retry.Retry(
        predicate=retry.if_exception_type(UnreachableError),
        initial=poll_seconds,
        maximum=poll_seconds * 6,
        timeout=silence_seconds,
    )
    look = patiently(lambda: platform.look(job_id))
    shown: dict[str, Task] = {}
    try:
        with table.shown():
            while True:
                status = _look(look, platform.name, job_id)
                _show(table, shown, status)
                if status.state.is_final:
                    return dataclasses.replace(status, tasks=shown)
                time.sleep(poll_seconds)
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"{job_id}: not followed any more; the job goes on. "
            f"Hint: {how_to_go_on(platform.name, job_id)}."
        ) from error


def how_to_go_on(platform_name: str, job_id: str) -> str:
    """Returns the commands that follow and stop a job."""
    command = f"fareline submit {platform_name}"
    return f"`{command} --follow {job_id}` follows it again, `{command} --cancel {job_id}` stops it"


def say_how_it_ended(job_id: str, status: JobStatus) -> str:
    """One line on a job that has ended: its state and, if it failed, the task and why."""
    failed = [task for task in status.tasks.values() if task.state is NodeState.FAILED]
    if status.state is not JobState.FAILED or not failed:
        reason = f": {_one_line(status.error)}" if status.error else ""
        return f"{job_id} {status.state.value}{reason}"
    told = [task for task in failed if task.error] or failed
    reason = _one_line(told[0].error or status.error) or "the platform gave no reason"
    return f"{job_id} failed at {told[0].name}: {reason}"


def _look(look: Callable[[], JobStatus], platform_name: str, job_id: str) -> JobStatus:
    try:
        return look()
    except exceptions.RetryError as error:
        raise UnreachableError(
            f"{error.cause} The job goes on; {how_to_go_on(platform_name, job_id)}."
        ) from error


def _show(table: ProgressTable, shown: dict[str, Task], status: JobStatus) -> None:
    """Brings the tasks that the table holds up to date."""
    added = [name for name in status.tasks if name not in shown]
    if added:
        shown.update((name, Task(name)) for name in added)
        table.add_nodes(list(shown.values()))
    for name, held in shown.items():
        now = status.tasks.get(name, held)
        state = now.state
        if status.state.is_final and state in (NodeState.WAITING, NodeState.RUNNING):
            state = NodeState.SKIPPED  # what has not ended by the end of the job never will
        changed = state is not held.state
        held.state, held.seconds, held.error = state, now.seconds, now.error
        if changed:
            table.update(held)


def _one_line(text: str) -> str:
    return " ".join(text.split())
