"""The executions that changed what is live at a destination: pushes, and changes by hand, in order.

They are no origin of the live model, so the walk does not follow them. Called by
`lineage.answers.chain.chain`.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fareline.recorded import FROM_VERSION, PROMOTE, REASON, ROLLBACK, USER
from fareline.recorded.vertex import on_vertex
from lineage.facts.models import MODEL_KEY
from lineage.facts.pushes import PUSHED_MODEL, live_pushes, pushed_to
from lineage.graph.elements import Artifact, Execution, Node
from lineage.graph.graph import Graph
from lineage.text.times import iso

PUSH = "push"
_BY_HAND = "fareline."
_Served = tuple[int | None, Mapping[int, int] | None]  # live version, shares of an endpoint


@dataclasses.dataclass(frozen=True)
class LiveChange:
    """One execution that changed what a destination serves.

    Attributes:
        destination: Folder or URI above the versions.
        execution: Push of a run, or a change by hand.
        pushed_model: What it recorded.
        live: Version that is live since; None: the endpoint serves nothing.
        traffic: Percent of the requests by deployed version; None in a folder.
    """

    destination: str
    execution: Execution
    pushed_model: Artifact
    live: int | None
    traffic: Mapping[int, int] | None

    @property
    def kind(self) -> str:
        """One of `push`, `promote`, `rollback` and `undeploy`."""
        by_hand = self.execution.type.startswith(_BY_HAND)
        return self.execution.type.removeprefix(_BY_HAND) if by_hand else PUSH

    @property
    def withheld(self) -> int | None:
        """Version that a rollback withholds; None for any other change."""
        before = self.execution.properties.get(FROM_VERSION)
        return int(before) if self.execution.type == ROLLBACK and before else None

    @property
    def by(self) -> str | None:
        """Login name; None for a push."""
        return self.execution.properties.get(USER) or None

    @property
    def reason(self) -> str | None:
        """Reason in the words of the user; None if there is none."""
        return self.execution.properties.get(REASON) or None

    def as_json(self) -> dict[str, Any]:
        """Plain values.

        Keys: destination, change (`push`, `promote`, `rollback` or `undeploy`), execution,
        pushed_model, when, live (version), traffic (percent by version; null in a folder),
        withheld (version), by and reason (null for a push).
        """
        shares = None if self.traffic is None else {str(n): p for n, p in self.traffic.items()}
        return {
            "destination": self.destination,
            "change": self.kind,
            "execution": self.execution.key,
            "pushed_model": self.pushed_model.key,
            "when": iso(self.execution.updated),
            "live": self.live,
            "traffic": shares,
            "withheld": self.withheld,
            "by": self.by,
            "reason": self.reason,
        }


@dataclasses.dataclass(frozen=True)
class LiveHistory:
    """The changes at one destination.

    Attributes:
        destination: Folder or URI above the versions.
        changes: The last ones, the oldest first.
        earlier: Number of those before.
    """

    destination: str
    changes: Sequence[LiveChange]
    earlier: int


def live_history(graph: Graph, starts: Iterable[Node], most: int | None) -> list[LiveHistory]:
    """The changes at each destination that serves one of the starts.

    A PushedModel is served if its version is live. Of a Model this is looked up only if a push of
    it went to Vertex AI or was by hand, which its own links say: a long list of pushes to a folder
    is not read for every model. Only the executions of changes that are listed are read.

    Args:
        graph: To look in.
        starts: Start nodes of a walk.
        most: Number of changes to list; None: all.
    """
    pushed = [a for a in starts if isinstance(a, Artifact) and a.type == PUSHED_MODEL]
    models = [a for a in starts if isinstance(a, Artifact) and a.type == "Model"]
    pushed += [each for model in models for each in _pushes_of(graph, model)]
    places = {place for each in pushed if (place := pushed_to(each))}
    if not places:
        return []
    live = {pushed_to(each) for each in live_pushes(graph).values()}
    return [_history_at(graph, base, most) for base in sorted({base for base, _ in places & live})]


def _pushes_of(graph: Graph, model: Artifact) -> list[Artifact]:
    links = graph.links_of_artifacts([model.id])
    readers = [k.execution_id for k in links if not k.is_output and MODEL_KEY in k.keys]
    outputs = {k.artifact_id for k in graph.links_of_executions(readers) if k.is_output}
    by_hand = {e.id for e in graph.executions(readers) if e.type in (ROLLBACK, PROMOTE)}
    pushed = [a for a in graph.artifacts(sorted(outputs)) if a.type == PUSHED_MODEL]
    told = by_hand or any(on_vertex(each) is not None for each in pushed)
    return pushed if told else []


def _history_at(graph: Graph, base: str, most: int | None) -> LiveHistory:
    changed = _changes_at(graph, base)
    listed = changed if most is None else changed[-most:]
    makers: dict[int, int] = {}
    for link in graph.links_of_artifacts(artifact.id for artifact, _ in listed):
        if link.is_output:  # later ones took it from the cache
            first = makers.get(link.artifact_id, link.execution_id)
            makers[link.artifact_id] = min(first, link.execution_id)
    executions = {e.id: e for e in graph.executions(makers.values())}
    changes = [
        LiveChange(base, executions[makers[artifact.id]], artifact, *served)
        for artifact, served in listed
        if makers.get(artifact.id) in executions
    ]
    return LiveHistory(base, changes, len(changed) - len(listed))


def _changes_at(graph: Graph, base: str) -> list[tuple[Artifact, _Served]]:
    """The records after which a destination serves something else, with what it serves."""
    recorded = [
        a for a in graph.artifacts_of_type(PUSHED_MODEL) if (pushed_to(a) or ("",))[0] == base
    ]
    changed: list[tuple[Artifact, _Served]] = []
    before: _Served = (None, None)
    for artifact in sorted(recorded, key=lambda each: each.id):
        after = _served(artifact, before[0])
        if after != before:
            changed.append((artifact, after))
            before = after
    return changed


def _served(artifact: Artifact, highest: int | None) -> _Served:
    """What is live once it is recorded, and the shares of an endpoint."""
    record = on_vertex(artifact)
    if record is None:  # a run that found its model live already records that version once more
        _, number = pushed_to(artifact) or ("", 0)
        return max(number, highest or 0), None
    shares = {int(version): percent for version, percent in record.traffic.items()}
    return record.live, dict(sorted(shares.items()))
