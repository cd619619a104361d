"""Which models learned from a file, a span or any artifact, and where they are now.

The question after bad or withdrawn data. Called by runners.lineage_commands.compare; drawn by
lineage.impact_view.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping

from lineage.elements import Artifact, Execution
from lineage.graph import Graph
from lineage.impact_files import Origin
from lineage.model_facts import MODEL_KEY, ModelFacts, facts_of_models
from lineage.relations import (
    BASELINE,
    EVALUATED,
    LEARNED,
    RELATIONS,
    baseline_distances,
    carry,
    judges,
    starts_as,
    strongest_first,
)
from lineage.trace import BASELINE_KEY, Step, Trace, trace_downstream


@dataclasses.dataclass(frozen=True)
class AffectedModel:
    """One model and how it hangs on what was asked about.

    Attributes:
        facts: Its blessings, pushes and runs.
        relations: Of `lineage.relations`, the strongest first.
        distance: Of a `baseline`: 1 if its own baseline is affected otherwise; else None.
    """

    facts: ModelFacts
    relations: tuple[str, ...]
    distance: int | None = None

    @property
    def relation(self) -> str:
        """The strongest."""
        return self.relations[0]

    @property
    def learned(self) -> bool:
        """Whether it is in the model's content, not only in the judgement of it."""
        return self.relation in LEARNED

    @property
    def live(self) -> bool:
        """Whether it is served."""
        return self.facts.live


@dataclasses.dataclass(frozen=True)
class Impact:
    """What came of it.

    Attributes:
        origin: What was asked about.
        models: Affected models, those that learned first, then by relation and age.
        reached: Artifact type to the number of artifacts that came of it, models left out.
        unfinished: Executions that read it, or what came of it, and ended or stand without output.
    """

    origin: Origin
    models: tuple[AffectedModel, ...]
    reached: Mapping[str, int]
    unfinished: tuple[Execution, ...]

    @property
    def learned(self) -> list[AffectedModel]:
        """The models that learned from it."""
        return [model for model in self.models if model.learned]

    @property
    def live(self) -> list[AffectedModel]:
        """Those of them that are served."""
        return [model for model in self.learned if model.live]


def find_impact(graph: Graph, origin: Origin) -> Impact:
    """Walks down from the origin and says which models hang on it.

    Args:
        graph: To walk in.
        origin: From `lineage.impact_origin.find_origin`.
    """
    trace = trace_downstream(graph, origin.starts)
    carried = _carried(trace)
    relations: dict[int, set[str]] = {
        artifact.id: set(found) for artifact, found in carried.items() if artifact.type == "Model"
    }
    for model_id in _judged(graph, trace, carried):
        relations.setdefault(model_id, set()).add(EVALUATED)
    compared_with = _compared_with(graph)
    distances = baseline_distances(relations, compared_with)
    direct = {model for baseline in relations for model in compared_with.get(baseline, ())}
    for model_id in direct & set(relations):
        relations[model_id].add(BASELINE)
        distances[model_id] = 1
    relations |= {i: {BASELINE} for i in distances if i not in relations}
    affected = [
        AffectedModel(
            facts,
            tuple(strongest_first(relations[facts.model.id])),
            distances.get(facts.model.id),
        )
        for facts in facts_of_models(graph, graph.artifacts(relations))
    ]
    return Impact(
        origin,
        tuple(sorted(affected, key=_rank)),
        dict(sorted(_reached(trace).items())),
        tuple(_unfinished(trace)),
    )


def _rank(model: AffectedModel) -> tuple[int, int, int]:
    """By relation, the live ones first, the newest first."""
    return (RELATIONS.index(model.relation), not model.live, -model.facts.model.id)


def _carried(trace: Trace) -> dict[Artifact, set[str]]:
    """What every artifact of a walk carries of its start."""
    carried: dict[Artifact, set[str]] = {}
    readers: dict[Artifact, list[Step]] = {}
    outputs: dict[Execution, list[Artifact]] = {}
    for step in trace.steps:
        if isinstance(step.source, Artifact) and isinstance(step.target, Execution):
            readers.setdefault(step.source, []).append(step)
        elif isinstance(step.source, Execution) and isinstance(step.target, Artifact):
            outputs.setdefault(step.source, []).append(step.target)
    waiting: list[tuple[Artifact, str]] = []
    for start in trace.starts:
        if isinstance(start, Artifact) and (own := starts_as(start.type)):
            waiting.append((start, own))
    while waiting:
        artifact, relation = waiting.pop()
        known = carried.setdefault(artifact, set())
        if relation in known:
            continue
        known.add(relation)
        for step in readers.get(artifact, ()):
            for output in outputs.get(step.target, ()):  # type: ignore[call-overload]
                following = carry(relation, step.keys, output.type)
                if following:
                    waiting.append((output, following))
    return carried


def _judged(graph: Graph, trace: Trace, carried: Mapping[Artifact, Iterable[str]]) -> set[int]:
    """Ids of the models that were judged on something that carries it, other than the model."""
    judging = {
        step.source
        for step in trace.steps
        if isinstance(step.source, Execution)
        and isinstance(step.target, Artifact)
        and judges([step.target.type])
    }
    on_it = {
        step.target.id
        for step in trace.steps
        if step.target in judging and step.source in carried and MODEL_KEY not in step.keys
        if not step.is_baseline
    }
    links = graph.links_of_executions(sorted(on_it))
    return {k.artifact_id for k in links if not k.is_output and MODEL_KEY in k.keys}


def _compared_with(graph: Graph) -> dict[int, set[int]]:
    """Id of each baseline to the ids of the models that were compared with it, itself left out."""
    models: dict[int, set[int]] = {}
    baselines: dict[int, set[int]] = {}
    all_models = [artifact.id for artifact in graph.artifacts_of_type("Model")]
    for link in graph.links_of_artifacts(all_models):
        for key, known in ((MODEL_KEY, models), (BASELINE_KEY, baselines)):
            if not link.is_output and key in link.keys:
                known.setdefault(link.execution_id, set()).add(link.artifact_id)
    compared: dict[int, set[int]] = {}
    for execution_id, found in baselines.items():
        for baseline in found:
            others = models.get(execution_id, set()) - {baseline}
            compared.setdefault(baseline, set()).update(others)
    return compared


def _reached(trace: Trace) -> Counter[str]:
    starts = set(trace.starts)
    found = (a for a in trace.artifacts() if a not in starts and a not in trace.not_followed)
    return Counter(artifact.type for artifact in found if artifact.type != "Model")


def _unfinished(trace: Trace) -> list[Execution]:
    made = {step.source for step in trace.steps}
    ended = [e for e in trace.executions() if e.state in ("failed", "running")]
    return [execution for execution in ended if execution not in made]
