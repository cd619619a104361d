"""Walking from an artifact or execution to all that it came from, or all that came from it.

A walk goes breadth first, a whole round in one question to the store. Three things are not as in
the raw graph:

* An artifact is traced to the executions that made it. Cached executions put the same artifact out
  again; they are counted, not followed, unless nothing else made it.
* The baseline of a model is shown and not followed, unless that is asked for: a model did not come
  from the one it was compared with, and every pipeline's baselines reach back to its first run.
* A resolver's internal events are no lineage (see `lineage.elements.link_of`).
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from lineage.elements import Artifact, Execution, Link, Node
from lineage.graph import Graph

BASELINE_KEY = "baseline_model"


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a walk, away from the start.

    Attributes:
        source: Where it comes from.
        target: Where it goes.
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
    """What a walk has found.

    Attributes:
        starts: Where it began.
        depths: Every node that was reached, in the order of the walk, and its distance.
        steps: Every step, in the order of the walk.
        not_followed: Nodes whose further lineage was left out: baselines.
        cached: Artifact to the number of cached executions that put it out again or, downstream,
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
    """Walks to everything that the starts came from.

    Args:
        graph: To walk in.
        starts: Where to begin.
        depth: How many steps to go; from an artifact to its execution is one. None: all.
        through_baselines: Whether the lineage of baselines is followed too.
    """
    return _Walk(graph, starts, through_baselines, upstream=True).go(depth)


def trace_downstream(
    graph: Graph, starts: Iterable[Node], depth: int | None = None, through_baselines: bool = False
) -> Trace:
    """Walks to everything that came from the starts; see `trace_upstream`."""
    return _Walk(graph, starts, through_baselines, upstream=False).go(depth)


class _Walk:
    def __init__(
        self, graph: Graph, starts: Iterable[Node], through_baselines: bool, upstream: bool
    ):
        self._graph = graph
        self._through_baselines = through_baselines
        self._upstream = upstream
        self._trace = Trace(tuple(starts))
        self._cached_consumers: dict[Execution, Step] = {}

    def go(self, depth: int | None) -> Trace:
        found = self._trace
        found.depths.update(dict.fromkeys(found.starts, 0))
        front: list[Node] = list(found.starts)
        distance = 0
        while front and (depth is None or distance < depth):
            distance += 1
            follow: list[Node] = []
            for step in self._steps_of(front):
                found.steps.append(step)
                if step.is_baseline and not self._through_baselines:
                    found.not_followed.add(step.target)
                elif step.target not in found.depths or step.target in found.not_followed:
                    follow.append(step.target)
                    found.not_followed.discard(step.target)
                found.depths.setdefault(step.target, distance)
            front = list(dict.fromkeys(follow)) or self._left_over()
        return found

    def _steps_of(self, nodes: Sequence[Node]) -> list[Step]:
        """All steps away from the nodes, in their order."""
        artifacts = [node for node in nodes if isinstance(node, Artifact)]
        executions = [node for node in nodes if isinstance(node, Execution)]
        links = self._graph.links_of_artifacts(a.id for a in artifacts)
        by_artifact = self._group(links, lambda link: link.artifact_id, self._upstream)
        links = self._graph.links_of_executions(e.id for e in executions)
        by_execution = self._group(links, lambda link: link.execution_id, not self._upstream)
        # Both in one question each, for the loops below to find them read.
        self._graph.executions(k.execution_id for found in by_artifact.values() for k in found)
        self._graph.artifacts(k.artifact_id for found in by_execution.values() for k in found)
        steps = []
        for node in nodes:
            if isinstance(node, Artifact):
                steps += self._steps_of_artifact(node, by_artifact.get(node.id, ()))
            else:
                for link in by_execution.get(node.id, ()):
                    for target in self._graph.artifacts([link.artifact_id]):
                        steps.append(Step(node, target, link.keys))
        return steps

    def _steps_of_artifact(self, artifact: Artifact, links: Sequence[Link]) -> list[Step]:
        executions = {e.id: e for e in self._graph.executions(k.execution_id for k in links)}
        steps = [
            Step(artifact, executions[link.execution_id], link.keys)
            for link in links
            if link.execution_id in executions
        ]
        cached = [step for step in steps if step.target.state == "cached"]
        if self._upstream and len(cached) == len(steps):
            return steps
        self._trace.cached[artifact] = len(cached)
        for step in cached:
            self._cached_consumers.setdefault(step.target, step)
        return [step for step in steps if step.target.state != "cached"]

    def _left_over(self) -> list[Node]:
        """Downstream: cached executions whose outputs were not reached by those that made them."""
        if self._upstream:
            return []
        waiting, self._cached_consumers = self._cached_consumers, {}
        self._graph.links_of_executions(e.id for e in waiting)
        left = []
        for execution, step in waiting.items():
            links = self._graph.links_of_executions([execution.id])
            outputs = self._graph.artifacts(k.artifact_id for k in links if k.is_output)
            if any(artifact not in self._trace.depths for artifact in outputs):
                self._trace.steps.append(step)
                self._trace.depths.setdefault(execution, self._trace.depths[step.source] + 1)
                left.append(execution)
        return left

    @staticmethod
    def _group(
        links: Sequence[Link], key: Callable[[Link], int], is_output: bool
    ) -> dict[int, list[Link]]:
        grouped: dict[int, list[Link]] = {}
        for link in links:
            if link.is_output is is_output:
                grouped.setdefault(key(link), []).append(link)
        return grouped
