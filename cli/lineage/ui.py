"""`fareline lineage ui`: the explorer in a browser."""

from typing import Annotated

from cli.options import (
    DEFAULT_PORT,
    DEFAULT_WORKSPACE,
    HostOption,
    JsonOption,
    OpenOption,
    PagesPortOption,
    StoreOption,
    WorkspaceOption,
    id_argument,
)


def ui(
    target: Annotated[
        str | None,
        id_argument("Run, artifact or execution to show first.", show_default="the last run"),
    ] = None,
    port: PagesPortOption = DEFAULT_PORT,
    host: HostOption = "127.0.0.1",
    open_browser: OpenOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the explorer on this machine: `fareline ui`, opened on the lineage of an id.

    The first line on stdout is the address. Ends with Ctrl-C.
    """
    from cli.views.site import Wish, serve

    wish = Wish(workspace, store, host, port, open_browser, as_json)
    serve(wish, focus=target, opens_on_explorer=True)
