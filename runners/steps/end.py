"""`fareline step end`: reads and records the outcome of a run of single steps. Imports no TFX."""

import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING

from fareline.errors import FarelineError
from runners.abandoned import fail_abandoned_executions
from runners.ending import record_end
from runners.progress import NodeResult, NodeState, output_to
from runners.steps.claims import claimed
from runners.steps.frozen import FrozenRun, StepFiles
from runners.steps.step import connect_store, store_lock
from runners.workspace import Workspace

if TYPE_CHECKING:
    from runners.outcome.summary import Outcome

_KILLED = "it was killed, or is not recorded"


class StepFailed(FarelineError, RuntimeError):
    """The failure of a node in another process."""


def end_run(workspace: Workspace, run_id: str) -> "Outcome":
    """Records how a run ended, whatever of it has run; more than once is the last time.

    Raises:
        UserMistake: There is no such run.
        TryLater: A step of it is at work, a whole run is using the workspace, or the server of the
            store does not answer.
    """
    files = StepFiles(workspace, run_id)
    run = files.read()
    log_path = workspace.logs_dir / f"{run_id}.log"
    with contextlib.ExitStack() as stack:
        stack.enter_context(workspace.shared())
        for node in run.upstream:
            stack.enter_context(claimed(files.claim_path(node), f"{node} of {run_id}"))
        stack.enter_context(output_to(log_path))
        stack.enter_context(store_lock(workspace))
        return _end(workspace, files, run, log_path)


def _end(workspace: Workspace, files: StepFiles, run: FrozenRun, log_path) -> "Outcome":
    from lineage.store.open import connect
    from runners.outcome.page import write_page
    from runners.outcome.summary import read_outcome

    connection = connect_store(workspace)
    fail_abandoned_executions(connection, [run.run_id])
    store = connect(connection)
    nodes = _results(files, run, store)
    seconds = time.time() - run.began
    outcome = read_outcome(run.run_id, nodes, store, workspace, log_path, seconds)
    record_end(store, run.run_id, outcome.status)
    return dataclasses.replace(outcome, page=write_page(store, run.run_id, workspace))


def _results(files: StepFiles, run: FrozenRun, store) -> list[NodeResult]:
    from lineage.graph.graph import Graph

    recorded = {e.place.node: e.state for e in Graph(store).executions_of_run(run.run_id)}
    return [_result(files, node, recorded.get(node)) for node in run.upstream]


def _result(files: StepFiles, node: str, recorded: str | None) -> NodeResult:
    """What a node left in its file; of a killed one there is an execution alone."""
    result = files.result(node)
    if result is None:
        if recorded is None:
            return NodeResult(node, NodeState.SKIPPED)
        return NodeResult(node, NodeState.FAILED, error=StepFailed(_KILLED))
    if result.gate and result.gate != node:
        return NodeResult(node, NodeState.SKIPPED)
    error = StepFailed(result.error) if result.error else None
    return NodeResult(node, NodeState(result.state), result.seconds, error)
