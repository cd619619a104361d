"""The pictures of an artifact, small and by themselves: those that the page of its run has.

Called by `report.ui`, whose explorer shows them beside an artifact, and by `report.api`, whose
artifacts show themselves so in a notebook.
"""

from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph
from report.run.document import Document
from report.run.gather import gather
from report.run.page import Served, picture_page
from report.run.sources import Sources

# Type of an artifact that has pictures, and the section of the run's page where they are whole.
PICTURED = {
    "Examples": "data",
    "ExampleStatistics": "data",
    "DataDecision": "data",
    "DataDrift": "data",
    "TunerResults": "training",
    "ModelRun": "training",
    "ModelEvaluation": "evaluation",
    "ModelBlessing": "evaluation",
    "InfraBlessing": "serving",
}


def run_with_pictures(graph: Graph, artifact: Artifact) -> str | None:
    """The run whose page has pictures of an artifact; None without one."""
    if _kind(artifact) not in PICTURED:
        return None
    made = [e for e in graph.producers(artifact) if e.place.run_id]
    made.sort(key=_was_cached)
    for execution in made:
        sources = Sources(graph, execution.place.run_id)
        if _shown(sources, artifact):
            return execution.place.run_id
    return None


def _was_cached(execution: Execution) -> bool:
    return execution.state == "cached"


def _shown(sources: Sources, artifact: Artifact) -> bool:
    """Whether the page of a run is about this one: the last of its type, or what came in."""
    kind = _kind(artifact)
    if kind == "Examples":
        return artifact in sources.run.examples[:1]
    key = "statistics" if kind == "ExampleStatistics" else None
    return sources.last(kind, key) == artifact


def _kind(artifact: Artifact) -> str:
    return artifact.type.rpartition(".")[2]


def pictures_page(graph: Graph, artifact: Artifact) -> str | None:
    """A page with an artifact's pictures alone; None if it has none.

    Args:
        graph: Lineage graph of the store.
        artifact: Artifact to show.
    """
    run_id = run_with_pictures(graph, artifact)
    return None if run_id is None else pictures_in(gather(graph, run_id), artifact)


def pictures_in(document: Document, artifact: Artifact, served: Served | None = None) -> str:
    """The pictures of an artifact, from the document of the run of `run_with_pictures`.

    Args:
        document: Document of that run.
        artifact: One that has pictures.
        served: Where a server shows them; None: by themselves.
    """
    kind = _kind(artifact)
    return picture_page(document, kind, PICTURED[kind], artifact.key, served)
