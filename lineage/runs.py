"""The runs of a store: which nodes they had, how each ended, what each put out.

Works on any TFX store, by the contexts that TFX writes: `pipeline_run`, named by the run, and
`node`, named `PIPELINE.NODE`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

_STATES = {
    metadata_store_pb2.Execution.COMPLETE: "executed",
    metadata_store_pb2.Execution.CACHED: "cached",
    metadata_store_pb2.Execution.FAILED: "failed",
    metadata_store_pb2.Execution.CANCELED: "failed",
    metadata_store_pb2.Execution.RUNNING: "running",
}


@dataclasses.dataclass(frozen=True)
class NodeRun:
    """One execution of one node in a run.

    Attributes:
        node: Node id, such as `Trainer`.
        execution_id: In the store.
        state: `executed`, `cached`, `failed`, `running` or `unknown`.
        seconds: From registration to the last update.
    """

    node: str
    execution_id: int
    state: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of one pipeline.

    Attributes:
        run_id: As TFX recorded it.
        pipeline: Name of the pipeline.
        started: Milliseconds since 1970, UTC.
        nodes: In the order of execution.
    """

    run_id: str
    pipeline: str
    started: int
    nodes: tuple[NodeRun, ...]

    @property
    def status(self) -> str:
        """`failed` or `running` if any node is, else `complete`."""
        states = {node.state for node in self.nodes}
        return next((s for s in ("failed", "running") if s in states), "complete")

    @property
    def seconds(self) -> float:
        """Sum of the nodes' seconds; nodes may overlap."""
        return sum(node.seconds for node in self.nodes)


def list_runs(store: metadata_store.MetadataStore) -> list[Run]:
    """Lists all runs of all pipelines, the latest first."""
    nodes = _nodes_of_executions(store)
    runs = []
    for context in store.get_contexts_by_type("pipeline_run"):
        executions = sorted(store.get_executions_by_context(context.id), key=lambda e: e.id)
        named = [(nodes[e.id], e) for e in executions if e.id in nodes]
        pipeline = named[0][0][0] if named else ""
        node_runs = tuple(_node_run(name, execution) for (_, name), execution in named)
        runs.append(Run(context.name, pipeline, context.create_time_since_epoch, node_runs))
    return sorted(runs, key=lambda run: (run.started, run.run_id), reverse=True)


def outputs_of_run(
    store: metadata_store.MetadataStore, run_id: str
) -> dict[str, dict[str, list[metadata_store_pb2.Artifact]]]:
    """Finds what each node of a run put out, cached outputs included.

    Returns:
        Node id to output key to artifacts; empty for an unknown run.
    """
    context = store.get_context_by_type_and_name("pipeline_run", run_id)
    if context is None:
        return {}
    nodes = _nodes_of_executions(store)
    ids = [e.id for e in store.get_executions_by_context(context.id)]
    events = [
        event
        for event in (store.get_events_by_execution_ids(ids) if ids else [])
        if event.type == metadata_store_pb2.Event.OUTPUT
    ]
    artifacts = {
        a.id: a for a in store.get_artifacts_by_id(sorted({e.artifact_id for e in events}))
    }
    outputs: dict[str, dict[str, list[metadata_store_pb2.Artifact]]] = {}
    for event in events:
        node = nodes[event.execution_id][1]
        key = next(step.key for step in event.path.steps if step.HasField("key"))
        outputs.setdefault(node, {}).setdefault(key, []).append(artifacts[event.artifact_id])
    return outputs


def custom_properties(artifact: metadata_store_pb2.Artifact) -> Mapping[str, Any]:
    """The custom properties of an artifact as plain values."""
    return {
        name: getattr(value, value.WhichOneof("value"))
        for name, value in artifact.custom_properties.items()
        if value.WhichOneof("value")
    }


def _nodes_of_executions(store: metadata_store.MetadataStore) -> dict[int, tuple[str, str]]:
    """Execution id to (pipeline, node id)."""
    nodes = {}
    for context in store.get_contexts_by_type("node"):
        pipeline, _, node = context.name.rpartition(".")
        for execution in store.get_executions_by_context(context.id):
            nodes[execution.id] = (pipeline, node)
    return nodes


def _node_run(node: str, execution: metadata_store_pb2.Execution) -> NodeRun:
    milliseconds = execution.last_update_time_since_epoch - execution.create_time_since_epoch
    state = _STATES.get(execution.last_known_state, "unknown")
    return NodeRun(node, execution.id, state, milliseconds / 1000)
