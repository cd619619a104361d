"""`lineage upstream`, `lineage downstream`, `lineage path`."""

from pathlib import Path
from typing import Annotated

import typer

from runners.lineage_commands.app import (
    DEFAULT_WORKSPACE,
    JsonOption,
    StoreOption,
    WorkspaceOption,
    answer,
    app,
    open_graph,
)

IdArgument = Annotated[
    str,
    typer.Argument(metavar="ID", help="Such as Model:12, Trainer@RUN, a run, latest or live."),
]
DepthOption = Annotated[
    int | None,
    typer.Option("--depth", min=1, help="So many steps; from an artifact to its execution is one."),
]
TypeOption = Annotated[
    str | None,
    typer.Option(
        "--type", metavar="TYPE", help="Only branches that lead to artifacts of this type."
    ),
]
BaselinesOption = Annotated[
    bool,
    typer.Option("--through-baselines", help="Follow models that were only compared with, too."),
]
AllOption = Annotated[bool, typer.Option("--all", help="Cut no wide fan.")]


@app.command()
def upstream(
    asked: IdArgument,
    depth: DepthOption = None,
    kind: TypeOption = None,
    through_baselines: BaselinesOption = False,
    show_all: AllOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all that something came from, down to the source files."""
    wanted = (depth, kind, through_baselines)
    _show_chain(asked, True, wanted, (workspace, store), (as_json, show_all))


@app.command()
def downstream(
    asked: IdArgument,
    depth: DepthOption = None,
    kind: TypeOption = None,
    through_baselines: BaselinesOption = False,
    show_all: AllOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all that came from something."""
    wanted = (depth, kind, through_baselines)
    _show_chain(asked, False, wanted, (workspace, store), (as_json, show_all))


@app.command()
def path(
    a: Annotated[str, typer.Argument(metavar="A", help="Any id.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Any other.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how A led to B, or B to A: the shortest ways. No path is an answer: exit code 0."""
    from lineage.ids import find
    from lineage.path_drawing import draw_paths
    from lineage.paths import find_paths, paths_as_json

    graph = open_graph(workspace, store)
    found = find_paths(graph, find(graph, a), find(graph, b))
    answer(as_json, paths_as_json(found), lambda console: draw_paths(console, found))


def _show_chain(
    asked: str,
    is_upstream: bool,
    wanted: tuple[int | None, str | None, bool],
    place: tuple[Path, str | None],
    how: tuple[bool, bool],
) -> None:
    from lineage.ids import find
    from lineage.trees import Wanted, chain_as_json, find_chain

    as_json, show_all = how
    graph = open_graph(*place)
    chain = find_chain(graph, find(graph, asked), is_upstream, Wanted(*wanted))
    if as_json:
        answer(True, chain_as_json(chain), lambda console: None)
        return
    from lineage.tree_drawing import draw_chain

    answer(False, None, lambda console: draw_chain(console, chain, show_all))
