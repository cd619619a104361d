"""`fareline why`: why a model was blessed and pushed, or was not. Registered in `cli.app`."""

from typing import Annotated

from cli.answer import answer
from cli.options import DEFAULT_WORKSPACE, JsonOption, StoreOption, WorkspaceOption, id_argument
from runners.stores import open_graph


def why(
    target: Annotated[
        str,
        id_argument(
            "Id such as Model:12, a run, the URI of a version, a failed node, or live.",
            "MODEL|RUN",
        ),
    ] = "latest",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain why a model was or was not published; default: that of the latest run."""
    from lineage.answers.why.view import why_lines
    from lineage.answers.why.why import why_model, why_run
    from lineage.facts.failures import failure_of
    from lineage.graph.elements import Execution
    from lineage.ids import RunKey, find, find_model
    from lineage.text.tables import print_line

    graph = open_graph(workspace, store)
    found = find(graph, target)
    if isinstance(found, RunKey):
        told = why_run(graph, found.run_id)
    elif isinstance(found, Execution) and found.place.run_id and failure_of(found):
        told = why_run(graph, found.place.run_id)  # it made no model, and this says why
    else:
        told = why_model(graph, find_model(graph, target))

    def draw(console) -> None:
        from rich.text import Text

        for line in why_lines(told):
            print_line(console, Text(line))

    answer(as_json, told, draw)
