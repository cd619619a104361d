"""`fareline undeploy`: versions on Vertex AI stop to cost money."""

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
        int | None, to_option("VERSION", "Version to end; it must get no requests.")
    ] = None,
    reason: ReasonOption = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    destination: DestinationOption = SHORT,
    everything: Annotated[bool, all_option("End everything, also what gets requests.")] = False,
    as_json: JsonOption = False,
) -> None:
    """End what is deployed on Vertex AI and gets no requests; with --all, everything."""
    from fareline.recorded import UNDEPLOY

    said = " ".join(reason.split())
    change_vertex(workspace, (UNDEPLOY, to, said, destination, everything), as_json)
