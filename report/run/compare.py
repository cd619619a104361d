"""Two runs side by side: both documents, and what differs between them."""

import dataclasses
from typing import Any

from lineage.answers.diff.diff import find_diff
from lineage.graph.graph import Graph
from report.run.document import Document
from report.run.gather import gather
from report.run.page import Served, compare_page

_MOST_CHANGES = 40  # of a group


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two runs.

    Attributes:
        a: The one.
        b: The other.
        changes: Differences by group: path, in a, in b; the largest differences first.
    """

    a: Document
    b: Document
    changes: dict[str, list[tuple[str, Any, Any]]]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {"a": self.a.as_json(), "b": self.b.as_json(), "changes": self.changes}

    def page(self, served: Served | None = None) -> str:
        """The page.

        Args:
            served: Where a server shows it; None: a file by itself.
        """
        return compare_page(self.a, self.b, self.changes, served)


def compare_runs(graph: Graph, a: str, b: str) -> Comparison:
    """Gathers both.

    Args:
        graph: Lineage graph of the store.
        a: Id of the one run.
        b: Document of the second run.
    """
    found = find_diff(graph, a, b)
    changes = {
        group.name: [
            (change.path, change.a, change.b)
            for change in sorted(group.changes, key=lambda c: (-c.size(0.0), c.path))
        ][:_MOST_CHANGES]
        for group in found.groups
        if group.changes
    }
    return Comparison(gather(graph, a), gather(graph, b), changes)
