"""The recorded versions per destination, with the model and the origin of each.

Called by `runners.publishing.published`, which compares them with the folders.
"""

import dataclasses

from fareline.recorded import COPY_OF_VERSION, SHA256
from lineage.answers.models.models import ModelRow, list_models
from lineage.facts.pushes import pushed_to
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph


@dataclasses.dataclass(frozen=True)
class PushedVersion:
    """One version at one destination.

    Attributes:
        destination: Folder or URI above the versions.
        number: Number of the version.
        artifact: The PushedModel that was recorded when it came there.
        model: The model; None if the store does not say.
        execution: Execution that published the version; None if the store has no record.
        copy_of: The version that rollback or promote copied; None if a run pushed it.
    """

    destination: str
    number: int
    artifact: Artifact
    model: ModelRow | None
    execution: Execution | None
    copy_of: int | None

    @property
    def origin(self) -> int:
        """The version that a run pushed with this content: itself, or the original of the copy."""
        return self.number if self.copy_of is None else self.copy_of

    @property
    def sha256(self) -> str | None:
        """SHA-256 of the files, as recorded; None in an older store or one of stock TFX."""
        digest = self.artifact.properties.get(SHA256)
        return digest if isinstance(digest, str) else None


def pushed_versions(graph: Graph) -> dict[str, list[PushedVersion]]:
    """Lists all versions that were ever pushed, per destination, the newest first."""
    known: dict[int, tuple[ModelRow, Execution]] = {}
    for row in list_models(graph):
        for push in row.facts.pushes:
            known.setdefault(push.artifact.id, (row, push.execution))
    found: dict[tuple[str, int], PushedVersion] = {}
    for artifact in graph.artifacts_of_type("PushedModel"):
        place = pushed_to(artifact)
        # A run that finds its model live already records that version once more.
        if place is not None and place not in found:
            row, execution = known.get(artifact.id, (None, None))
            copy_of = artifact.properties.get(COPY_OF_VERSION)
            found[place] = PushedVersion(*place, artifact, row, execution, copy_of)
    by_destination: dict[str, list[PushedVersion]] = {}
    for place in sorted(found, key=lambda place: (place[0], -place[1])):
        by_destination.setdefault(place[0], []).append(found[place])
    return by_destination
