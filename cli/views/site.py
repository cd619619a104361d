"""Serving pages until Ctrl-C: what `fareline ui` and `fareline lineage ui` do."""

import dataclasses
import webbrowser
from pathlib import Path

import typer

from cli.answer import answer
from runners.stores import open_graph, store_of


@dataclasses.dataclass(frozen=True)
class Wish:
    """The user's request.

    Attributes:
        workspace: Folder.
        store: Instead of the workspace's; None: the workspace's.
        host: To listen on.
        port: Port of the server; 0: any free port.
        open_browser: Whether a browser is opened.
        as_json: Whether the address is printed as JSON.
    """

    workspace: Path
    store: str | None
    host: str
    port: int
    open_browser: bool
    as_json: bool


def serve(wish: Wish, focus: str | None = None, opens_on_explorer: bool = False) -> None:
    """Serves the pages of a store.

    Args:
        wish: Store and place of the server.
        focus: Element that the explorer opens on; None for the last run.
        opens_on_explorer: Whether the explorer is the first page, and not the table of runs.

    Raises:
        UserMistake: There is no store, no such thing in it, or the address cannot be had.
    """
    from lineage.graph.current import CurrentGraph
    from lineage.ids import find
    from report.server import PageServer
    from report.ui.site import Site
    from runners.workspace import Workspace

    location = store_of(wish.workspace, wish.store)
    current = CurrentGraph(location, lambda: open_graph(wish.workspace, wish.store))
    graph = current.graph()  # a mistake is said here, not in the browser
    if focus is not None:
        find(graph, focus)
    logs = Workspace(wish.workspace.resolve()).logs_dir if wish.store is None else None
    name = str(wish.workspace) if wish.store is None else location
    site = Site(name, current, logs, focus, opens_on_explorer)
    server = PageServer(wish.host, wish.port, site.find_page)
    answer(wish.as_json, {"url": server.url}, server.url, indent=None)
    typer.echo("Ctrl-C ends it.", err=True)
    if wish.open_browser:
        webbrowser.open(server.url)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        what = "explorer" if opens_on_explorer else "server"
        typer.echo(f"\nThe {what} has ended.", err=True)
    finally:
        server.server_close()
