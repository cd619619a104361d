"""LocalRunner: executes a pipeline in this process, independent nodes side by side.

TFX's LocalDagRunner runs strictly one node after the other and tells nobody how far it is. Here
every node is launched by TFX's own `Launcher`, as there; what is ours is the order, two at a time
(Evaluator beside InfraValidator) and first those that most nodes wait behind, the states for the
live table, what the run records about itself (`runners.provenance`), and that nothing is left
marked as running in the store. Imports TFX.
"""

import concurrent.futures
import contextlib
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from absl import logging
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from fareline import recorded
from fareline.disk import disk_error
from fareline.recorded.texts import text_of
from lineage.store.open import adapt, connect
from runners.abandoned import fail_abandoned_executions
from runners.local.failures import record_failure
from runners.local.node_logs import NodeLogs
from runners.progress import NodeResult, NodeState
from runners.provenance import Provenance
from runners.scheduling import PARALLEL_NODES, Schedule

_RUN_CONTEXT_TYPE = constants.PIPELINE_RUN_CONTEXT_TYPE_NAME

_FINAL_STATES = {
    metadata_store_pb2.Execution.COMPLETE: NodeState.EXECUTED,
    metadata_store_pb2.Execution.CACHED: NodeState.CACHED,
}


class _SerializedMetadata(metadata.Metadata):
    """A connection that one thread at a time may hold: SQLite has one writer."""

    def __init__(self, connection: metadata_store_pb2.ConnectionConfig, lock: threading.RLock):
        super().__init__(connection)
        self._lock = lock

    def __enter__(self):
        self._lock.acquire()
        try:
            super().__enter__()
        except BaseException:
            self._lock.release()
            raise
        adapt(self._store, self._connection_config)
        return self

    def __exit__(self, *exception):
        try:
            return super().__exit__(*exception)
        finally:
            self._lock.release()


class LocalRunner:
    """Runs one pipeline once.

    Args:
        pipeline: From `create_pipeline`, with a metadata connection.
        run_id: Names the run in MLMD.
        on_change: Called with a node's result whenever its state changes, from any thread.
        must_execute: Asked before a node is launched whether its cached outputs, if there are any,
            may not be used.
        provenance: What the run records about itself.
        node_logs: Where what each node says is written, if anywhere.
        unfinished_runs: This run and those of its workspace that were killed, in a store that
            others write to as well; None if the store is this workspace's alone.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        run_id: str,
        on_change: Callable[[NodeResult], None] = lambda result: None,
        must_execute: Callable[[str], bool] = lambda name: False,
        provenance: Provenance | None = None,
        node_logs: NodeLogs | None = None,
        unfinished_runs: Sequence[str] | None = None,
    ):
        self._run_id = run_id
        self._ir = compiler.Compiler().compile(pipeline)
        runtime_parameter_utils.substitute_runtime_parameter(
            self._ir, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
        )
        self._deployment = runner_utils.extract_local_deployment_config(self._ir)
        self._connection = pipeline.metadata_connection_config
        self._metadata_lock = threading.RLock()
        self._must_execute = must_execute
        self._unfinished_runs = unfinished_runs
        self.node_logs = node_logs
        self._nodes = {n.pipeline_node.node_info.id: n.pipeline_node for n in self._ir.nodes}
        self.results = {name: NodeResult(name) for name in self._nodes}
        self._schedule = Schedule(self.results, on_change)
        if provenance is not None:
            _add_provenance(self._nodes, provenance)

    def run(self) -> list[NodeResult]:
        """Runs all nodes; after a failure starts no further one.

        Returns:
            One result per node, in DAG order. Failures are in there, not raised.
        """
        fail_abandoned_executions(self._connection, self._unfinished_runs)
        pool = concurrent.futures.ThreadPoolExecutor(PARALLEL_NODES, "node")
        upstream = {name: node.upstream_nodes for name, node in self._nodes.items()}
        try:
            self._schedule.run(pool, upstream, self._ready, self._launch_or_log)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            # Never released: a node that is still at work may not record anything any more.
            self._metadata_lock.acquire()
            fail_abandoned_executions(self._connection, self._unfinished_runs)
            raise
        pool.shutdown()
        for name, result in self.results.items():
            if result.state is NodeState.WAITING:
                self._schedule.set_state(name, NodeState.SKIPPED)
        return list(self.results.values())

    def record_failures(self) -> None:
        """Records what could not be recorded when it failed, for want of room."""
        for name, result in self.results.items():
            if isinstance(result.error, Exception):
                self._record_failure(name, result.error)

    def record_end(self, outcome: str) -> None:
        """Adds to the run's context how it ended, and when; if it ever got one.

        After an interrupt only the thread that called `run` may call this.

        Args:
            outcome: See `fareline.recorded.OUTCOME`.
        """
        with self._metadata_lock:
            try:
                store = connect(self._connection)
                context = store.get_context_by_type_and_name(_RUN_CONTEXT_TYPE, self._run_id)
                if context is not None:
                    context.custom_properties[recorded.OUTCOME].string_value = outcome
                    now = str(round(time.time() * 1000))
                    context.custom_properties[recorded.ENDED].string_value = now
                    store.put_contexts([context])
            except (errors.StatusError, RuntimeError) as error:  # the constructor's RuntimeError
                # Too late to fail: the model may be live. The log has it, and readers see a run
                # that does not say how it ended.
                logging.error("the end of %s was not recorded: %s", self._run_id, error)

    def _ready(self) -> list[str]:
        """Nodes that wait for nothing any more, in DAG order; none once a node has failed."""
        states = {name: result.state for name, result in self.results.items()}
        if NodeState.FAILED in states.values():
            return []
        done = {name for name, state in states.items() if state.is_success}
        return [
            name
            for name, node in self._nodes.items()
            if states[name] is NodeState.WAITING and done.issuperset(node.upstream_nodes)
        ]

    def _launch_or_log(self, name: str) -> NodeState:
        with self.node_logs.of(name) if self.node_logs else contextlib.nullcontext():
            try:
                return self._launch_or_explain(name)
            except Exception as error:
                logging.error("node %s failed", name, exc_info=error)
                self._record_failure(name, error)
                raise

    def _launch_or_explain(self, name: str) -> NodeState:
        try:
            return self._launch(name)
        except Exception as error:
            places = [self._ir.runtime_spec.pipeline_root.field_value.string_value]
            known = disk_error(error, [*places, tempfile.gettempdir()])
            if known is None:
                raise
            raise known from error

    def _record_failure(self, name: str, error: Exception) -> None:
        pipeline = self._ir.pipeline_info.id
        try:
            with self._metadata_lock:
                record_failure(connect(self._connection), pipeline, self._run_id, name, error)
        except (errors.StatusError, RuntimeError) as unrecorded:
            logging.error("why %s failed was not recorded: %s", name, unrecorded)

    def _launch(self, name: str) -> NodeState:
        node = self._nodes[name]
        if self._must_execute(name):
            node.execution_options.caching_options.enable_cache = False
        connection = _SerializedMetadata(self._connection, self._metadata_lock)
        info = launcher.Launcher(
            pipeline_node=node,
            mlmd_connection=connection,
            pipeline_info=self._ir.pipeline_info,
            pipeline_runtime_spec=self._ir.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(self._deployment, name),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(self._deployment, name),
        ).launch()
        if info is None or not info.execution_id:
            raise RuntimeError("its inputs were not there; expected outputs of the nodes before it")
        with connection as handle:
            [execution] = handle.store.get_executions_by_id([info.execution_id])
        if execution.last_known_state not in _FINAL_STATES:
            # A launcher that cannot resolve inputs records the failure and returns quietly.
            raise RuntimeError(_recorded_error(execution))
        return _FINAL_STATES[execution.last_known_state]


def _add_provenance(nodes: Mapping[str, pipeline_pb2.PipelineNode], provenance: Provenance) -> None:
    """Has TFX write what is known of a run together with the run's context.

    TFX creates that context when the first node starts, which is one that waits for no other; the
    rest are spared the text, since each node's specification is logged. Contexts are no part of the
    cache key.
    """
    properties = {**provenance.properties, recorded.NODES: text_of(list(nodes))}
    for node in nodes.values():
        for context in node.contexts.contexts:
            if context.type.name == _RUN_CONTEXT_TYPE and not node.upstream_nodes:
                for name, value in properties.items():
                    data_types_utils.set_metadata_value(context.properties[name].field_value, value)
        version = node.contexts.contexts.add()
        version.type.name = recorded.CODE_CONTEXT_TYPE
        version.name.field_value.string_value = provenance.code_version


def _recorded_error(execution: metadata_store_pb2.Execution) -> str:
    recorded = execution.custom_properties["__execution_result__"].string_value
    return recorded or "TFX recorded no reason"
