"""`fareline ui`: all runs, their pages and the explorer, in a browser."""

from cli.options import (
    DEFAULT_PORT,
    DEFAULT_WORKSPACE,
    HostOption,
    JsonOption,
    OpenOption,
    PagesPortOption,
    StoreOption,
    WorkspaceOption,
)


def ui(
    port: PagesPortOption = DEFAULT_PORT,
    host: HostOption = "127.0.0.1",
    open_browser: OpenOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve all runs on this machine: a table of them, the page of each, and the explorer.

    The page updates while a pipeline runs. The server is read-only. The first
    line on stdout is the address. Ends with Ctrl-C.
    """
    from cli.views.site import Wish, serve

    serve(Wish(workspace, store, host, port, open_browser, as_json))
