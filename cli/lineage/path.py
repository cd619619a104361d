"""`fareline lineage path`: how one thing led to another."""

from typing import Annotated

from cli.answer import answer
from cli.options import DEFAULT_WORKSPACE, JsonOption, StoreOption, WorkspaceOption, id_argument
from runners.stores import open_graph


def path(
    a: Annotated[str, id_argument("First id.", "A")],
    b: Annotated[str, id_argument("Second id.", "B")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the shortest paths between A and B. Exit code 0 even if there is no path."""
    from lineage.answers.chain.path_view import draw_paths
    from lineage.answers.chain.paths import find_paths, paths_as_json
    from lineage.ids import find

    graph = open_graph(workspace, store)
    found = find_paths(graph, find(graph, a), find(graph, b))
    answer(as_json, paths_as_json(found), lambda console: draw_paths(console, found))
