"""The models that learned from a file, a span or an artifact, and where they are served.

Used after bad or withdrawn data. Called by cli.lineage.impact; drawn by
lineage.answers.impact.view.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping

from ml_metadata.proto.metadata_store_pb2 import Execution as Proto

from lineage.answers.impact.files import Origin
from lineage.answers.impact.spread import Spread, find_spread
from lineage.facts.models import MODEL_KEY, live_models
from lineage.facts.relations import (
    BASELINE,
    EVALUATED,
    LEARNED,
    RELATIONS,
    baseline_distances,
    strongest_first,
)
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph
from lineage.graph.trace import BASELINE_KEY


@dataclasses.dataclass(frozen=True)
class AffectedModel:
    """One model and its relations to the source.

    Attributes:
        model: Artifact of type Model.
        relations: Relations of `lineage.facts.relations`, the strongest first.
        distance: Distance of a `baseline`: 1 if its own baseline is affected otherwise; else None.
        live_at: Where it is served: destinations with their versions.
    """

    model: Artifact
    relations: tuple[str, ...]
    distance: int | None
    live_at: tuple[str, ...]

    @property
    def relation(self) -> str:
        """The strongest."""
        return self.relations[0]

    @property
    def learned(self) -> bool:
        """Whether the data affects the content of the model, not only its evaluation."""
        return self.relation in LEARNED

    @property
    def is_far(self) -> bool:
        """Whether only a baseline further along the chain is affected, not its own."""
        return self.relation == BASELINE and (self.distance or 0) > 1


@dataclasses.dataclass(frozen=True)
class Impact:
    """The result of the search.

    Attributes:
        origin: Requested origin.
        models: Affected models, the strongest relation first, then the live, then the newest.
        reached: Artifact type to the number of derived artifacts, without models.
        unfinished: Executions that read the data or derived data, and failed or never ended.
    """

    origin: Origin
    models: tuple[AffectedModel, ...]
    reached: Mapping[str, int]
    unfinished: tuple[Execution, ...]

    @property
    def learned(self) -> list[AffectedModel]:
        """The models that learned from the source."""
        return [model for model in self.models if model.learned]

    @property
    def live(self) -> list[AffectedModel]:
        """Those of them that are served."""
        return [model for model in self.learned if model.live_at]


def find_impact(graph: Graph, origin: Origin) -> Impact:
    """Walks downstream from the origin and returns the models that depend on it.

    Args:
        graph: To walk in.
        origin: From `lineage.answers.impact.origin.find_origin`.
    """
    spread = find_spread(graph, origin.starts)
    relations, distances = _relations(graph, spread)
    live = live_models(graph)
    affected = [
        AffectedModel(
            model,
            tuple(strongest_first(relations[model.id])),
            distances.get(model.id),
            tuple(live.get(model.id, ())),
        )
        for model in graph.artifacts(relations)
    ]
    starts = {artifact.id for artifact in origin.starts}
    reached = Counter(
        a.type for a in spread.reached.values() if a.id not in starts and a.type != "Model"
    )
    return Impact(
        origin,
        tuple(sorted(affected, key=_rank)),
        dict(sorted(reached.items())),
        tuple(_unfinished(graph, spread)),
    )


def _rank(model: AffectedModel) -> tuple[int, int, bool, int]:
    return (
        RELATIONS.index(model.relation),
        model.distance or 0,
        not model.live_at,
        -model.model.id,
    )


def _relations(graph: Graph, spread: Spread) -> tuple[dict[int, set[str]], dict[int, int]]:
    """Relations of every affected model by id, and the distance of those that are baselines."""
    models = graph.artifacts_of_type("Model")
    relations = {m.id: set(spread.carried[m.id]) for m in models if m.id in spread.carried}
    for model_id in spread.judged:
        relations.setdefault(model_id, set()).add(EVALUATED)
    compared_with = _compared_with(graph, [model.id for model in models])
    distances = baseline_distances(relations, compared_with)
    direct = {model for baseline in relations for model in compared_with.get(baseline, ())}
    distances |= dict.fromkeys(direct, 1)
    for model_id in distances:
        relations.setdefault(model_id, set()).add(BASELINE)
    return relations, distances


def _compared_with(graph: Graph, model_ids: list[int]) -> dict[int, set[int]]:
    """Id of each baseline to the ids of the models that were compared with it, itself left out."""
    models: dict[int, set[int]] = {}
    baselines: dict[int, set[int]] = {}
    for link in graph.links_of_artifacts(model_ids):
        for key, known in ((MODEL_KEY, models), (BASELINE_KEY, baselines)):
            if not link.is_output and key in link.keys:
                known.setdefault(link.execution_id, set()).add(link.artifact_id)
    compared: dict[int, set[int]] = {}
    for execution_id, found in baselines.items():
        for baseline in found:
            others = models.get(execution_id, set()) - {baseline}
            compared.setdefault(baseline, set()).update(others)
    return compared


def _unfinished(graph: Graph, spread: Spread) -> list[Execution]:
    # Nodes without outputs, such as gates, are many: only the few that did not end get a place.
    silent = graph.store.get_executions_by_id(sorted(spread.silent)) if spread.silent else []
    ended = (Proto.COMPLETE, Proto.CACHED)
    return graph.executions(e.id for e in silent if e.last_known_state not in ended)
