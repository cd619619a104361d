"""`fareline lineage upstream`: all that something came from."""

from cli.options import (
    DEFAULT_WORKSPACE,
    BaselinesOption,
    DepthOption,
    IdArgument,
    JsonOption,
    ShowAllOption,
    StoreOption,
    TypeOption,
    WorkspaceOption,
)
from cli.views.chain import show_chain


def upstream(
    asked: IdArgument,
    depth: DepthOption = None,
    kind: TypeOption = None,
    through_baselines: BaselinesOption = False,
    show_all: ShowAllOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything that an artifact, execution or run was derived from, down to source files."""
    wanted = (depth, kind, through_baselines)
    show_chain(asked, True, wanted, (workspace, store), (as_json, show_all))
