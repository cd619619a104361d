"""`fareline step run`: launches one node of a run that has begun, in this process.

What it may do is decided from files, before TFX is imported: a node that is done is done, one
behind a gate that stopped the run is blocked, one whose inputs are missing is refused.
"""

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from fareline import collector
from fareline.errors import TryLater, UserMistake
from fareline.recorded.data import sample_of
from pipeline.settings.running.beam import Beam
from runners.own_code import choose_keras_3
from runners.passwords import store_passwords
from runners.progress import NodeState, output_to
from runners.steps.claims import STORE_SECONDS, StoreLock, claimed
from runners.steps.frozen import (
    GATES,
    FrozenRun,
    StepFiles,
    StepResult,
    require_node,
    require_same_code,
)
from runners.workspace import Workspace

DONE, FAILED, REFUSED, BLOCKED = 0, 1, 3, 10
BLOCKED_STATE = "blocked"
UNFINISHED = "unfinished"  # of a call that did not bring its node to an end
_PUSHER = "Pusher"
_RESULT = "__execution_result__"  # of an execution; source: tfx…portable.mlmd.execution_lib


def exit_code_of(result: StepResult) -> int:
    """0 done or cached, 1 failed, 3 no model was pushed, 10 stopped by a gate, here or before."""
    if result.gate:
        return BLOCKED
    if result.refused:
        return REFUSED
    return DONE if result.is_success else FAILED


def run_step(workspace: Workspace, run_id: str, node: str) -> StepResult:
    """Runs a node, unless it is done or may not run.

    Args:
        workspace: Workspace in which the run has begun.
        run_id: Id of the run.
        node: Its id.

    Returns:
        How it ended, failures included.

    Raises:
        UserMistake: There is no such run or node, its inputs are missing, or the code has changed.
        TryLater: Another process is at work on the node, a whole run is using the workspace, or the
            server of the store does not answer.
    """
    files = StepFiles(workspace, run_id)
    run = files.read()
    require_node(run, node)
    require_same_code(run)
    with workspace.shared(), claimed(files.claim_path(node), f"{node} of {run_id}"):
        known = files.result(node)
        if known is not None and known.is_success:
            return known
        files.forget_result(node)
        gate = _gate_before(files, run, node)
        if gate is not None:
            result = StepResult(run_id, node, BLOCKED_STATE, gate=gate)
        else:
            with output_to(workspace.logs_dir / f"{run_id}.log"):
                result = _launch(workspace, files, run, node)
        files.note_result(result)
        return result


def _gate_before(files: StepFiles, run: FrozenRun, node: str) -> str | None:
    """The gate before a node that has stopped the run, if one has.

    Raises:
        UserMistake: A node before it has not ended well, for another reason.
    """
    missing = []
    for before in run.upstream[node]:
        result = files.result(before)
        if result is not None and result.gate:
            return result.gate
        if result is None or not result.is_success:
            missing.append(f"{before} {'has not run' if result is None else 'has failed'}")
    if missing:
        raise UserMistake.explain(
            node,
            ", ".join(missing),
            "expected what it waits for to be done",
            f"run that first: `fareline step run {missing[0].split()[0]} --run {run.run_id}`",
        )
    return None


def _launch(workspace: Workspace, files: StepFiles, run: FrozenRun, node: str) -> StepResult:
    choose_keras_3()
    with collector.paused():
        from absl import logging

        from runners.beam.engine import run_beam_in_process
        from runners.local.node_logs import NodeLogs
        from runners.outcome.summary import describe_error, place_of

    logging.set_verbosity(logging.INFO)
    run_beam_in_process()
    connection = connect_store(workspace)
    lock = store_lock(workspace)
    node_logs = NodeLogs(workspace.logs_dir / run.run_id)
    launcher = _launcher(workspace, files, run, connection, lock, node_logs)
    start = time.monotonic()
    error, refused = None, False
    with node_logs.attached(), _pushing(workspace, run, node, lock):
        _start_afresh(launcher, node)
        try:
            state = launcher.launch(node)
            refused = node == _PUSHER and not _has_pushed(launcher)
        except TryLater:
            raise
        except Exception as failure:  # noqa: BLE001 - whatever a node fails with is its result
            if "://" in workspace.store_location:  # without its server it is no failure of the node
                with contextlib.suppress(UserMistake):
                    connect_store(workspace)
            state, error = NodeState.FAILED, failure
    return StepResult(
        run.run_id,
        node,
        state.value,
        round(time.monotonic() - start, 3),
        gate=node if error is not None and node in GATES and _is_decision(error) else None,
        refused=refused,
        error=describe_error(error) if error else None,
        place=place_of(error) if error else None,
    )


def _launcher(workspace, files: StepFiles, run: FrozenRun, connection, lock, node_logs):
    from tfx.proto.orchestration import pipeline_pb2

    from lineage.store.open import open_store_in_place
    from runners.beam.profiles import pipelines_by_node
    from runners.local.launching import NodeLauncher
    from runners.local.publication import must_execute

    def is_not_cached(name: str) -> bool:
        def open_now():
            return open_store_in_place(workspace.store_location, store_passwords())

        with lock:
            return must_execute(name, open_now, run.run_id, run.push_dir, run.serving_sample)

    graph = pipeline_pb2.Pipeline.FromString(files.read_graph())
    engines = Beam.model_validate(run.beam)
    pipelines = pipelines_by_node(engines, run.own_packages, run.code_folder)
    return NodeLauncher(graph, connection, is_not_cached, node_logs, lock, pipelines)


def connect_store(workspace: Workspace):
    """Connects to the store of a run that has begun.

    Raises:
        TryLater: Its server, which answered when the run began, does not.
    """
    from lineage.store.open import connect_for_run
    from lineage.store.server import ServerDown

    try:
        return connect_for_run(workspace.store_location, store_passwords())
    except ServerDown as error:
        raise TryLater(str(error)) from error


def store_lock(workspace: Workspace) -> "StoreLock | threading.RLock":
    """Lock of the store of a workspace; a server orders its clients by itself."""
    if "://" in workspace.store_location:
        return threading.RLock()
    return StoreLock(workspace.store_lock_path)


@contextlib.contextmanager
def _pushing(workspace: Workspace, run: FrozenRun, node: str, lock) -> Iterator[None]:
    """While Pusher works: no other step pushes, and what a killed one has left is settled first."""
    if node != _PUSHER:
        yield
        return
    from runners.publishing.interrupted import settle, settle_own

    folders = [] if "://" in run.push_dir else [Path(run.push_dir)]
    with claimed(workspace.root / ".lock-pusher", f"{node} of {run.run_id}", STORE_SECONDS):
        with lock:
            settle(workspace, folders)
        yield
        with lock:
            settle_own(workspace, folders)


def _start_afresh(launcher, node: str) -> None:
    """Has an attempt that was killed, or failed, leave nothing to the next one.

    TFX takes the execution of the first attempt again, and its output folders as they are.
    """
    from ml_metadata import proto
    from tfx.orchestration.portable import outputs_utils

    from lineage.store.open import connect

    spec = launcher.nodes[node]
    resolver = outputs_utils.OutputsResolver(
        spec, launcher.compiled.pipeline_info, launcher.compiled.runtime_spec
    )
    with launcher.lock:
        store = connect(launcher.connection)
        for execution in _attempts(store, launcher, node):
            if execution.last_known_state in (proto.Execution.COMPLETE, proto.Execution.CACHED):
                continue
            artifacts = resolver.generate_output_artifacts(execution.id).values()
            folders = [artifact.uri for found in artifacts for artifact in found]
            folders.append(str(Path(resolver.get_executor_output_uri(execution.id)).parent))
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)
            execution.last_known_state = proto.Execution.RUNNING
            execution.custom_properties.pop(_RESULT, None)
            store.put_executions([execution])


def _attempts(store, launcher, node: str) -> list:
    """The executions of a node in this run."""
    from lineage.graph.graph import Graph

    found = Graph(store).executions_of_run(launcher.run_id)
    return [each.proto for each in found if each.place.node == node]


def _has_pushed(launcher) -> bool:
    """Whether the model was pushed, or is fine and of a sample."""
    from lineage.facts.runs import outputs_of_run
    from lineage.graph.graph import Graph
    from lineage.store.open import connect

    with launcher.lock:
        outputs = outputs_of_run(Graph(connect(launcher.connection)), launcher.run_id)
    pushed = outputs[_PUSHER]["pushed_model"]
    return any(a.properties.get("pushed") or sample_of(a) is not None for a in pushed)


def _is_decision(error: BaseException) -> bool:
    """Whether a gate failed because it decided so."""
    from schema.gate.anomalies import DataAnomalies

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, DataAnomalies):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
