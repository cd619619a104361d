"""`fareline rollback`: an older published version becomes the live one."""

from cli.options import (
    DEFAULT_WORKSPACE,
    DestinationOption,
    JsonOption,
    ReasonOption,
    ToOption,
    WorkspaceOption,
)
from cli.views.live_version import change_live
from fareline.errors import UserMistake


def rollback(
    to: ToOption = None,
    reason: ReasonOption = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    destination: DestinationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an older version live again; by default the previous one."""
    from fareline.recorded import ROLLBACK

    said = " ".join(reason.split())
    if not said:
        raise UserMistake.explain(
            "rollback",
            "without a reason",
            "expected --reason TEXT",
            "say in a few words why; the reason is recorded",
        )
    change_live(workspace, (ROLLBACK, to, said, destination), as_json)
