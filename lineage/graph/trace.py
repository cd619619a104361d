"""Walks from an artifact or an execution to everything upstream or downstream.

A walk is breadth-first, with one query per round. It differs from the raw graph in three points:

* An artifact is traced to the executions that made it. Cached executions output the same artifact
  again. They are counted but not followed, unless no other execution created the artifact.
* The baseline of a model is shown and not followed, unless that is asked for: a model did not come
  from the one it was compared with, and every pipeline's baselines reach back to its first run.
* A resolver's internal events are no lineage (see `lineage.graph.elements.link_of`).
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from lineage.graph.elements import Artifact, Execution, Link, Node
from lineage.graph.graph import Graph

BASELINE_KEY = "baseline_model"


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a walk, away from the start.

    Attributes:
        source: Start of the step.
        target: End of the step.
        keys: Names of the input or output.
    """

    source: Node
    target: Node
    keys: tuple[str, ...]

    @property
    def is_baseline(self) -> bool:
        """Whether a model is only compared with here."""
        return set(self.keys) == {BASELINE_KEY}


@dataclasses.dataclass
class Trace:
    """The result of a walk.

    Attributes:
        starts: Start nodes.
        depths: Every node that was reached, in the order of the walk, and its distance.
        steps: Every step, in the order of the walk.
        not_followed: Nodes whose further lineage was left out: baselines.
        cached: Artifact to the number of cached executions that output it again or, downstream,
            read it again.
    """

    starts: tuple[Node, ...]
    depths: dict[Node, int] = dataclasses.field(default_factory=dict)
    steps: list[Step] = dataclasses.field(default_factory=list)
    not_followed: set[Node] = dataclasses.field(default_factory=set)
    cached: dict[Node, int] = dataclasses.field(default_factory=dict)

    def artifacts(self, *types: str) -> list[Artifact]:
        """The artifacts that were reached, of some types or of all."""
        found = [node for node in self.depths if isinstance(node, Artifact)]
        return [artifact for artifact in found if not types or artifact.type in types]

    def executions(self) -> list[Execution]:
        """The executions that were reached."""
        return [node for node in self.depths if isinstance(node, Execution)]

    def steps_from(self, node: Node) -> list[Step]:
        """The steps that lead away from a node."""
        return self._by_source.get(node, [])

    @property
    def _by_source(self) -> dict[Node, list[Step]]:
        if getattr(self, "_grouped_count", None) != len(self.steps):
            self._grouped: dict[Node, list[Step]] = {}
            for step in self.steps:
                self._grouped.setdefault(step.source, []).append(step)
            self._grouped_count = len(self.steps)
        return self._grouped


def trace_upstream(
    graph: Graph, starts: Iterable[Node], depth: int | None = None, through_baselines: bool = False
) -> Trace:
    """Walks to everything upstream of the starts.

    Args:
        graph: To walk in.
        starts: Start nodes.
        depth: Number of steps; from an artifact to its execution is one step. None: all.
        through_baselines: Whether the lineage of baselines is followed too.
    """
    return _Walk(graph, starts, through_baselines, upstream=True).go(depth)


def trace_downstream(
    graph: Graph, starts: Iterable[Node], depth: int | None = None, through_baselines: bool = False
) -> Trace:
    """Walks to everything downstream of the starts; see `trace_upstream`."""
    return _Walk(graph, starts, through_baselines, upstream=False).go(depth)


class _Walk:
    def __init__(
        self, graph: Graph, starts: Iterable[Node], through_baselines: bool, upstream: bool
    ):
        self._graph = graph
        self._through_baselines = through_baselines
        self._upstream = upstream
        self._trace = Trace(tuple(starts))
        self._cached_consumers: dict[int, tuple[Artifact, Link]] = {}

    def go(self, depth: int | None) -> Trace:
        found = self._trace
        found.depths.update(dict.fromkeys(found.starts, 0))
        followed: set[Node] = set(found.starts)
        front: list[Node] = list(found.starts)
        distance = 0
        while front and (depth is None or distance < depth):
            distance += 1
            follow: list[Node] = []
            for step in self._steps_of(front):
                found.steps.append(step)
                if step.target not in followed:
                    if step.is_baseline and not self._through_baselines:
                        found.not_followed.add(step.target)
                    else:
                        follow.append(step.target)
                        followed.add(step.target)
                        found.not_followed.discard(step.target)
                found.depths.setdefault(step.target, distance)
            front = follow
            if not front:
                front = self._left_over(followed)
                distance = min((found.depths[node] for node in front), default=distance)
        return found

    def _steps_of(self, nodes: Sequence[Node]) -> list[Step]:
        """All steps away from the nodes, in their order."""
        artifacts = [node for node in nodes if isinstance(node, Artifact)]
        executions = [node for node in nodes if isinstance(node, Execution)]
        links = self._graph.links_of_artifacts(a.id for a in artifacts)
        by_artifact = self._group(links, lambda link: link.artifact_id, self._upstream)
        by_artifact = self._without_cached({a: by_artifact.get(a.id, []) for a in artifacts})
        self._graph.expect(sum(map(len, by_artifact.values())))
        links = self._graph.links_of_executions(e.id for e in executions)
        by_execution = self._group(links, lambda link: link.execution_id, not self._upstream)
        # Both in one question each, for the loop below to find them read.
        self._graph.executions(k.execution_id for found in by_artifact.values() for k in found)
        self._graph.artifacts(k.artifact_id for found in by_execution.values() for k in found)
        steps = []
        for node in nodes:
            if isinstance(node, Artifact):
                for link in by_artifact[node]:
                    for execution in self._graph.executions([link.execution_id]):
                        steps.append(Step(node, execution, link.keys))
            else:
                for link in by_execution.get(node.id, ()):
                    for artifact in self._graph.artifacts([link.artifact_id]):
                        steps.append(Step(node, artifact, link.keys))
        return steps

    def _without_cached(
        self, by_artifact: dict[Artifact, list[Link]]
    ) -> dict[Artifact, list[Link]]:
        """The links that are followed; the others are counted and, downstream, kept for later."""
        ids = dict.fromkeys(k.execution_id for found in by_artifact.values() for k in found)
        states = self._graph.states(ids)
        kept = {}
        for artifact, links in by_artifact.items():
            cached = [link for link in links if states.get(link.execution_id) == "cached"]
            if self._upstream and len(cached) == len(links):
                kept[artifact] = links
                continue
            self._trace.cached[artifact] = len(cached)
            kept[artifact] = [k for k in links if states.get(k.execution_id) != "cached"]
            for link in [] if self._upstream else cached:
                self._cached_consumers.setdefault(link.execution_id, (artifact, link))
        return kept

    def _left_over(self, followed: set[Node]) -> list[Node]:
        """Downstream: cached executions whose outputs were not reached by those that made them."""
        waiting, self._cached_consumers = self._cached_consumers, {}
        reached = {artifact.id for artifact in self._trace.artifacts()}
        links = self._graph.links_of_executions(waiting)
        open_ends = {k.execution_id for k in links if k.is_output and k.artifact_id not in reached}
        left = self._graph.executions(i for i in waiting if i in open_ends)
        for execution in left:
            source, link = waiting[execution.id]
            self._trace.steps.append(Step(source, execution, link.keys))
            self._trace.depths.setdefault(execution, self._trace.depths[source] + 1)
        followed.update(left)
        return [*left]

    @staticmethod
    def _group(
        links: Sequence[Link], key: Callable[[Link], int], is_output: bool
    ) -> dict[int, list[Link]]:
        grouped: dict[int, list[Link]] = {}
        for link in links:
            if link.is_output is is_output:
                grouped.setdefault(key(link), []).append(link)
        return grouped
