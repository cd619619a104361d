"""`fareline lineage downstream`: all that came from something."""

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


def downstream(
    asked: IdArgument,
    depth: DepthOption = None,
    kind: TypeOption = None,
    through_baselines: BaselinesOption = False,
    show_all: ShowAllOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything derived from an artifact, execution or run."""
    wanted = (depth, kind, through_baselines)
    show_chain(asked, False, wanted, (workspace, store), (as_json, show_all))
