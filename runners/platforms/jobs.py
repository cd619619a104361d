"""Types for jobs in a cluster, for every platform of `submit`.

`runners.platforms.vertex.client` and `runners.platforms.kubeflow.client` speak with the platforms
and answer in these words; `runners.submit.following` and `cli.submit` need no others. Imports no
client.
"""

import dataclasses
import enum
import graphlib
from collections.abc import Mapping
from typing import Any, Protocol

from fareline.errors import FarelineError, UserMistake
from runners.progress import NodeState


class JobState(enum.Enum):
    """States of a job; the values are those of `--json`."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the state is final."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclasses.dataclass
class Task:
    """One node of a job, as the live table shows it.

    Attributes:
        name: Name of the task in the spec, which is the node's id.
        state: In the words of a local run.
        seconds: From its start to its end, or 0 if it has not ended.
        error: Error in the platform's words; empty without an error.
    """

    name: str
    state: NodeState = NodeState.WAITING
    seconds: float = 0.0
    error: str = ""


@dataclasses.dataclass(frozen=True)
class JobStatus:
    """A job at one moment.

    Attributes:
        state: State of the job.
        tasks: By name, in the order of the pipeline, those that have not started included.
        error: Why the job failed, in the platform's words; empty if it did not.
    """

    state: JobState
    tasks: Mapping[str, Task]
    error: str = ""


@dataclasses.dataclass(frozen=True)
class Request:
    """A request to a platform for one job.

    Attributes:
        job_id: Names the job for its user: its id on Vertex, the name of the run on Kubeflow.
        pipeline_name: Name of the pipeline, from the settings.
        spec: The compiled pipeline: a PipelineSpec for Kubeflow, a PipelineJob for Vertex.
        parameters: Values of the runtime parameters.
        schedule: Five cron fields, maybe with `TZ=ZONE ` before them; None: once, now.
    """

    job_id: str
    pipeline_name: str
    spec: Mapping[str, Any]
    parameters: Mapping[str, Any]
    schedule: str | None = None


@dataclasses.dataclass(frozen=True)
class Submitted:
    """A job that a platform has accepted.

    Attributes:
        id: Id of the job at the platform.
        link: Its page in the platform's console.
    """

    id: str
    link: str


class Platform(Protocol):
    """A cluster that takes jobs.

    Every method raises PlatformError, UnreachableError or RefusedRequestError, with one line.
    """

    name: str

    def describe(self, request: Request) -> dict[str, Any]:
        """Returns the request as it would be sent, as JSON types; sends nothing."""

    def submit(self, request: Request) -> Submitted:
        """Sends a job, or creates its schedule."""

    def find(self, job_id: str) -> Submitted:
        """Finds a job by what `submit` returned as its id."""

    def find_named(self, job_id: str) -> Submitted | None:
        """Finds a job by the id of its request; None: there is no such job."""

    def look(self, job_id: str) -> JobStatus:
        """Returns the progress of a job."""

    def cancel(self, job_id: str) -> None:
        """Asks the platform to stop a job, and does not wait for that."""


class PlatformError(FarelineError, RuntimeError):
    """The platform answered with an error that the same command may not meet again."""


class UnreachableError(FarelineError, ConnectionError):
    """No answer came: no network, a wrong address, or a service that is down for the moment."""


class RefusedRequestError(UserMistake):
    """The platform refuses what was asked for; nothing was started."""


class NotThereError(RefusedRequestError):
    """The platform does not have what was asked for."""


class TakenIdError(RefusedRequestError):
    """The platform has a job of this id already."""


def waiting_tasks(spec: Mapping[str, Any]) -> dict[str, Task]:
    """Finds the tasks of a pipeline, none of which has started.

    Args:
        spec: A PipelineSpec as JSON types; an empty one has no tasks.

    Returns:
        Tasks by name, each after those that it waits for.
    """
    tasks = spec.get("root", {}).get("dag", {}).get("tasks", {})
    order = graphlib.TopologicalSorter({name: _waits_for(tasks[name]) for name in sorted(tasks)})
    return {name: Task(name) for name in order.static_order()}


def _waits_for(task: Mapping[str, Any]) -> set[str]:
    inputs = task.get("inputs", {})
    producers = [
        given.get(kind, {}).get("producerTask")
        for inputs_of_kind, kind in (
            (inputs.get("artifacts", {}), "taskOutputArtifact"),
            (inputs.get("parameters", {}), "taskOutputParameter"),
        )
        for given in inputs_of_kind.values()
    ]
    return {name for name in producers if name} | set(task.get("dependentTasks", ()))
