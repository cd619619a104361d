"""`fareline lineage verify`: do store and disk agree?"""

from typing import Annotated

import typer

from cli.answer import answer
from cli.options import DEFAULT_WORKSPACE, EXIT_FOUND, JsonOption, StoreOption, WorkspaceOption
from lineage.text.times import now
from runners.stores import open_graph, shown_below


def verify(
    no_hash: Annotated[
        bool, typer.Option("--no-hash", help="Check existence and size only, not content.")
    ] = False,
    stale_hours: Annotated[
        float,
        typer.Option(
            "--stale-hours",
            min=0,
            help="Treat executions marked as running as dead if they started this many hours ago.",
        ),
    ] = 24,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that store and disk agree, and find leftovers of a crash. Exit code 3: errors found."""
    from lineage.answers.verify.findings import ERROR
    from lineage.answers.verify.verify import verify as verify_store
    from lineage.answers.verify.view import draw_verification, verification_as_json
    from runners.publishing.interrupted import serving_folders
    from runners.workspace import Workspace

    graph, folders = open_graph(workspace, store), ()
    if store is None:
        here = Workspace(workspace.resolve())
        stale_hours = 0 if here.is_idle() else stale_hours
        folders = serving_folders(graph, here)
    found = verify_store(graph, now(), not no_hash, stale_hours, folders)
    content = verification_as_json(found)
    root = shown_below(workspace, store)
    answer(as_json, content, lambda console: draw_verification(console, found, root))
    raise typer.Exit(EXIT_FOUND if found.count(ERROR) else 0)
