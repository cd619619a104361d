"""`fareline promote`: a newer published version becomes the live one again."""

from cli.options import (
    DEFAULT_WORKSPACE,
    DestinationOption,
    JsonOption,
    ReasonOption,
    ToOption,
    WorkspaceOption,
)
from cli.views.live_version import change_live


def promote(
    to: ToOption = None,
    reason: ReasonOption = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    destination: DestinationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a newer version live again, after a rollback; by default the newest."""
    from fareline.recorded import PROMOTE

    change_live(workspace, (PROMOTE, to, " ".join(reason.split()), destination), as_json)
