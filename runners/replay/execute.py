"""Executes a plan as its platform would, recorded in ML Metadata as a run on a laptop is.

Imports no TFX: that happens in the processes of the steps. Callable from any process and any
thread; of one workspace, one run at a time.
"""

import dataclasses
import datetime
import threading
from collections.abc import Callable, Sequence

from ml_metadata.metadata_store import metadata_store

from lineage.facts.models import BLESSINGS, is_blessed
from lineage.facts.pushes import PUSHED_MODEL
from lineage.facts.runs import outputs_of_run
from lineage.graph.graph import Graph
from lineage.store.open import connect, connect_for_run
from runners.abandoned import fail_abandoned_executions
from runners.passwords import store_passwords
from runners.progress import NodeResult
from runners.replay.plan import SpecRun
from runners.replay.schedule import CANCELLED, FAILED, SUCCEEDED, Execution


@dataclasses.dataclass(frozen=True)
class SpecResult:
    """The result of a run of a specification.

    Attributes:
        run_id: In ML Metadata.
        state: `SUCCEEDED`, `FAILED` or `CANCELLED`.
        nodes: One result per task, in order.
    """

    run_id: str
    state: str
    nodes: list[NodeResult]


def new_run_id() -> str:
    """A run id by the clock, as local runs have it."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("run-%Y%m%d-%H%M%S-%f")


def run_spec(
    run: SpecRun,
    on_change: Callable[[NodeResult], None] = lambda result: None,
    cancel: threading.Event | None = None,
    results: dict[str, NodeResult] | None = None,
) -> SpecResult:
    """Executes a plan to its end, and records how it ended.

    Args:
        run: Run to execute; the caller holds the lock of its workspace.
        on_change: Called with a task's result whenever its state changes, from any thread.
        cancel: Set it from any thread, and what runs is ended.
        results: From `run.results()`, for a display that shows them from the start.

    Returns:
        How it went; failures are in there, not raised.
    """
    if results is None:
        results = run.results()
    unfinished = run.workspace.note_run(run.run_id)
    location = run.workspace.store_location
    connection = connect_for_run(location, store_passwords())
    if "://" in location:  # others may be at work in a server's store
        fail_abandoned_executions(connection, unfinished)
    elif run.workspace.metadata_path.is_file():
        fail_abandoned_executions(connection)
    store = connect(connection)
    execution = Execution(run, store, on_change, cancel or threading.Event(), results)
    try:
        state = execution.run()
    except BaseException:
        execution.recorder.end("interrupted")
        raise
    if state == FAILED:  # for want of room, maybe
        run.workspace.give_back_reserve()
        fail_abandoned_executions(connection, [run.run_id])
    execution.recorder.end(_outcome(state, store, run.run_id, list(results.values())))
    run.workspace.forget_runs()
    return SpecResult(run.run_id, state, list(results.values()))


def _outcome(
    state: str, store: metadata_store.MetadataStore, run_id: str, nodes: Sequence[NodeResult]
) -> str:
    """The run's end by the names of `fareline.recorded.OUTCOME`."""
    if state != SUCCEEDED:
        return "interrupted" if state == CANCELLED else "failed"
    outputs = outputs_of_run(Graph(store), run_id)
    made = [a for keys in outputs.values() for artifacts in keys.values() for a in artifacts]
    pushed = [artifact for artifact in made if artifact.type == PUSHED_MODEL]
    if not pushed:
        held_back = any(node.held_back for node in nodes)
        refused = any(a.type in BLESSINGS and is_blessed(a) is False for a in made)
        return "refused" if held_back and refused else "completed"
    return "pushed" if any(a.properties.get("pushed") for a in pushed) else "refused"
