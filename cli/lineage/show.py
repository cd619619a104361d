"""`fareline lineage show`: one artifact, execution, run or pipeline, decoded."""

from cli.answer import answer
from cli.options import DEFAULT_WORKSPACE, IdArgument, JsonOption, StoreOption, WorkspaceOption
from runners.stores import open_graph


def show(
    asked: IdArgument,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one artifact, execution, run or pipeline, decoded."""
    from lineage.answers.show.show import describe
    from lineage.answers.show.view import draw
    from lineage.ids import find

    graph = open_graph(workspace, store)
    content = describe(graph, find(graph, asked))
    answer(as_json, content, lambda console: draw(console, content))
