"""Models that a rollback has withdrawn and no promotion restored: no baselines for new models.

TFX uses the latest blessed model as the baseline. A model with good metrics that fails in use would
block all better models after it. Called by the pipeline's baseline strategy,
`lineage.answers.prune.prune`, `lineage.answers.why.why` and `cli.baseline`.
"""

from fareline.recorded import DESTINATION, FROM_VERSION, PROMOTE, ROLLBACK
from lineage.facts.pushes import pushed_to
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph

_MODEL = "model"


def withdrawn_models(graph: Graph, before: int | None = None) -> dict[int, Execution]:
    """Finds the models that a person has withdrawn.

    A rollback withdraws the model that was live, wherever else it may be served; a rollback or
    `promote` to a model brings it back. Reads the pushes only if there was a rollback at all.

    Args:
        graph: To look in.
        before: Id of an execution: what held when it was registered; None: now.

    Returns:
        Id of the Model to the rollback that withdrew it.
    """
    found = [
        *graph.store.get_executions_by_type(ROLLBACK),
        *graph.store.get_executions_by_type(PROMOTE),
    ]
    ids = sorted(e.id for e in found if before is None or e.id < before)
    changes = [change for change in graph.executions(ids) if change.state == "executed"]
    withdrawn: dict[int, Execution] = {}
    pushed: dict[tuple[str, int], Artifact] = {}
    if changes:
        for artifact in graph.artifacts_of_type("PushedModel"):
            if place := pushed_to(artifact):
                pushed.setdefault(place, artifact)
    for change in changes:
        values = change.properties
        was_live = pushed.get((str(values.get(DESTINATION)), int(values.get(FROM_VERSION) or 0)))
        if change.type == ROLLBACK and was_live is not None:
            withdrawn |= dict.fromkeys(_models_in(graph, was_live), change)
        for model in graph.inputs(change).get(_MODEL, []):
            withdrawn.pop(model.id, None)
    return withdrawn


def _models_in(graph: Graph, pushed_model: Artifact) -> set[int]:
    """Ids of the models that were put into a PushedModel: several only if runs share it."""
    return {
        model.id
        for producer in graph.producers(pushed_model)
        for model in graph.inputs(producer).get(_MODEL, [])
    }
