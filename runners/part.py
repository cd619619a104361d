"""The requested part of the graph. Imports no TFX."""

import dataclasses
from collections.abc import Collection, Sequence

from fareline.errors import UserMistake
from fareline.near import near_names


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


def require_node(name: str, nodes: Collection[str]) -> None:
    """Refuses a node that a graph does not have.

    Args:
        name: Id that the user gave.
        nodes: Ids of all nodes.

    Raises:
        UserMistake: There is no such node.
    """
    if name not in nodes:
        near = near_names(name, nodes)
        raise UserMistake.explain(
            name,
            "the pipeline has no such node",
            f"expected one of {', '.join(nodes)}",
            f"did you mean {near[0]}" if near else "`fareline step graph` lists them",
        )
