"""Paths between two elements: the shortest chains of artifacts and executions.

Called by cli.lineage.path. Walks upstream from both ends at once, because a store has few elements
upstream. The lineage of baselines is used only if no other path connects the two.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from lineage.answers.chain.chain import starts_of
from lineage.graph.elements import Node
from lineage.graph.graph import Graph
from lineage.graph.trace import Step, trace_upstream
from lineage.ids import RunKey, Target

MOST = 3


@dataclasses.dataclass(frozen=True)
class Paths:
    """The found paths.

    Attributes:
        first: Printable id of the one that led to the other; as asked if neither did.
        last: The other.
        swapped: Whether they were asked for in the other order.
        paths: The shortest, at most `MOST`. Each is a list of steps the way the data went: the
            source of a step is where the data was, its target where it went.
        both_in_one: Whether they are the same, or one is the run of the other.
    """

    first: str
    last: str
    swapped: bool
    paths: list[list[Step]]
    both_in_one: bool = False


def find_paths(graph: Graph, a: Target, b: Target) -> Paths:
    """Finds the paths from one of two elements to the other.

    Raises:
        UserMistake: One is a pipeline.
    """
    if _ends(graph, a) & _ends(graph, b):
        return Paths(a.key, b.key, False, [], both_in_one=True)
    for through_baselines in (False, True):
        searches = [
            _Search(graph, b, a, through_baselines),
            _Search(graph, a, b, through_baselines),
        ]
        # Step by step in turns: the wrong direction may be much the longer one.
        while any(search.front for search in searches):
            for search, swapped in zip(searches, (False, True), strict=True):
                if search.go():
                    first, last = (b, a) if swapped else (a, b)
                    return Paths(first.key, last.key, swapped, search.paths())
    return Paths(a.key, b.key, False, [])


def _ends(graph: Graph, target: Target) -> set[Node]:
    """The nodes that a chain may begin with: a run's executions and all their outputs."""
    nodes = set(starts_of(graph, target, is_upstream=True))
    if isinstance(target, RunKey):
        nodes.update(graph.executions_of_run(target.run_id))
    return nodes


class _Search:
    """Upstream from one end until the other is reached, a round at a time."""

    def __init__(self, graph: Graph, start: Target, goal: Target, through_baselines: bool):
        self._graph = graph
        self._through_baselines = through_baselines
        self._goals = _ends(graph, goal)
        self._steps_to: dict[Node, list[Step]] = {}
        self.front: list[Node] = starts_of(graph, start, is_upstream=True)
        self._seen = set(self.front)
        self._reached: list[Node] = []

    def go(self) -> bool:
        """Goes one round; returns whether the goal was reached."""
        if not self.front:
            return False
        found = trace_upstream(self._graph, self.front, 1, self._through_baselines)
        new: dict[Node, None] = {}
        for step in found.steps:
            if step.target not in self._seen and (self._through_baselines or not step.is_baseline):
                self._steps_to.setdefault(step.target, []).append(step)
                new[step.target] = None
        self._seen.update(new)
        self.front = list(new)
        self._reached = [node for node in self.front if node in self._goals]
        return bool(self._reached)

    def paths(self) -> list[list[Step]]:
        """The paths that were found, at most `MOST`."""
        found: list[list[Step]] = []
        for node in self._reached:
            for path in self._paths_from(node):
                found.append(path)
                if len(found) == MOST:
                    return found
        return found

    def _paths_from(self, node: Node) -> Iterator[list[Step]]:
        """Depth first, without recursion: a chain of baselines may be thousands of steps long."""
        stack: list[tuple[Node, list[Step]]] = [(node, [])]
        while stack:
            here, path = stack.pop()
            if here not in self._steps_to:
                yield path
                continue
            for step in reversed(self._steps_to[here]):
                stack.append((step.source, [*path, Step(step.target, step.source, step.keys)]))


def paths_as_json(found: Paths) -> dict[str, Any]:
    """The paths as plain values.

    Keys: from, to (the way the data went), swapped (asked for in the other order), same, paths:
    lists of steps with from, to, keys, baseline. No path: `paths` is empty.
    """
    return {
        "from": found.first,
        "to": found.last,
        "swapped": found.swapped,
        "same": found.both_in_one,
        "paths": [
            [
                {
                    "from": step.source.key,
                    "to": step.target.key,
                    "keys": list(step.keys),
                    "baseline": step.is_baseline,
                }
                for step in path
            ]
            for path in found.paths
        ],
    }
