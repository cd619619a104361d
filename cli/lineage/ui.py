"""`fareline lineage ui`: the explorer in a browser."""

import webbrowser
from typing import Annotated

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    HostOption,
    JsonOption,
    OpenOption,
    StoreOption,
    WorkspaceOption,
)
from runners.stores import open_graph

DEFAULT_PORT = 8787


def ui(
    target: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="What to open on.", show_default="the last run"),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes any free one.")
    ] = DEFAULT_PORT,
    host: HostOption = "127.0.0.1",
    open_browser: OpenOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the explorer on this machine; a reload shows what a running pipeline has added.

    The first line on stdout is the address. Ends with Ctrl-C.
    """
    from lineage.ids import find
    from report.explorer.page import explorer_page
    from report.explorer.server import ExplorerServer

    def make_page() -> str:
        graph = open_graph(workspace, store)
        return explorer_page(graph, find(graph, target) if target else None)

    make_page()  # a mistake is said here, not in the browser
    server = ExplorerServer(host, port, make_page)
    answer(as_json, {"url": server.url}, server.url, indent=None)
    typer.echo("Ctrl-C ends it.", err=True)
    if open_browser:
        webbrowser.open(server.url)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        typer.echo("\nThe explorer has ended.", err=True)
    finally:
        server.server_close()
