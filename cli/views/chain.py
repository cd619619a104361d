"""The answer of `lineage upstream` and `lineage downstream`."""

from pathlib import Path

from cli.answer import answer
from runners.stores import open_graph


def show_chain(
    asked: str,
    is_upstream: bool,
    wanted: tuple[int | None, str | None, bool],
    place: tuple[Path, str | None],
    how: tuple[bool, bool],
) -> None:
    """Finds and prints a chain.

    Args:
        asked: Any id.
        is_upstream: Whether the chain is upstream; otherwise downstream.
        wanted: Depth, type of artifacts, and whether baselines are followed.
        place: Workspace, and the URI of a store or None.
        how: Whether as JSON, and whether wide parts are shown whole.
    """
    from lineage.answers.chain.chain import Wanted, chain_as_json, find_chain
    from lineage.ids import find_start

    as_json, show_all = how
    graph = open_graph(*place)
    limits = Wanted(*wanted, *([None] if show_all else []))
    chain = find_chain(graph, find_start(graph, asked), is_upstream, limits)
    if as_json:
        answer(True, chain_as_json(chain), lambda console: None)
        return
    from lineage.answers.chain.view import draw_chain

    answer(False, None, lambda console: draw_chain(console, chain, show_all))
