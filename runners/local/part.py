"""The requested part of the graph. Imports no TFX."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Part:
    """The requested part of the graph.

    Attributes:
        from_nodes: First nodes of the part; empty: the first nodes of the graph.
        to_nodes: Last nodes of the part; empty: the last nodes of the graph.
        reused_run: Id of the run whose artifacts are used; None: the last good one.
    """

    from_nodes: Sequence[str] = ()
    to_nodes: Sequence[str] = ()
    reused_run: str | None = None
