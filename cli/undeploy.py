"""`fareline undeploy`: removes versions from the endpoint on Vertex AI, which ends their costs."""

from typing import Annotated

from cli.options import (
    DEFAULT_WORKSPACE,
    DestinationOption,
    JsonOption,
    ReasonOption,
    WorkspaceOption,
    all_option,
    to_option,
)
from cli.views.on_vertex import change_vertex
from fareline.recorded.vertex import SHORT


def undeploy(
    to: Annotated[
        int | None, to_option("VERSION", "Version to undeploy; it must get no requests.")
    ] = None,
    reason: ReasonOption = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    destination: DestinationOption = SHORT,
    everything: Annotated[
        bool, all_option("Undeploy all versions, also those with requests.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Undeploy the versions on Vertex AI that get no requests; with --all, all versions."""
    from fareline.recorded import UNDEPLOY

    said = " ".join(reason.split())
    change_vertex(workspace, (UNDEPLOY, to, said, destination, everything), as_json)
