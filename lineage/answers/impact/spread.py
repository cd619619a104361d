"""Spread of data: a walk downstream that tracks the relation of each artifact to the data.

It reads only links and artifacts, each round with one query, because thousands of models may depend
on one schema. Cached executions need no rule, because their outputs have the same relations. Called
by lineage.answers.impact.impact.
"""

import dataclasses
from collections.abc import Iterable, Sequence

from lineage.facts.models import MODEL_KEY
from lineage.facts.relations import LEARNED, carry, judges, starts_as
from lineage.graph.elements import Artifact, Link
from lineage.graph.graph import Graph
from lineage.graph.trace import BASELINE_KEY


@dataclasses.dataclass
class Spread:
    """The result of a walk.

    Attributes:
        carried: Artifact id to the relations that it carries, of `lineage.facts.relations`.
        reached: All outputs of executions that read a carrying artifact.
        judged: Ids of the models that were evaluated on rows of the data.
        silent: Ids of the executions that read related artifacts and have no output.
    """

    carried: dict[int, set[str]] = dataclasses.field(default_factory=dict)
    reached: dict[int, Artifact] = dataclasses.field(default_factory=dict)
    judged: set[int] = dataclasses.field(default_factory=set)
    silent: set[int] = dataclasses.field(default_factory=set)


def find_spread(graph: Graph, starts: Iterable[Artifact]) -> Spread:
    """Walks downstream from artifacts until no new relation is found.

    Args:
        graph: To walk in.
        starts: Start nodes.
    """
    spread = Spread()
    new: dict[int, set[str]] = {}
    for start in starts:
        if own := starts_as(start.type):
            new[start.id] = {own}
    while new:
        for artifact_id, relations in new.items():
            spread.carried.setdefault(artifact_id, set()).update(relations)
        readings = [link for link in graph.links_of_artifacts(new) if not link.is_output]
        by_execution: dict[int, list[Link]] = {}
        for link in readings:
            if set(link.keys) != {BASELINE_KEY}:
                by_execution.setdefault(link.execution_id, []).append(link)
        new = _next(graph, spread, new, by_execution)
    return spread


def _next(
    graph: Graph,
    spread: Spread,
    news: dict[int, set[str]],
    by_execution: dict[int, list[Link]],
) -> dict[int, set[str]]:
    """One round: what the outputs of executions carry that they did not carry before."""
    outputs: dict[int, list[int]] = {}
    models: dict[int, list[int]] = {}
    for link in graph.links_of_executions(by_execution):
        if link.is_output:
            outputs.setdefault(link.execution_id, []).append(link.artifact_id)
        elif MODEL_KEY in link.keys:
            models.setdefault(link.execution_id, []).append(link.artifact_id)
    made = {a.id: a for a in graph.artifacts(a for found in outputs.values() for a in found)}
    spread.reached.update(made)
    found: dict[int, set[str]] = {}
    for execution_id, readings in by_execution.items():
        listed = [made[i] for i in outputs.get(execution_id, ()) if i in made]
        if not listed:
            spread.silent.add(execution_id)
        if judges(a.type for a in listed) and any(MODEL_KEY not in k.keys for k in readings):
            spread.judged.update(models.get(execution_id, ()))
        for link in readings:
            for output in listed:
                following = _carried(news[link.artifact_id], link.keys, output.type)
                if more := following - spread.carried.get(output.id, set()):
                    found.setdefault(output.id, set()).update(more)
    return found


def _carried(relations: Iterable[str], keys: Sequence[str], output_type: str) -> set[str]:
    return {
        following
        for relation in relations
        if relation in LEARNED and (following := carry(relation, keys, output_type))
    }
