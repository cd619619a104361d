"""Erases an entity from the feedback of a workspace, and records this in ML Metadata.

The versions of spans that held it are marked as deleted in the store before their folders go.
Called by `cli.feedback.erase`. Imports no TensorFlow.
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from fareline.digests import sha256_of_folder
from fareline.recorded import ERASE, FEEDBACK_SPAN
from lineage.facts.feedback import SpanPlace, mark_deleted, record_spans, unrecorded
from lineage.graph.elements import Artifact
from lineage.graph.graph import Graph
from monitoring.feedback.erasing import Erased, begin, end, erase
from runners.feedback.handing_in import folder_of
from runners.feedback.recording import join_of
from runners.publishing.entities import pseudonym_of_entities
from runners.stores import open_to_write
from runners.workspace import Workspace
from serving.server.log_files import OPEN, close_left_files

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings


@dataclasses.dataclass(frozen=True)
class Erasure:
    """The result of an erasure.

    Attributes:
        erased: Erased records.
        open_files: Files of the log that servers have open, which were not looked at.
        read_by: Printable ids of the Examples that were read from a version that held it.
    """

    erased: Erased
    open_files: int
    read_by: tuple[str, ...]


def erase_entity(root: Path, settings: "Settings", entity: str, reason: str) -> Erasure:
    """Erases all that is about an entity.

    Args:
        root: The workspace.
        settings: Settings with the name of the entity in the log.
        entity: Entity, as requests name it.
        reason: Reason, which is recorded.

    Raises:
        UserMistake: No record is about the entity.
        WorkspaceError: Somebody else is at work here.
    """
    pseudonym = pseudonym_of_entities(settings)
    named = entity if pseudonym is None else pseudonym(entity.encode()).decode()
    workspace, folder = Workspace(root), folder_of(root)
    with workspace.locked(), folder.locked():
        close_left_files(folder.logs)
        erased = erase(folder, begin(folder, named))
        places = {
            str(folder.place(span.span, span.version)): span
            for versions in folder.sealed().values()
            for span in versions
        }
        gone = [str(folder.place(span.span, span.version)) for span in erased.replaced]
        read_by: list[Artifact] = []
        if "://" in workspace.store_location or workspace.metadata_path.is_file():
            graph = Graph(open_to_write(root, None))
            replaced = [a for a in graph.artifacts_of_type(FEEDBACK_SPAN) if a.uri in gone]
            read_by = _examples_of(graph, replaced)
            new = [uri for uri in unrecorded(graph, places) if uri not in gone]
            if new:
                sealed = [SpanPlace(places[uri], uri, sha256_of_folder(uri)) for uri in new]
                record_spans(graph, join_of(folder, settings, ERASE, reason), sealed, replaced)
            mark_deleted(graph.store, replaced)
        end(folder, erased)
    open_files = len(list(folder.logs.glob(f"*{OPEN}")))
    return Erasure(erased, open_files, tuple(artifact.key for artifact in read_by))


def _examples_of(graph: Graph, spans: list[Artifact]) -> list[Artifact]:
    readers = [execution for span in spans for execution in graph.consumers(span)]
    found = [a for reader in readers for each in graph.outputs(reader).values() for a in each]
    return sorted({a for a in found if a.type == "Examples"}, key=lambda artifact: artifact.id)
