"""Finds the data that the training pipeline starts from, by the ids of its artifacts.

They belong to the data pipeline, whose artifacts TFX offers to no node of another one. Called by
TFX, for the node DataResolver of local runs. Clusters import the Examples by their URI.
"""

from collections.abc import Mapping

from ml_metadata.metadata_store import metadata_store
from tfx import types
from tfx.dsl.components.common.resolver import ResolverStrategy

from fareline.errors import UserMistake
from pipeline.resolvers.stored import read_stored


class PreparedDataStrategy(ResolverStrategy):
    """The artifacts with given ids.

    Args:
        ids: Output key to the id of the artifact.
    """

    def __init__(self, ids: Mapping[str, int]):
        self._ids = ids

    def resolve_artifacts(
        self, store: metadata_store.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Finds them.

        Args:
            store: Store of both pipelines.
            input_dict: Artifacts of the training pipeline, which are not used.

        Returns:
            The same keys, with one artifact each.

        Raises:
            UserMistake: An artifact was deleted since it was chosen.
        """
        found = {}
        for key in input_dict:
            found[key] = read_stored(store, [self._ids[key]] if key in self._ids else [])
            if not found[key]:
                raise UserMistake.explain(
                    "DataResolver",
                    f"its {key} with the id {self._ids.get(key)} is gone",
                    "expected the data that was chosen when the run began",
                    "start the run again, or run the data pipeline first",
                )
        return found
