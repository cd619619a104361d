"""Artifacts of any pipeline of a store, as TFX hands them to nodes.

Resolvers use it for artifacts of another pipeline, which TFX does not offer them.
"""

from collections.abc import Sequence

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.types import artifact_utils


def read_stored(store: metadata_store.MetadataStore, ids: Sequence[int]) -> list[types.Artifact]:
    """Reads artifacts by their ids; those that were deleted are left out.

    Args:
        store: Store of the pipelines.
        ids: Ids in it, each once.

    Returns:
        The artifacts, by ascending id.
    """
    deleted = metadata_store_pb2.Artifact.DELETED
    found = [a for a in store.get_artifacts_by_id(ids) if a.state != deleted] if ids else []
    kinds = store.get_artifact_types_by_id(sorted({a.type_id for a in found})) if found else []
    by_id = {kind.id: kind for kind in kinds}
    return [
        artifact_utils.deserialize_artifact(by_id[a.type_id], a)
        for a in sorted(found, key=lambda each: each.id)
    ]
