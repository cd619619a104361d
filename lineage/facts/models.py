"""Facts of models, read in bulk: producers, verdicts and pushes.

Called by lineage.answers.impact.impact, lineage.answers.models.models and
lineage.answers.diff.diff.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from fareline.recorded import COPY_OF_VERSION
from lineage.facts.pushes import live_pushes, pushed_to
from lineage.graph.elements import Artifact, Execution, Link
from lineage.graph.graph import Graph
from lineage.text.harmless import plain

MODEL_KEY = "model"
BLESSINGS = ("ModelBlessing", "InfraBlessing")
_INFRA_BLESSED = "INFRA_BLESSED"


@dataclasses.dataclass(frozen=True)
class Blessing:
    """One judgement of a model.

    Attributes:
        artifact: ModelBlessing or InfraBlessing.
        execution: Execution of the check.
        blessed: None if the artifact does not say.
    """

    artifact: Artifact
    execution: Execution
    blessed: bool | None


@dataclasses.dataclass(frozen=True)
class Push:
    """One push of a model.

    Attributes:
        artifact: PushedModel.
        execution: Execution of the push.
        destination: Base folder or URI, without the version.
        version: Version, as it was recorded; empty if it was not.
        live: Whether it is the highest version there; None if the destination has no versions.
        judged: The verdicts that it was pushed under: those that the Pusher read, else those before
            it; of a version that a person brought back, those of the one that it is a copy of.
    """

    artifact: Artifact
    execution: Execution
    destination: str
    version: str
    live: bool | None
    judged: tuple[Blessing, ...] = ()

    def later(self, blessings: Sequence[Blessing]) -> list[Blessing]:
        """Those of the model's blessings that were given after the push."""
        last = max((b.artifact.id for b in self.judged), default=0)
        return [b for b in blessings if b.artifact.id > last] if last else []


@dataclasses.dataclass(frozen=True)
class ModelFacts:
    """One model and what belongs to it; tuples in the order of the store.

    Attributes:
        model: Artifact of type Model.
        makers: The executions that output it: the original one, then the cached ones.
        evaluations: ModelEvaluation artifacts in which it was the model, not the baseline.
        blessings: Blessings of Evaluator and InfraValidator.
        pushes: Those that were done, of any run.
    """

    model: Artifact
    makers: tuple[Execution, ...]
    evaluations: tuple[Artifact, ...]
    blessings: tuple[Blessing, ...]
    pushes: tuple[Push, ...]

    @property
    def runs(self) -> list[str]:
        """The runs that have it, the one that made it first."""
        return list(dict.fromkeys(e.place.run_id for e in self.makers if e.place.run_id))

    @property
    def run_id(self) -> str:
        """The run that made it; empty if the store does not say."""
        return next(iter(self.runs), "")

    @property
    def pipeline(self) -> str:
        """The pipeline that made it; empty if the store does not say."""
        return self.makers[0].place.pipeline if self.makers else ""

    @property
    def blessed(self) -> bool | None:
        """Whether all checks blessed the model; None without a check.

        For a pushed model the verdict of its last push counts, otherwise the latest verdict. Later
        checks do not change the verdict of a push.
        """
        return all_blessed(self.decisive)

    @property
    def was_blessed(self) -> bool:
        """Whether all checks have blessed the model once; a later run may have refused it."""
        judges = {b.artifact.type for b in self.blessings}
        return bool(judges) and judges == {b.artifact.type for b in self.blessings if b.blessed}

    @property
    def decisive(self) -> tuple[Blessing, ...]:
        """The verdicts that `blessed` goes by."""
        return (self.pushes[-1].judged if self.pushes else ()) or self.blessings

    @property
    def later(self) -> list[Blessing]:
        """Verdicts that were given after it was last pushed."""
        return self.pushes[-1].later(self.blessings) if self.pushes else []

    @property
    def blessed_words(self) -> str:
        """`blessed` in words, such as `no: Evaluator` or `yes (later no: …)`."""
        if not self.blessings:
            return "not judged"
        if refused := refused_by(self.decisive):
            return f"no: {refused}" + (" (before: yes)" if self.was_blessed else "")
        later = f" (later no: {refused})" if (refused := refused_by(self.later)) else ""
        return ("not recorded" if self.blessed is None else "yes") + later

    @property
    def live(self) -> bool:
        """Whether a destination serves this version."""
        return any(push.live for push in self.pushes)


def all_blessed(blessings: Iterable[Blessing]) -> bool | None:
    """Whether the latest result of each of these checks is a blessing; None without a result."""
    latest = {b.artifact.type: b.blessed for b in blessings if b.blessed is not None}
    return all(latest.values()) if latest else None


def refused_by(blessings: Iterable[Blessing]) -> str:
    """The nodes whose latest result is a refusal, for a reader; empty if there are none."""
    latest = {b.artifact.type: b for b in blessings}
    refused = [plain(b.execution.place.node) for b in latest.values() if b.blessed is False]
    return ", ".join(refused)


def facts_of_models(graph: Graph, models: Iterable[Artifact]) -> list[ModelFacts]:
    """Reads the facts of models, all in a few questions to the store, in the order given."""
    listed = list(models)
    links: dict[int, list[Link]] = {model.id: [] for model in listed}
    for link in graph.links_of_artifacts(links):
        links[link.artifact_id].append(link)
    makers = {i: [k.execution_id for k in found if k.is_output] for i, found in links.items()}
    readers = {
        i: [k.execution_id for k in found if not k.is_output and MODEL_KEY in k.keys]
        for i, found in links.items()
    }
    made = _outputs(graph, {e for found in readers.values() for e in found})
    wanted = [e for found in (*makers.values(), *readers.values()) for e in found]
    executions = {e.id: e for e in graph.executions(wanted)}
    live = {pushed_to(artifact) for artifact in live_pushes(graph).values()}
    facts = []
    for model in listed:
        pairs = [
            (artifact, executions[i]) for i in sorted(readers[model.id]) for artifact in made[i]
        ]
        blessings = _blessings(pairs)
        facts.append(
            ModelFacts(
                model,
                tuple(executions[i] for i in sorted(makers[model.id]) if i in executions),
                tuple(dict.fromkeys(a for a, _ in pairs if a.type == "ModelEvaluation")),
                blessings,
                _judged(graph, _pushes(pairs, live), blessings),
            )
        )
    return facts


def live_models(graph: Graph) -> dict[int, list[str]]:
    """Finds the models that are served: model id to the destinations, each with its version."""
    live = {pushed_to(artifact) for artifact in live_pushes(graph).values()}
    # One version may have been pushed again by a later run.
    pushed = {a.id: a for a in graph.artifacts_of_type("PushedModel") if pushed_to(a) in live}
    pushers: dict[int, list[int]] = {}
    for link in graph.links_of_artifacts(pushed):
        if link.is_output:
            pushers.setdefault(link.execution_id, []).append(link.artifact_id)
    found: dict[int, list[str]] = {}
    for link in graph.links_of_executions(pushers):
        if not link.is_output and MODEL_KEY in link.keys:
            for place in map(pushed_to, (pushed[i] for i in pushers[link.execution_id])):
                at = f"{place[0]}/{place[1]}" if place else ""
                if at and at not in found.setdefault(link.artifact_id, []):
                    found[link.artifact_id].append(at)
    return found


def source_examples(graph: Graph, facts: Sequence[ModelFacts]) -> Mapping[int, list[Artifact]]:
    """Finds the Examples as they were ingested that each model was trained on, by the model's id.

    Follows the Examples that Trainer read upstream, through Transform, to the Examples of
    ExampleGen.
    """
    makers = {f.model.id: [execution.id for execution in f.makers] for f in facts}
    inputs = _examples_read(graph, {e for found in makers.values() for e in found})
    origins = _origins(graph, {a for found in inputs.values() for a in found})
    found = {}
    for model_id, executions in makers.items():
        ids = {o for e in executions for a in inputs.get(e, ()) for o in origins[a]}
        found[model_id] = graph.artifacts(sorted(ids))
    return found


def is_blessed(artifact: Artifact) -> bool | None:
    """Reads a ModelBlessing or InfraBlessing, of ours or of stock TFX; None if it does not say."""
    if "blessed" in artifact.properties:
        return artifact.properties["blessed"] in (1, "1", True)
    status = artifact.properties.get("blessing_status")
    return None if status is None else status == _INFRA_BLESSED


def _outputs(graph: Graph, executions: Iterable[int]) -> dict[int, list[Artifact]]:
    wanted = sorted(executions)
    links = [link for link in graph.links_of_executions(wanted) if link.is_output]
    artifacts = {a.id: a for a in graph.artifacts(link.artifact_id for link in links)}
    found: dict[int, list[Artifact]] = {i: [] for i in wanted}
    for link in links:
        if link.artifact_id in artifacts:
            found[link.execution_id].append(artifacts[link.artifact_id])
    return found


def _blessings(pairs: Iterable[tuple[Artifact, Execution]]) -> tuple[Blessing, ...]:
    first = {a: Blessing(a, e, is_blessed(a)) for a, e in reversed([*pairs])}
    kept = [b for b in first.values() if b.artifact.type in BLESSINGS]
    return tuple(sorted(kept, key=lambda b: b.artifact.id))


def _pushes(
    pairs: Iterable[tuple[Artifact, Execution]], live: Iterable[tuple[str, int] | None]
) -> tuple[Push, ...]:
    pushes = []
    for artifact, execution in pairs:
        properties = artifact.properties
        if artifact.type != "PushedModel" or not properties.get("pushed"):
            continue
        place = pushed_to(artifact)
        destination = place[0] if place else str(properties.get("pushed_destination", ""))
        version = str(place[1]) if place else str(properties.get("pushed_version", ""))
        is_live = place in live if place else None
        pushes.append(Push(artifact, execution, destination, version, is_live))
    return tuple(pushes)


def _judged(
    graph: Graph, pushes: Sequence[Push], blessings: Sequence[Blessing]
) -> tuple[Push, ...]:
    """Adds to each push of a model the verdicts that it was made under."""
    read: dict[int, set[int]] = {}
    for link in graph.links_of_executions(push.execution.id for push in pushes):
        if not link.is_output:
            read.setdefault(link.execution_id, set()).add(link.artifact_id)
    judged: dict[tuple[str, str], tuple[Blessing, ...]] = {}
    found = []
    for push in pushes:
        origin = push.artifact.properties.get(COPY_OF_VERSION)
        under = judged.get((push.destination, str(origin)), ()) if origin is not None else ()
        inputs = read.get(push.execution.id, set())
        under = under or tuple(b for b in blessings if b.artifact.id in inputs)
        under = under or tuple(b for b in blessings if b.execution.id < push.execution.id)
        judged.setdefault((push.destination, push.version), under)
        found.append(dataclasses.replace(push, judged=under))
    return tuple(found)


def _examples_read(graph: Graph, executions: Iterable[int]) -> dict[int, list[int]]:
    """Execution id to the ids of the Examples that it read."""
    links = [link for link in graph.links_of_executions(sorted(executions)) if not link.is_output]
    artifacts = graph.artifacts(link.artifact_id for link in links)
    examples = {a.id for a in artifacts if a.type == "Examples"}
    found: dict[int, list[int]] = {}
    for link in links:
        if link.artifact_id in examples:
            found.setdefault(link.execution_id, []).append(link.artifact_id)
    return found


def _origins(graph: Graph, examples: Iterable[int]) -> dict[int, set[int]]:
    """Examples id to the ids of the Examples without Examples above them that it came from."""
    parents: dict[int, set[int]] = {}
    front = sorted(examples)
    while front:
        producers: dict[int, list[int]] = {i: [] for i in front}
        for link in graph.links_of_artifacts(front):
            if link.is_output:
                producers[link.artifact_id].append(link.execution_id)
        read = _examples_read(graph, {e for found in producers.values() for e in found})
        for i in front:
            parents[i] = {a for e in producers[i] for a in read.get(e, ())} - {i}
        front = sorted({p for i in front for p in parents[i]} - set(parents))
    origins = {}
    for start in list(parents):
        seen, stack = {start}, [start]
        while stack:
            new = parents[stack.pop()] - seen
            seen |= new
            stack += new
        origins[start] = {i for i in seen if not parents[i]}
    return origins
