"""Finds the baseline of a local run: the latest blessed model, unless a person decided.

A model that was rolled back from is none, until it is promoted again or pinned. Compiled pipelines
know TFX's own strategies only: on Vertex the baseline is always the latest blessed model, on
Kubeflow the live one (`components.live_baseline`). Called by TFX, for the node BaselineResolver.
"""

from collections.abc import Sequence

from ml_metadata.metadata_store import metadata_store
from tfx import types
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)

from fareline.errors import UserMistake
from fareline.recorded import SAMPLE
from lineage.facts.baselines import PIN, RESET, Decision, decision_in_force
from lineage.facts.withdrawn import withdrawn_models
from lineage.graph.graph import Graph

MODEL_KEY, BLESSING_KEY = "model", "model_blessing"


class BaselineStrategy(LatestBlessedModelStrategy):
    """TFX's strategy, after what `fareline baseline` and `fareline rollback` have recorded.

    Args:
        pipeline: Name of the pipeline.
    """

    def __init__(self, pipeline: str):
        self._pipeline = pipeline

    def resolve_artifacts(
        self, store: metadata_store.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Finds the baseline.

        Args:
            store: Store of the pipeline.
            input_dict: All artifacts of the pipeline: `model`, `model_blessing`.

        Returns:
            The same keys, each with one artifact or none.

        Raises:
            UserMistake: The pinned model is not there any more.
        """
        decision = decision_in_force(store, self._pipeline)
        models, blessings = input_dict[MODEL_KEY], input_dict[BLESSING_KEY]
        if decision is not None and decision.action == PIN:
            pinned = [m for m in models if m.id == decision.model_id]
            if not pinned:
                raise UserMistake.explain(
                    "BaselineResolver",
                    f"Model:{decision.model_id}, which {decision.user} pinned, is gone",
                    "expected a model with its files",
                    "pin another one, or `fareline baseline unpin`",
                )
            of_it = [
                b
                for b in blessings
                if b.get_int_custom_property("current_model_id") == decision.model_id
            ]
            return {MODEL_KEY: pinned, BLESSING_KEY: of_it[-1:]}
        models, blessings = without_distrusted(store, decision, models, blessings)
        return super().resolve_artifacts(store, {MODEL_KEY: models, BLESSING_KEY: blessings})


def without_distrusted(
    store: metadata_store.MetadataStore,
    decision: Decision | None,
    models: Sequence[types.Artifact],
    blessings: Sequence[types.Artifact],
) -> tuple[list[types.Artifact], list[types.Artifact]]:
    """Leaves out blessings of before a reset, models rolled back from, and models of samples.

    Args:
        store: Store of the pipeline.
        decision: In force.
        models: To choose from.
        blessings: Blessings of the models.

    Returns:
        The models and the blessings that are left.
    """
    if decision is not None and decision.action == RESET:
        blessings = [b for b in blessings if _created(b) > decision.created]
    withdrawn = withdrawn_models(Graph(store)) if blessings else {}
    whole = [m for m in models if not m.has_custom_property(SAMPLE)]
    return [m for m in whole if m.id not in withdrawn], list(blessings)


def _created(artifact: types.Artifact) -> int:
    return artifact.mlmd_artifact.create_time_since_epoch
