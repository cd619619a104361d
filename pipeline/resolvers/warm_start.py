"""Finds the model whose weights Trainer starts with in a local run, by its id.

Called by TFX, for the node WarmStartResolver. On clusters the baseline is that model.
"""

from ml_metadata.metadata_store import metadata_store
from tfx import types
from tfx.dsl.components.common.resolver import ResolverStrategy

from pipeline.resolvers.baseline import MODEL_KEY


class WarmStartStrategy(ResolverStrategy):
    """The model with an id.

    Args:
        model_id: Id of the model; 0: none.
    """

    def __init__(self, model_id: int):
        self._model_id = model_id

    def resolve_artifacts(
        self, store: metadata_store.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Finds it.

        Args:
            store: Store of the pipeline.
            input_dict: All artifacts of the pipeline: `model`.

        Returns:
            The same key, with one artifact or none.
        """
        return {MODEL_KEY: [m for m in input_dict[MODEL_KEY] if m.id == self._model_id]}
