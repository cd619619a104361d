"""`fareline lineage explain-cache`: why a node executed instead of being cached."""

from typing import Annotated

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    StoreOption,
    WorkspaceOption,
    node_argument,
    run_argument,
)
from runners.stores import open_graph


def explain_cache(
    run: Annotated[str, run_argument("Run id, or latest.")],
    node: Annotated[str, node_argument("Node id, such as Trainer.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain why a node executed instead of being cached, root cause first."""
    from lineage.answers.cache.explain import explain_cache as explain
    from lineage.answers.cache.view import draw_explanations, explanations_as_json
    from lineage.ids import find_execution, find_run

    graph = open_graph(workspace, store)
    chain = explain(graph, find_execution(graph, f"{node}@{find_run(graph, run)}"))
    content = explanations_as_json(chain)
    answer(as_json, content, lambda console: draw_explanations(console, chain))
