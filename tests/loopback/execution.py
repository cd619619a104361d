"""Jobs that the loopback servers have accepted: executed in the background, one at a time.

What executes them is given to a server: `interpret`, which executes the specification for real, or
`play`, which goes through states that a test has written down.
"""

import dataclasses
import datetime
import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from runners.progress import NodeState

SUCCEEDED, FAILED, CANCELLED = "SUCCEEDED", "FAILED", "CANCELLED"
PENDING, RUNNING, CANCELLING = "PENDING", "RUNNING", "CANCELLING"
FINAL = (SUCCEEDED, FAILED, CANCELLED)


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclasses.dataclass
class TaskResult:
    """How a node that begins or ends in a `Play` is told of; `runners.replay` tells the same."""

    name: str
    state: NodeState
    seconds: float = 0.0
    error: BaseException | None = None


@dataclasses.dataclass
class Job:
    """A job and how far it is.

    Attributes:
        job_id: Of the server.
        content: What the user sent.
        documents: The specification, as `runners.replay` parses it.
        values: Of the runtime parameters, where they are not in the document.
        tasks: Results of the nodes that have begun, by name.
        started, ended: When each node did.
        state: One of the names above.
        error: Why it failed.
    """

    content: Mapping[str, Any]
    documents: Sequence[Any]
    values: Mapping[str, Any]
    job_id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    tasks: dict[str, TaskResult] = dataclasses.field(default_factory=dict)
    started: dict[str, str] = dataclasses.field(default_factory=dict)
    ended: dict[str, str] = dataclasses.field(default_factory=dict)
    created: str = dataclasses.field(default_factory=now)
    state: str = PENDING
    error: str = ""
    cancel: threading.Event = dataclasses.field(default_factory=threading.Event)

    def note(self, result: TaskResult) -> None:
        """Takes a change of a node's state."""
        self.tasks[result.name] = dataclasses.replace(result)
        if result.state is NodeState.RUNNING:
            self.started[result.name] = now()
        else:
            self.started.setdefault(result.name, now())
            self.ended[result.name] = now()


class Execute(Protocol):
    """Runs a job's specification to its end."""

    def check(self, job: Job) -> None:
        """Raises ValueError if it cannot be run at all."""

    def __call__(self, job: Job) -> str:
        """Returns its last state; tells `job.note` of the nodes, and heeds `job.cancel`."""


class Jobs:
    """The jobs of one server."""

    def __init__(self, execute: Execute):
        self._execute = execute
        self._one_at_a_time = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.jobs: dict[str, Job] = {}

    def start(self, job: Job) -> None:
        """Raises ValueError if the job cannot be run at all."""
        self._execute.check(job)
        self.jobs[job.job_id] = job
        thread = threading.Thread(target=self._run, args=[job])
        self._threads.append(thread)
        thread.start()

    def cancel(self, job: Job) -> None:
        if job.state not in FINAL:
            job.state = CANCELLING
            job.cancel.set()

    def stop(self) -> None:
        """Cancels what runs and waits for its end."""
        for job in self.jobs.values():
            self.cancel(job)
        for thread in self._threads:
            thread.join()

    def running(self) -> int:
        return sum(job.state not in FINAL for job in self.jobs.values())

    def _run(self, job: Job) -> None:
        with self._one_at_a_time:
            if job.state == PENDING:
                job.state = RUNNING
            try:
                job.state = self._execute(job)
            except Exception as error:
                job.error = f"{type(error).__name__}: {error}"
                job.state = FAILED
                raise


class Play:
    """Goes through steps that a test has written down.

    Args:
        steps: Pairs of a node and the state that it comes to; a node of the name "wait" waits for
            `go_on`, or for the job to be cancelled.
        state: Of the job in the end.
        errors: Of nodes.
    """

    def __init__(
        self,
        steps: Sequence[tuple[str, NodeState]] = (),
        state: str = SUCCEEDED,
        errors: Mapping[str, str] | None = None,
    ):
        self.steps, self.state, self.errors = steps, state, errors or {}
        self.go_on = threading.Event()

    def check(self, job: Job) -> None:
        """Anything can be played."""

    def __call__(self, job: Job) -> str:
        for name, state in self.steps:
            if name == "wait":
                while not self.go_on.wait(0.02) and not job.cancel.is_set():
                    pass
                continue
            if job.cancel.is_set():
                return CANCELLED
            job.note(TaskResult(name, state, 0.0, self._error(name, state)))
        if job.cancel.is_set():
            return CANCELLED
        if self.state == FAILED:
            job.error = self.errors.get("", "")
        return self.state

    def _error(self, name: str, state: NodeState) -> Exception | None:
        told = self.errors.get(name) if state is NodeState.FAILED else None
        return RuntimeError(told) if told else None


class Interpret:
    """Executes specifications with `runners.replay`, in one workspace.

    Args:
        folder: The workspace.
        maps: `gs://BUCKET=FOLDER`.
    """

    def __init__(self, folder: Path, maps: Sequence[str]):
        self._folder, self._maps = folder, maps

    def check(self, job: Job) -> None:
        self._plan(job)

    def _plan(self, job: Job) -> Any:
        from runners.replay.plan import make_plan
        from runners.replay.reading.document import parse_document
        from runners.replay.reading.uris import parse_uri_map

        document = parse_document(list(job.documents), job.job_id)
        return make_plan(document, job.values, parse_uri_map(self._maps))

    def __call__(self, job: Job) -> str:
        from runners.replay.execute import SpecRun, new_run_id, run_spec
        from runners.workspace import Workspace

        workspace = Workspace(self._folder)
        with workspace.locked():
            result = run_spec(
                SpecRun(self._plan(job), workspace, new_run_id()), job.note, job.cancel
            )
        return result.state
