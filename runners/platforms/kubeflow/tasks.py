"""The tasks of a pipeline among everything that the backend of Kubeflow runs for it.

For each task that is a driver, which looks into the cache, and an executor, the container itself,
which is skipped where the driver found the outputs; then there are the whole and its driver. Called
by `runners.platforms.kubeflow.client`; imports no client.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from runners.platforms.jobs import Task, waiting_tasks
from runners.progress import NodeState

_STATES = {
    "RUNNING": NodeState.RUNNING,
    "SUCCEEDED": NodeState.EXECUTED,
    "SKIPPED": NodeState.CACHED,
    "FAILED": NodeState.FAILED,
    "CANCELING": NodeState.RUNNING,
    "CANCELED": NodeState.SKIPPED,
}
_EXECUTOR = "executor"
# A Go server says "not yet" as the year 1 or as 1970.
_UNSET = datetime.datetime(1971, 1, 1, tzinfo=datetime.timezone.utc)


def read_tasks(details: Sequence[Any], spec: Mapping[str, Any]) -> dict[str, Task]:
    """Finds the tasks of a spec in the details of a run.

    Args:
        details: `run_details.task_details` of a run, as kfp's client returns them.
        spec: The PipelineSpec of the run.

    Returns:
        Tasks by name. That one was cached is known only where the backend says whose executor was
        skipped; up to 2.16 it says so of none, and such a task counts as executed.
    """
    tasks = waiting_tasks(spec)
    executors = {d.parent_task_id: d for d in details if d.display_name == _EXECUTOR}
    for detail in details:
        if detail.display_name not in tasks:
            continue
        executor = executors.get(detail.task_id)
        state = _STATES.get(detail.state, NodeState.WAITING)
        if state is NodeState.EXECUTED and executor is not None and executor.state == "SKIPPED":
            state = NodeState.CACHED
        errors = [d.error.message for d in (executor, detail) if d is not None and d.error]
        tasks[detail.display_name] = Task(
            detail.display_name, state, _seconds(detail), errors[0] if errors else ""
        )
    return tasks


def _seconds(detail: Any) -> float:
    start, end = detail.start_time or detail.create_time, detail.end_time
    if not start or not end or start < _UNSET or end < _UNSET:
        return 0.0
    return (end - start).total_seconds()
