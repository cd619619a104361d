"""The upstream or downstream chain of an element: nodes, steps, and sources outside of the store.

Called by cli.views.chain; drawn by lineage.answers.chain.view.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fareline.errors import UserMistake
from fareline.near import near_names
from lineage.answers.chain.history import LiveHistory, live_history
from lineage.facts.sources import Source, sources_of
from lineage.graph.elements import Artifact, Execution, Node
from lineage.graph.graph import Graph
from lineage.graph.trace import Step, Trace, trace_downstream, trace_upstream
from lineage.ids import LiveKey, PipelineKey, RunKey, Target
from lineage.text.harmless import plain

MOST_CHANGES = 10


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Limits of a chain.

    Attributes:
        depth: Steps at most; None: all.
        type: Only branches that lead to artifacts of this type, of which a prefix is enough.
        through_baselines: Whether the lineage of baselines is followed too.
        changes: Changes of what is live that are listed; None: all.
    """

    depth: int | None = None
    type: str | None = None
    through_baselines: bool = False
    changes: int | None = MOST_CHANGES


@dataclasses.dataclass(frozen=True)
class Chain:
    """The found chain.

    Attributes:
        asked: Printable id of what it starts from.
        is_upstream: The direction.
        wanted: Limits of the chain.
        trace: The walk.
        type: The artifact type that branches have to lead to; empty: any.
        kept: Nodes of such branches; all if no type was asked for.
        sources: Execution to its sources outside of the store; only upstream.
        place: Address of the store, as the graph has it.
        history: Upstream of what is live: for each destination, the changes of what is live there.
    """

    asked: str
    is_upstream: bool
    wanted: Wanted
    trace: Trace
    type: str
    kept: frozenset[Node]
    sources: Mapping[Execution, list[Source]]
    place: tuple[str, ...] = ()
    history: Sequence[LiveHistory] = ()

    def steps_from(self, node: Node) -> list[Step]:
        """The steps from a node to kept nodes."""
        return [step for step in self.trace.steps_from(node) if step.target in self.kept]


def find_chain(graph: Graph, target: Target | LiveKey, is_upstream: bool, wanted: Wanted) -> Chain:
    """Walks upstream or downstream from an element.

    Args:
        graph: To walk in.
        target: From `lineage.ids.find_start`. A run starts from all its outputs, or its executions.
        is_upstream: The direction.
        wanted: Limits of the chain.

    Raises:
        UserMistake: The start is a pipeline, or the store has no such type.
    """
    kind = find_type(graph, wanted.type) if wanted.type is not None else ""
    walk = trace_upstream if is_upstream else trace_downstream
    starts = starts_of(graph, target, is_upstream)
    trace = walk(graph, starts, wanted.depth, wanted.through_baselines)
    kept = _leading_to(trace, kind) if kind else frozenset(trace.depths)
    sources = _sources(graph, trace) if is_upstream and not kind else {}
    has_history = is_upstream and not kind and isinstance(target, (Artifact, LiveKey))
    history = live_history(graph, starts, wanted.changes) if has_history else ()
    return Chain(target.key, is_upstream, wanted, trace, kind, kept, sources, graph.place, history)


def starts_of(graph: Graph, target: Target | LiveKey, is_upstream: bool) -> list[Node]:
    """The start nodes of a walk from an element.

    A cached execution has no outputs of its own. Upstream, its outputs lead to the execution
    that made them. Downstream, a run starts without it, unless the whole run was cached.

    Raises:
        UserMistake: The element is a pipeline.
    """
    if isinstance(target, PipelineKey):
        raise UserMistake.explain(
            plain(target.key), "is a pipeline", "expected something that a run made",
            "`fareline lineage runs` lists its runs and their models",
        )  # fmt: skip
    if isinstance(target, LiveKey):
        return [*target.pushed]
    if isinstance(target, Artifact):
        return [target]
    executions = [target]
    if isinstance(target, RunKey):
        executions = graph.executions_of_run(target.run_id)
        if not is_upstream:  # what was cached came from another run
            return [e for e in executions if e.state != "cached"] or [*executions]
    links = graph.links_of_executions(e.id for e in executions)
    outputs = graph.artifacts(sorted({k.artifact_id for k in links if k.is_output}, reverse=True))
    if isinstance(target, RunKey):
        return [*outputs]
    takes_over = is_upstream and target.state == "cached" and all(k.is_output for k in links)
    return [target, *outputs] if takes_over else [target]


def find_type(graph: Graph, prefix: str) -> str:
    """Finds an artifact type by a unique prefix, in any case of letters.

    Raises:
        UserMistake: No artifact type matches, or several do.
    """
    types = graph.artifact_types()
    matching = [t for t in types if t.casefold().startswith(prefix.casefold())]
    exact = [t for t in matching if t.casefold() == prefix.casefold()]
    if len(exact or matching) == 1:
        return (exact or matching)[0]
    near = matching or near_names(prefix, types, 3, 0.3) or types
    found = f"is {len(matching)} types" if matching else "is not an artifact type of the store"
    hint = f"did you mean {plain(' or '.join(near))}" if near else "the store has no artifacts"
    raise UserMistake.explain(f"--type {prefix}", found, "expected one", hint)


def _leading_to(trace: Trace, kind: str) -> frozenset[Node]:
    """The artifacts of a type that were reached, and all from which they were."""
    sources: dict[Node, list[Node]] = {}
    for step in trace.steps:
        sources.setdefault(step.target, []).append(step.source)
    front: list[Node] = [*trace.artifacts(kind)]
    kept = set(front)
    while front:
        new = {source for node in front for source in sources.get(node, ())} - kept
        kept |= new
        front = list(new)
    return frozenset(kept | set(trace.starts))


def _sources(graph: Graph, trace: Trace) -> dict[Execution, list[Source]]:
    made: dict[Execution, list[Artifact]] = {}
    executions = trace.executions()
    by_id = {execution.id: execution for execution in executions}
    links = [link for link in graph.links_of_executions(by_id) if link.is_output]
    artifacts = {a.id: a for a in graph.artifacts(link.artifact_id for link in links)}
    for link in links:
        if artifacts.get(link.artifact_id) in trace.depths:
            execution = by_id[link.execution_id]
            made.setdefault(execution, []).append(artifacts[link.artifact_id])
    found = {e: sources_of(e, made.get(e, ())) for e in executions}
    return {execution: sources for execution, sources in found.items() if sources}


def chain_as_json(chain: Chain) -> dict[str, Any]:
    """The chain as plain values, in a stable order.

    Keys: start (as asked), direction, starts (ids), type (null: any), nodes (id, number, kind,
    depth, and of artifacts type, uri, state, span, cached: number of cached executions that output
    or read it again; of executions node, run, pipeline, state; followed: false for a baseline whose
    own lineage was left out), edges (from, to, keys, baseline; the way the data went), sources (see
    `lineage.facts.sources.Source`), history (see `lineage.answers.chain.history.LiveChange`; empty
    if the start is not live), earlier_changes (number of changes that are left out there).
    """
    trace = chain.trace
    return {
        "start": chain.asked,
        "direction": "upstream" if chain.is_upstream else "downstream",
        "starts": [node.key for node in trace.starts],
        "type": chain.type or None,
        "nodes": [
            _node_as_json(node, trace) | {"depth": depth}
            for node, depth in trace.depths.items()
            if node in chain.kept
        ],
        "edges": _edges(
            (s for s in trace.steps if s.source in chain.kept and s.target in chain.kept),
            chain.is_upstream,
        ),
        "sources": [s.to_json() for sources in chain.sources.values() for s in sources],
        "history": [each.as_json() for part in chain.history for each in part.changes],
        "earlier_changes": sum(part.earlier for part in chain.history),
    }


def _node_as_json(node: Node, trace: Trace) -> dict[str, Any]:
    content: dict[str, Any] = {"id": node.key, "number": node.id}
    if isinstance(node, Artifact):
        content |= {"kind": "artifact", "type": node.type, "uri": node.uri, "state": node.state}
        content |= {"span": node.properties.get("span"), "cached": trace.cached.get(node, 0)}
    else:
        content |= {"kind": "execution", "node": node.place.node, "run": node.place.run_id or None}
        content |= {"pipeline": node.place.pipeline or None, "state": node.state}
    return content | {"followed": node not in trace.not_followed}


def _edges(steps: Iterable[Step], is_upstream: bool) -> list[dict[str, Any]]:
    edges = {}
    for step in steps:
        ends = (step.target, step.source) if is_upstream else (step.source, step.target)
        edges[ends, step.keys] = {
            "from": ends[0].key,
            "to": ends[1].key,
            "keys": list(step.keys),
            "baseline": step.is_baseline,
        }
    return list(edges.values())
