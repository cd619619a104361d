"""The part of a store that an export covers. Called by the command; read by every format."""

import dataclasses
from collections.abc import Iterable, Mapping

from ml_metadata.proto import metadata_store_pb2

from lineage.graph.elements import Artifact, Execution, Link, Node
from lineage.graph.graph import Graph
from lineage.graph.trace import trace_downstream, trace_upstream
from lineage.ids import LATEST, PipelineKey, RunKey, find


@dataclasses.dataclass(frozen=True)
class Scope:
    """The content of an export, ordered by id.

    Attributes:
        title: Requested id in printable form, or `store`.
        artifacts: Exported artifacts.
        executions: Exported executions.
        links: Links between them.
        runs: Their runs by id, in the order of their start.
        pipelines: Names of their pipelines, sorted.
    """

    title: str
    artifacts: tuple[Artifact, ...]
    executions: tuple[Execution, ...]
    links: tuple[Link, ...]
    runs: Mapping[str, metadata_store_pb2.Context]
    pipelines: tuple[str, ...]


def whole_store(graph: Graph) -> Scope:
    """Everything, including runs without executions."""
    graph.read_all()
    executions = graph.all_executions()
    links = graph.links_of_executions(e.id for e in executions)
    return Scope(
        "store",
        tuple(graph.all_artifacts()),
        tuple(executions),
        _in_order(links),
        dict(graph.places.run_contexts()),
        tuple(graph.places.pipelines()),
    )


def around(graph: Graph, text: str = LATEST) -> Scope:
    """The elements that belong to an id.

    Args:
        graph: To look in.
        text: A run: its executions and all that they read or wrote. A pipeline: all its runs. An
            artifact or an execution: the element and everything upstream and downstream.

    Raises:
        UserMistake: No element has this id, or several have it.
    """
    target = find(graph, text)
    if isinstance(target, RunKey):
        return _of_executions(graph, target.key, graph.executions_of_run(target.run_id))
    if isinstance(target, PipelineKey):
        graph.read_all()
        members = [e for e in graph.all_executions() if e.place.pipeline == target.name]
        return _of_executions(graph, target.key, members)
    reached: dict[Node, None] = {}
    for trace in (trace_upstream(graph, [target]), trace_downstream(graph, [target])):
        reached.update(dict.fromkeys(trace.depths))
    executions = [node for node in reached if isinstance(node, Execution)]
    artifacts = [node for node in reached if isinstance(node, Artifact)]
    return _scope(graph, target.key, artifacts, executions)


def _of_executions(graph: Graph, title: str, executions: Iterable[Execution]) -> Scope:
    listed = list(executions)
    links = graph.links_of_executions(e.id for e in listed)
    return _scope(graph, title, graph.artifacts(link.artifact_id for link in links), listed)


def _scope(
    graph: Graph, title: str, artifacts: Iterable[Artifact], executions: Iterable[Execution]
) -> Scope:
    artifacts = sorted(artifacts, key=lambda a: a.id)
    executions = sorted(executions, key=lambda e: e.id)
    inside = {artifact.id for artifact in artifacts}
    links = graph.links_of_executions(e.id for e in executions)
    run_ids = {e.place.run_id for e in executions}
    runs = graph.places.run_contexts()
    return Scope(
        title,
        tuple(artifacts),
        tuple(executions),
        _in_order(link for link in links if link.artifact_id in inside),
        {run_id: runs[run_id] for run_id in runs if run_id in run_ids},
        tuple(sorted({e.place.pipeline for e in executions} - {""})),
    )


def _in_order(links: Iterable[Link]) -> tuple[Link, ...]:
    return tuple(sorted(links, key=lambda k: (k.execution_id, k.artifact_id, k.is_output, k.keys)))
