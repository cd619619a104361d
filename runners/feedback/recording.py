"""Records sealed spans of a workspace in its store, if they are not recorded yet.

The next build records the spans that a killed build has sealed. Called by
`runners.feedback.sealing` and `runners.feedback.erasure`.
"""

from typing import TYPE_CHECKING

from fareline.digests import sha256_of_folder
from fareline.errors import WorkspaceError
from lineage.facts.feedback import Join, SpanPlace, record_spans, unrecorded
from lineage.graph.graph import Graph
from monitoring.feedback.folders import FeedbackFolder
from runners.provenance import login_name
from runners.stores import open_to_write
from runners.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings


def join_of(folder: FeedbackFolder, settings: "Settings", kind: str, reason: str = "") -> Join:
    """Record of a build or an erasure."""
    return Join(kind, settings.name, str(folder.logs), str(folder.outcomes), login_name(), reason)


def record_sealed(workspace: Workspace, folder: FeedbackFolder, join: Join) -> list[str]:
    """Records every version of a span that the store does not know.

    Returns:
        Why it was not done, in a sentence; empty if it was.
    """
    if "://" not in workspace.store_location and not workspace.metadata_path.is_file():
        return ["nothing is recorded in ML Metadata: the workspace has no store yet"]
    try:
        with workspace.locked():
            graph = Graph(open_to_write(workspace.root, None))
            spans = {
                str(folder.place(span.span, span.version)): span
                for versions in folder.sealed().values()
                for span in versions
            }
            new = unrecorded(graph, spans)
            if new:
                places = [SpanPlace(spans[uri], uri, sha256_of_folder(uri)) for uri in new]
                record_spans(graph, join, places)
    except WorkspaceError as error:
        return [f"the next `fareline feedback build` records it in ML Metadata: {error}"]
    return []
