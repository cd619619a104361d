"""LocalRunner: executes a pipeline in this process, independent nodes side by side.

TFX's LocalDagRunner runs strictly one node after the other and reports no progress. Here
every node is launched by TFX's own `Launcher`, as there; what is ours is the order, two at a time
(Evaluator beside InfraValidator) and first those that most nodes wait behind, the states for the
live table, what the run records about itself (`runners.provenance`), and that nothing is left
marked as running in the store. Imports TFX.
"""

import concurrent.futures
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from absl import logging
from ml_metadata import errors
from tfx.orchestration.pipeline import Pipeline

from fareline import recorded
from fareline.recorded.data import sample_of
from fareline.recorded.texts import text_of
from lineage.graph.graph import Graph
from lineage.store.open import connect
from runners.abandoned import fail_abandoned_executions
from runners.ending import record_end
from runners.local.launching import (
    NodeLauncher,
    SerializedMetadata,
    add_provenance,
    compile_run,
    planned_nodes,
    reused_nodes,
)
from runners.local.node_logs import NodeLogs
from runners.local.partial_runs import mark_part, reuse
from runners.part import Part
from runners.progress import NodeResult, NodeState
from runners.provenance import Provenance
from runners.scheduling import PARALLEL_NODES, Schedule

if TYPE_CHECKING:
    from runners.beam.profiles import MakePipeline


class LocalRunner:
    """Runs one pipeline once.

    Args:
        pipeline: From `create_pipeline`, with a metadata connection.
        run_id: Names the run in MLMD.
        on_change: Called with a node's result whenever its state changes, from any thread.
        must_execute: Asked before a node is launched whether its cached outputs, if there are any,
            may not be used.
        provenance: Record of the run about itself.
        node_logs: Logs of the nodes; None: no logs.
        unfinished_runs: This run and those of its workspace that were killed, in a store that
            others write to as well; None if the store is this workspace's alone.
        part: Part of the graph to run; None: the whole graph.
        beam_pipelines: Beam pipelines of nodes, what makes their Beam pipelines, where it is not
            TFX.

    Raises:
        UserMistake: There is no such part, or no run that it can go on from.
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
        part: Part | None = None,
        beam_pipelines: Mapping[str, "MakePipeline"] | None = None,
    ):
        self._run_id = run_id
        self._connection = pipeline.metadata_connection_config
        self._compiled = compile_run(pipeline, run_id)
        if part is not None:
            provenance = self._mark(part, provenance)
        if provenance is not None:
            add_provenance(self._compiled, provenance)
        self._launcher = NodeLauncher(
            self._compiled,
            self._connection,
            must_execute,
            node_logs,
            beam_pipelines=beam_pipelines,
        )
        self._metadata_lock = self._launcher.lock
        self._unfinished_runs = unfinished_runs
        self.node_logs = node_logs
        planned = planned_nodes(self._compiled)
        self._nodes = {name: self._launcher.nodes[name] for name in planned}
        self.results = {name: NodeResult(name) for name in self._nodes}
        self._schedule = Schedule(self.results, on_change)

    def run(self) -> list[NodeResult]:
        """Runs all nodes; after a failure starts no further one.

        Returns:
            One result per node, in DAG order. Failures are in there, not raised.
        """
        fail_abandoned_executions(self._connection, self._unfinished_runs)
        self._reuse()
        pool = concurrent.futures.ThreadPoolExecutor(PARALLEL_NODES, "node")
        upstream = {name: node.upstream_nodes for name, node in self._nodes.items()}
        try:
            self._schedule.run(pool, upstream, self._ready, self._launcher.launch)
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

    def _mark(self, part: Part, provenance: Provenance | None) -> Provenance | None:
        """Marks the part that is to run; returns the provenance with what was asked for."""
        sample = sample_of(provenance) if provenance is not None else None
        marked = mark_part(self._compiled, part, Graph(connect(self._connection)), sample)
        if provenance is None:
            return None
        said = {
            recorded.FROM_NODES: text_of(list(part.from_nodes)),
            recorded.TO_NODES: text_of(list(part.to_nodes)),
            recorded.REUSED_RUN: marked.reused_run,
        }
        return dataclasses.replace(provenance, properties={**provenance.properties, **said})

    def _reuse(self) -> None:
        """Records what a partial run takes from an earlier one."""
        reused = reused_nodes(self._compiled)
        if reused:
            with SerializedMetadata(self._connection, self._metadata_lock) as handle:
                reuse(handle, self._compiled)
        for name in reused:
            self._schedule.set_state(name, NodeState.CACHED)

    def record_failures(self) -> None:
        """Records failures that could not be recorded earlier because the disk was full."""
        for name, result in self.results.items():
            if isinstance(result.error, Exception):
                self._launcher.record_failure(name, result.error)

    def record_end(self, outcome: str) -> None:
        """Adds to the run's context how it ended, and when; if it ever got one.

        After an interrupt only the thread that called `run` may call this.

        Args:
            outcome: See `fareline.recorded.OUTCOME`.
        """
        with self._metadata_lock:
            try:
                record_end(connect(self._connection), self._run_id, outcome)
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
