"""The tasks of one run, two at a time: states, dependencies and outputs.

Called by runners.replay.execute. After a failure, tasks that do not depend on it go on, as on both
platforms; an exit handler runs in any case.
"""

import concurrent.futures
import datetime
import json
import tempfile
import threading
from collections.abc import Callable
from typing import Any

from ml_metadata.metadata_store import metadata_store

from fareline import recorded
from fareline.disk import disk_error
from fareline.errors import FarelineError
from fareline.recorded.texts import text_of
from runners.progress import NodeResult, NodeState
from runners.replay.containers import ContainerRun, type_name
from runners.replay.inputs import Finished, Inputs, executor_input
from runners.replay.plan import SpecRun
from runners.replay.processes import Cancelled, Processes
from runners.replay.reading.conditions import decide
from runners.replay.reading.graph import Task
from runners.replay.reading.placeholders import Job
from runners.replay.recorder import Recorder, State
from runners.replay.resolver import import_artifact, resolve
from runners.scheduling import PARALLEL_NODES, Schedule

SUCCEEDED, FAILED, CANCELLED = "SUCCEEDED", "FAILED", "CANCELLED"
_ENDED = (NodeState.EXECUTED, NodeState.CACHED, NodeState.FAILED, NodeState.SKIPPED,
          NodeState.NOT_TRIGGERED)  # fmt: skip


class Execution:
    """One run, under way."""

    def __init__(
        self,
        run: SpecRun,
        store: metadata_store.MetadataStore,
        on_change: Callable[[NodeResult], None],
        cancel: threading.Event,
        results: dict[str, NodeResult],
    ):
        self._run, self._plan = run, run.plan
        self._cancel = cancel
        self._tasks = {task.name: task for task in run.plan.tasks}
        self._results = results
        self._schedule = Schedule(results, on_change)
        self._finished: dict[str, Finished] = {}
        self._inputs = Inputs(run.plan.values, self._finished, run.plan.uri_map, self._final_status)
        self._root = f"{run.plan.pipeline_root}/{run.run_id}"
        self._started = datetime.datetime.now(datetime.timezone.utc)
        self.recorder = Recorder(
            store,
            run.plan.document.pipeline,
            run.run_id,
            {**run.properties, recorded.NODES: text_of(list(self._tasks))},
            run.code_version,
        )
        log = run.workspace.logs_dir / f"{run.run_id}.preload.log"
        self._processes = Processes(run.plan.modules(), log, cancel)

    def run(self) -> str:
        """Runs all tasks; returns the state of the whole."""
        waits_for = {name: sum(task.after.values(), ()) for name, task in self._tasks.items()}
        with self._processes, concurrent.futures.ThreadPoolExecutor(PARALLEL_NODES) as pool:
            try:
                self._schedule.run(pool, waits_for, self._ready, self._do_or_cancel)
            except BaseException:
                self._cancel.set()  # the pool waits for its threads, and these for their commands
                raise
        state = SUCCEEDED
        if self._cancel.is_set():
            state = CANCELLED
        elif any(r.state in (NodeState.FAILED, NodeState.SKIPPED) for r in self._results.values()):
            state = FAILED
        return state

    def _ready(self) -> list[str]:
        """Tasks that may start now; those that never will are marked as skipped."""
        ready, changed = [], True
        while changed:
            changed = False
            for name, task in self._tasks.items():
                if self._results[name].state is not NodeState.WAITING or name in ready:
                    continue
                verdict = self._verdict(task)
                if verdict is NodeState.RUNNING:
                    ready.append(name)
                elif verdict is not NodeState.WAITING:
                    self._schedule.set_state(name, verdict)
                    changed = True
        return ready

    def _verdict(self, task: Task) -> NodeState:
        """What becomes of a task that has not started: running, waiting, or one that never does."""
        if self._cancel.is_set():
            return NodeState.SKIPPED
        failed = any(r.state is NodeState.FAILED for r in self._results.values())
        if failed and self._plan.document.fail_fast and not task.always:
            return NodeState.SKIPPED
        states = {
            name: [self._results[leaf].state for leaf in leaves]
            for name, leaves in task.after.items()
        }
        if not task.always:
            for name, found in states.items():
                if NodeState.FAILED in found or NodeState.SKIPPED in found:
                    return NodeState.SKIPPED
                if NodeState.NOT_TRIGGERED in found and name in self._tasks:
                    return NodeState.NOT_TRIGGERED
        if all(state in _ENDED for found in states.values() for state in found):
            return NodeState.RUNNING
        return NodeState.WAITING

    def _do_or_cancel(self, name: str) -> NodeState:
        try:
            return self._do(self._tasks[name])
        except Cancelled as error:
            self._results[name].error = error
            return NodeState.SKIPPED
        except Exception as error:
            known = disk_error(error, [self._root, tempfile.gettempdir()])
            if known is None:
                raise
            raise known from error

    def _do(self, task: Task) -> NodeState:
        job = Job(
            self._run.run_id,
            task.name,
            self._plan.pipeline_root,
            self._started.isoformat(timespec="seconds"),
        )
        given = self._inputs.of(task, job)
        condition = task.spec.trigger_policy.condition
        if condition and not decide(condition, executor_input(task, given).inputs):
            return NodeState.NOT_TRIGGERED
        kind = task.executor.WhichOneof("spec")
        if kind != "container":
            self._finished[task.name] = self._look(task, given, job)
            return NodeState.EXECUTED
        container = ContainerRun(
            self._plan.document.pipeline,
            task,
            given,
            job,
            self._root,
            self.recorder,
            self._processes,
            self._plan.uri_map,
            self._run.use_cache,
            self._cancel,
        )
        self._finished[task.name], cached = container.run()
        return NodeState.CACHED if cached else NodeState.EXECUTED

    def _look(self, task: Task, given, job: Job) -> Finished:
        """Runs an importer or a resolver, which need no container."""
        execution_id = self.recorder.start(
            task.name, type_name(task), given.parameters, given.artifacts
        )
        is_resolver = task.executor.WhichOneof("spec") == "resolver"
        try:
            if is_resolver:
                found = resolve(task, given, self.recorder, job)
            else:
                found = import_artifact(task, given, self.recorder, self._plan.uri_map)
        except FarelineError:
            self.recorder.finish(execution_id, State.FAILED)
            raise
        return Finished(
            self.recorder.finish(execution_id, State.COMPLETE, found, internal=is_resolver)
        )

    def _final_status(self, name: str) -> str:
        """What an exit handler is told of a task, or of the pipeline that it belongs to.

        Source: PipelineTaskFinalStatus of the specification; TFX passes it as JSON text.
        """
        results = [r for n, r in self._results.items() if n == name or n.startswith(f"{name}.")]
        errors = [f"{r.name}: {r.error}" for r in results if r.error is not None]
        bad = errors or any(r.state is NodeState.SKIPPED for r in results)
        content: dict[str, Any] = {
            "state": FAILED if bad else SUCCEEDED,
            "pipelineJobName": self._run.run_id,
            "pipelineJobResourceName": self._run.run_id,
            "pipelineTaskName": name,
        }
        if errors:
            content["error"] = {"code": 2, "message": errors[0]}
        return json.dumps(content)
