"""`fareline lineage diff`: what differs between two runs or models."""

from typing import Annotated

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    ShowAllOption,
    StoreOption,
    WorkspaceOption,
    id_argument,
)
from runners.stores import open_graph


def diff(
    a: Annotated[str, id_argument("A run, a model, or an id that leads to one.", "A")],
    b: Annotated[str, id_argument("Run or model to compare with.", "B")],
    show_all: ShowAllOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the differences between two runs or models, and the groups without differences."""
    from lineage.answers.diff.diff import find_diff
    from lineage.answers.diff.view import diff_as_json, draw_diff

    found = find_diff(open_graph(workspace, store), a, b)
    content = diff_as_json(found) if as_json else None
    answer(as_json, content, lambda console: draw_diff(console, found, show_all))
