"""Finds the hyperparameters that a local run reuses: those of the last blessed model.

The result depends only on the data: it uses models that existed when this data was first read.
Otherwise a second run of the same data would find other hyperparameters and never come from the
cache. Models of the same data, or of newer data when an older span is run again, are therefore not
used. Decisions of a person about models count at any time, as for BaselineResolver.

Called by TFX, for the node LastHyperparameters. Clusters execute no strategy of ours.
"""

from collections.abc import Iterable, Sequence

from ml_metadata.metadata_store import metadata_store
from tfx import types
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)

from fareline.recorded.data import sample_of
from lineage.facts.baselines import PIN, decision_in_force
from lineage.graph.graph import Graph
from pipeline.artifacts import RETUNES, DataDrift
from pipeline.resolvers.baseline import BLESSING_KEY, MODEL_KEY, without_distrusted
from pipeline.resolvers.stored import read_stored

EXAMPLES_KEY, HYPERPARAMETERS_KEY, DRIFT_KEY = "examples", "hyperparameters", "earlier_drift"


class LastHyperparametersStrategy(LatestBlessedModelStrategy):
    """The HyperParameters that the last blessed model was trained with, and drift since then.

    Args:
        pipeline: Name of the pipeline.
        data_pipeline: Name of the pipeline that records the drift, if it is another one.
    """

    def __init__(self, pipeline: str, data_pipeline: str = ""):
        self._pipeline, self._data_pipeline = pipeline, data_pipeline

    def resolve_artifacts(
        self, store: metadata_store.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Finds them.

        Ids ascend: what has a smaller id than the Examples was there before them.

        Args:
            store: Store of the pipeline.
            input_dict: `examples` of the run; all artifacts of the pipeline: `model`,
                `model_blessing`, `hyperparameters`, `earlier_drift`.

        Returns:
            The same keys: `hyperparameters` with one artifact or none; `model` and its blessing
            likewise; `earlier_drift` with those that call for a new search and are of data that no
            blessed model was trained on; `examples` empty.
        """
        if self._data_pipeline:
            input_dict = {**input_dict, DRIFT_KEY: _drift_of(store, self._data_pipeline)}
        found: dict[str, list[types.Artifact]] = {key: [] for key in input_dict}
        first_use = min((each.id for each in input_dict[EXAMPLES_KEY]), default=0)
        there = {
            key: [artifact for artifact in artifacts if artifact.id < first_use]
            for key, artifacts in input_dict.items()
        }
        found |= self._baseline(store, there[MODEL_KEY], there[BLESSING_KEY])
        if not found[MODEL_KEY]:
            return found
        [model], graph = found[MODEL_KEY], Graph(store)
        read = _inputs_of(graph, model.id, "HyperParameters")
        found[HYPERPARAMETERS_KEY] = [a for a in there[HYPERPARAMETERS_KEY] if a.id in read][-1:]
        since = sorted((d for d in there[DRIFT_KEY] if d.id > model.id), key=lambda drift: drift.id)
        # Data may have been compared again, by other rules: the last comparison of it counts.
        by_data = {_inputs_of(graph, drift.id, "Examples"): drift for drift in since}
        by_data = {ids: drift for ids, drift in by_data.items() if not _has_sample(graph, ids)}
        found[DRIFT_KEY] = [d for d in by_data.values() if d.get_int_custom_property(RETUNES)]
        return found

    def _baseline(
        self,
        store: metadata_store.MetadataStore,
        models: Sequence[types.Artifact],
        blessings: Sequence[types.Artifact],
    ) -> dict[str, list[types.Artifact]]:
        """The pinned model if it is among these, else the latest blessed of them."""
        decision = decision_in_force(store, self._pipeline)
        if decision is not None and decision.action == PIN:
            pinned = [model for model in models if model.id == decision.model_id]
            if pinned:
                return {MODEL_KEY: pinned}
        models, blessings = without_distrusted(store, decision, models, blessings)
        return super().resolve_artifacts(store, {MODEL_KEY: models, BLESSING_KEY: blessings})


def _drift_of(store: metadata_store.MetadataStore, pipeline: str) -> list[types.Artifact]:
    """All recorded drift of a pipeline."""
    graph = Graph(store)
    links = graph.links_of_executions(graph.places.members_of_pipeline(pipeline))
    ids = sorted({link.artifact_id for link in links if link.is_output})
    drift = [each.id for each in graph.artifacts(ids) if each.type == DataDrift.TYPE_NAME]
    return read_stored(store, drift)


def _has_sample(graph: Graph, examples: Iterable[int]) -> bool:
    return any(sample_of(each) is not None for each in graph.artifacts(examples))


def _inputs_of(graph: Graph, artifact_id: int, kind: str) -> frozenset[int]:
    """Ids of what an artifact was made of, of one type.

    A cached execution may have no inputs, so every producer is asked.
    """
    return frozenset(
        read.id
        for artifact in graph.artifacts([artifact_id])
        for producer in graph.producers(artifact)
        for artifacts in graph.inputs(producer).values()
        for read in artifacts
        if read.type == kind
    )
