"""Published versions: the store's records, compared with the folders.

Called by `cli.models` and `runners.publishing.rollback`. Imports no TensorFlow.
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from lineage.answers.models.versions import PushedVersion, pushed_versions
from lineage.facts.models import Push
from lineage.facts.pushes import traffic_of
from lineage.graph.graph import Graph
from serving.versions.decisions import Withheld, read_decisions
from serving.versions.publish import list_versions


@dataclasses.dataclass(frozen=True)
class Published:
    """One version.

    Attributes:
        number: Number of the version.
        recorded: Record of the version in the store; None without a record.
        there: Whether its folder is there; None at a destination that is not of this machine.
        live: Whether servers that look there take it: the highest number; on Vertex AI the one that
            most requests go to.
        withheld: The decision against its model, if there is one.
        pinned: Whether it is never removed, since someone rolled back to it.
        percent: Percent of the requests, as last recorded; None: not on Vertex AI, or not deployed
            there.
    """

    number: int
    recorded: PushedVersion | None
    there: bool | None
    live: bool
    withheld: Withheld | None = None
    pinned: bool = False
    percent: int | None = None

    @property
    def push(self) -> Push | None:
        """The push of the version, with its verdicts; None if unknown."""
        model = self.recorded.model if self.recorded else None
        pushes = model.facts.pushes if model else ()
        return next((p for p in pushes if p.artifact.id == self.recorded.artifact.id), None)

    @property
    def origin(self) -> int:
        """The version that a run pushed with this content; itself if nothing else is known."""
        return self.recorded.origin if self.recorded else self.number


@dataclasses.dataclass(frozen=True)
class Destination:
    """One place that models are pushed to.

    Attributes:
        base: Folder or URI above the versions.
        versions: The newest first.
    """

    base: str
    versions: tuple[Published, ...]

    @property
    def is_local(self) -> bool:
        """Whether the destination can be read from here."""
        return "://" not in self.base

    @property
    def live(self) -> Published | None:
        """The version that servers load; None without one."""
        return next((each for each in self.versions if each.live), None)


def read_destinations(graph: Graph, folders: Iterable[Path] = ()) -> list[Destination]:
    """Reads what is published where, as far as the store or the folders say.

    Args:
        graph: Lineage graph of the store.
        folders: Serving folders that are looked at even if the store does not know them.
    """
    recorded = pushed_versions(graph)
    unknown = {str(folder) for folder in folders if list_versions(str(folder))}
    traffic = traffic_of(graph)
    return [
        _read_vertex(base, recorded[base], traffic[base])
        if base in traffic
        else _read(base, recorded.get(base, []))
        for base in sorted(unknown | set(recorded))
    ]


def workspace_folders(serving: Path) -> list[Path]:
    """The serving folders of a workspace, of whatever pipeline."""
    return sorted(each for each in serving.glob("*") if each.is_dir())


def _read_vertex(
    base: str, recorded: list[PushedVersion], traffic: Mapping[int, int]
) -> Destination:
    best = max(traffic, key=lambda number: (traffic[number], number), default=None)
    live = best if best is not None and traffic[best] else None
    listed = [
        Published(each.number, each, None, each.number == live, percent=traffic.get(each.number))
        for each in recorded
    ]
    return Destination(base, tuple(listed))


def _read(base: str, recorded: list[PushedVersion]) -> Destination:
    known = {each.number: each for each in recorded}
    if "://" in base:
        newest = max(known)
        listed = [Published(n, each, None, n == newest) for n, each in known.items()]
        return Destination(base, tuple(listed))
    there = list_versions(base)
    decisions = read_decisions(base)
    withheld = {each.version: each for each in decisions.withheld}
    newest = max(there, default=None)
    listed = []
    for number in sorted({*known, *there}, reverse=True):
        record = known.get(number)
        listed.append(
            Published(
                number,
                record,
                number in there,
                number == newest,
                withheld.get(record.origin if record else number),
                number in decisions.pinned,
            )
        )
    return Destination(os.path.normpath(base), tuple(listed))
