"""Compiles the graph of a run, and launches single nodes of it by TFX's own `Launcher`.

Used by LocalRunner, which runs all of them in one process, and by `runners.steps`, where each node
has a process of its own. Imports TFX.
"""

import contextlib
import glob
import os
import tempfile
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from absl import logging
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import data_types, launcher, runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from fareline import recorded
from fareline.disk import bytes_of, disk_error, room_at
from fareline.recorded.texts import text_of
from lineage.store.open import adapt, connect
from runners.local.failures import record_failure
from runners.local.node_logs import NodeLogs
from runners.progress import NodeState
from runners.provenance import Provenance

if TYPE_CHECKING:
    from runners.beam.profiles import MakePipeline

_RUN_CONTEXT_TYPE = constants.PIPELINE_RUN_CONTEXT_TYPE_NAME

_FINAL_STATES = {
    metadata_store_pb2.Execution.COMPLETE: NodeState.EXECUTED,
    metadata_store_pb2.Execution.CACHED: NodeState.CACHED,
}


class Lock(Protocol):
    """Lock of a store: one thread at a time, reentrant."""

    def acquire(self) -> object:
        """Waits until it is free."""

    def release(self) -> None:
        """Lets go of it."""

    def __enter__(self) -> object: ...

    def __exit__(self, *exception: object) -> None: ...


class SerializedMetadata(metadata.Metadata):
    """A connection that one thread at a time may hold: SQLite has one writer."""

    def __init__(self, connection: metadata_store_pb2.ConnectionConfig, lock: Lock):
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


def compile_run(
    pipeline: Pipeline, run_id: str, provenance: Provenance | None = None
) -> pipeline_pb2.Pipeline:
    """Compiles a pipeline for one run.

    Args:
        pipeline: From `create_pipeline`.
        run_id: Names the run in MLMD.
        provenance: Record of the run about itself.
    """
    compiled = compiler.Compiler().compile(pipeline)
    runtime_parameter_utils.substitute_runtime_parameter(
        compiled, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
    )
    if provenance is not None:
        add_provenance(compiled, provenance)
    return compiled


def nodes_of(compiled: pipeline_pb2.Pipeline) -> dict[str, pipeline_pb2.PipelineNode]:
    """The nodes by their ids, in DAG order."""
    return {n.pipeline_node.node_info.id: n.pipeline_node for n in compiled.nodes}


def planned_nodes(compiled: pipeline_pb2.Pipeline) -> list[str]:
    """The nodes that are to run, or whose artifacts are reused; all but in a partial run."""
    never = pipeline_pb2.NodeExecutionOptions.Skip.NEVER
    options = {name: node.execution_options for name, node in nodes_of(compiled).items()}
    return [
        n for n, o in options.items() if not _is_skipped(o) or o.skip.reuse_artifacts_mode != never
    ]


def reused_nodes(compiled: pipeline_pb2.Pipeline) -> list[str]:
    """Those of them that do not run."""
    nodes = nodes_of(compiled)
    return [n for n in planned_nodes(compiled) if _is_skipped(nodes[n].execution_options)]


def _is_skipped(options: pipeline_pb2.NodeExecutionOptions) -> bool:
    return options.HasField("skip")


class NodeLauncher:
    """Launches nodes of one run.

    Args:
        compiled: From `compile_run`.
        connection: To the store.
        must_execute: Asked before a node is launched whether its cached outputs, if there are any,
            may not be used.
        node_logs: Logs of the nodes; None: no logs.
        lock: Held whenever the store is used; None: one for the threads of this process.
        beam_pipelines: Beam pipelines of nodes, what makes their Beam pipelines, where it is not
            TFX.
    """

    def __init__(
        self,
        compiled: pipeline_pb2.Pipeline,
        connection: metadata_store_pb2.ConnectionConfig,
        must_execute: Callable[[str], bool] = lambda name: False,
        node_logs: NodeLogs | None = None,
        lock: Lock | None = None,
        beam_pipelines: Mapping[str, "MakePipeline"] | None = None,
    ):
        self.compiled = compiled
        self.nodes = nodes_of(compiled)
        self.connection = connection
        self.lock = lock if lock is not None else threading.RLock()
        self._deployment = runner_utils.extract_local_deployment_config(compiled)
        self._must_execute = must_execute
        self._node_logs = node_logs
        self._beam_pipelines = beam_pipelines or {}

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return self.compiled.runtime_spec.pipeline_run_id.field_value.string_value

    def launch(self, name: str) -> NodeState:
        """Launches a node; what it fails with is logged, recorded and raised."""
        with self._node_logs.of(name) if self._node_logs else contextlib.nullcontext():
            try:
                return self._launch_or_explain(name)
            except Exception as error:
                logging.error("node %s failed", name, exc_info=error)
                self.record_failure(name, error)
                raise

    def _launch_or_explain(self, name: str) -> NodeState:
        try:
            return self._launch(name)
        except Exception as error:
            root = self.compiled.runtime_spec.pipeline_root.field_value.string_value
            known = disk_error(error, [root, tempfile.gettempdir()], _took_before(root, name))
            if known is None:
                raise
            raise known from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it leaves by is its result
            # sys.exit() in the user's code, which would end the run with no word and any code.
            raise RuntimeError(_left_by(error)).with_traceback(error.__traceback__) from None

    def record_failure(self, name: str, error: Exception) -> None:
        """Records what a node failed with; what cannot be recorded is in the log."""
        pipeline = self.compiled.pipeline_info.id
        try:
            with self.lock:
                record_failure(connect(self.connection), pipeline, self.run_id, name, error)
        except (errors.StatusError, RuntimeError) as unrecorded:
            logging.error("why %s failed was not recorded: %s", name, unrecorded)

    def _launch(self, name: str) -> NodeState:
        node = self.nodes[name]
        if self._must_execute(name):
            node.execution_options.caching_options.enable_cache = False
        return self.final_state(self.launcher_of(name).launch())

    def final_state(self, info: data_types.ExecutionInfo | None) -> NodeState:
        """The state of a node that was launched.

        Args:
            info: What its launcher returned.

        Raises:
            RuntimeError: Its inputs were not there, or it did not end well.
        """
        if info is None or not info.execution_id:
            raise RuntimeError("its inputs were not there; expected outputs of the nodes before it")
        with SerializedMetadata(self.connection, self.lock) as handle:
            [execution] = handle.store.get_executions_by_id([info.execution_id])
        if execution.last_known_state not in _FINAL_STATES:
            # A launcher that cannot resolve inputs records the failure and returns quietly.
            raise RuntimeError(_recorded_error(execution))
        return _FINAL_STATES[execution.last_known_state]

    def launcher_of(
        self, name: str, kind: type[launcher.Launcher] = launcher.Launcher
    ) -> launcher.Launcher:
        """TFX's launcher of a node.

        Args:
            name: Name of the node.
            kind: Its class.
        """
        return kind(
            pipeline_node=self.nodes[name],
            mlmd_connection=SerializedMetadata(self.connection, self.lock),
            pipeline_info=self.compiled.pipeline_info,
            pipeline_runtime_spec=self.compiled.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(self._deployment, name),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(self._deployment, name),
            custom_executor_operators=self._operators(name),
        )

    def _operators(self, name: str) -> Mapping[Any, Any] | None:
        if name not in self._beam_pipelines:
            return None
        from runners.beam.profiles import operators

        return operators(name, self._beam_pipelines[name])


def add_provenance(compiled: pipeline_pb2.Pipeline, provenance: Provenance) -> None:
    """Has TFX write what is known of a run together with the run's context.

    TFX creates that context when the first node starts, which is one that waits for no other; the
    rest are spared the text, since each node's specification is logged. Contexts are no part of the
    cache key.
    """
    nodes = nodes_of(compiled)
    properties = {**provenance.properties, recorded.NODES: text_of(planned_nodes(compiled))}
    for node in nodes.values():
        for context in node.contexts.contexts:
            if context.type.name == _RUN_CONTEXT_TYPE and not node.upstream_nodes:
                for name, value in properties.items():
                    data_types_utils.set_metadata_value(context.properties[name].field_value, value)
        version = node.contexts.contexts.add()
        version.type.name = recorded.CODE_CONTEXT_TYPE
        version.name.field_value.string_value = provenance.code_version


def _took_before(root: str, node: str) -> int | None:
    """What the outputs of a node took in earlier runs, at most; None if as much is free.

    Args:
        root: Root folder of the pipeline's artifacts.
        node: Its id.
    """
    sizes = [
        max((bytes_of(each) for each in glob.glob(f"{glob.escape(output)}/*")), default=0)
        for output in glob.glob(os.path.join(glob.escape(root), node, "*"))
    ]
    room = room_at(root)
    return sum(sizes) if room is not None and sum(sizes) > room.free else None


def _left_by(error: BaseException) -> str:
    exits = isinstance(error, SystemExit)
    left = f"called sys.exit({error.code!r})" if exits else f"raised {error!r}"
    return f"the code of the node {left}; expected it to return, or to raise an Exception"


def _recorded_error(execution: metadata_store_pb2.Execution) -> str:
    recorded = execution.custom_properties["__execution_result__"].string_value
    return recorded or "TFX recorded no reason"
