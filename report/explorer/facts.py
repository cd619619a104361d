"""Summary of a run: its data, its model, metrics, verdict and push.

Called by report.explorer.data. What a store does not say is None or empty, never guessed.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from fareline import recorded
from fareline.recorded.evaluation import metrics_of
from fareline.recorded.run import RunRecord
from lineage.facts.models import is_blessed
from lineage.facts.pushes import was_there_already
from lineage.facts.runs import command_of
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph

# From the worst to the best: a run is as its worst node.
_STATES = ("failed", "running", "unknown")


@dataclasses.dataclass(frozen=True)
class RunFacts:
    """One run.

    Attributes:
        run_id: Run id, as TFX recorded it.
        pipeline: Name of the pipeline.
        started: Milliseconds since 1970, UTC.
        ended: When the last of its executions changed, or the run itself said that it ended.
        status: `failed`, `running`, `unknown` or `complete`.
        outcome: Outcome, as recorded: `pushed`, `refused`, `failed` or `interrupted`; else None.
        nodes: Count of executions by state.
        data: Ids of the Examples that were read from a source.
        models: Ids of its Models, cached ones included.
        evaluations: Ids of its ModelEvaluations.
        metrics: Overall metrics by name; empty in a stock store.
        blessed: Verdict of Evaluator; None without a verdict.
        fit_to_serve: Verdict of InfraValidator; None without a verdict.
        pushed: Ids of the PushedModels that were really pushed.
        pushed_again: Whether the run found what it was to push published already.
        command: Command that repeats the run; empty if not recorded.
        properties: Record of the run about itself.
    """

    run_id: str
    pipeline: str
    started: int
    ended: int
    status: str
    outcome: str | None
    nodes: dict[str, int]
    data: list[int]
    models: list[int]
    evaluations: list[int]
    metrics: dict[str, float]
    blessed: bool | None
    fit_to_serve: bool | None
    pushed: list[int]
    pushed_again: bool
    command: str
    properties: dict[str, Any]


def facts_of_runs(graph: Graph) -> list[RunFacts]:
    """Gathers the facts of all runs, in the order of their start. The graph has been read."""
    facts = []
    for run_id, context in graph.places.run_contexts().items():
        executions = graph.executions_of_run(run_id)
        properties = recorded_properties(context)
        outputs = _outputs(graph, executions)
        by_type: dict[str, list[Artifact]] = {}
        for artifact, _ in outputs:
            by_type.setdefault(artifact.type, []).append(artifact)
        states = [e.state for e in executions]
        pushed = [a for a in by_type.get("PushedModel", ()) if _was_pushed(a)]
        facts.append(
            RunFacts(
                run_id=run_id,
                pipeline=executions[0].place.pipeline if executions else "",
                started=context.create_time_since_epoch,
                ended=_ended(properties, executions),
                status=next((s for s in _STATES if s in states), "complete"),
                outcome=properties.get(recorded.OUTCOME),
                nodes={state: states.count(state) for state in sorted(set(states))},
                data=_ids(a for a, e in outputs if a.type == "Examples" and _is_source(graph, e)),
                models=_ids(by_type.get("Model", ())),
                evaluations=_ids(by_type.get("ModelEvaluation", ())),
                metrics=_metrics(by_type.get("ModelEvaluation", ())),
                blessed=_verdict(by_type.get("ModelBlessing", ())),
                fit_to_serve=_verdict(by_type.get("InfraBlessing", ())),
                pushed=_ids(pushed),
                pushed_again=was_there_already(pushed),
                command=command_of(RunRecord(properties, run_id), graph.place),
                properties=properties,
            )
        )
    return facts


def recorded_properties(context: Any) -> dict[str, Any]:
    """The custom properties of a context, as plain values."""
    found = {}
    for name in sorted(context.custom_properties):
        value = context.custom_properties[name]
        kind = value.WhichOneof("value")
        if kind in ("string_value", "int_value", "double_value", "bool_value"):
            found[name] = getattr(value, kind)
    return found


def _outputs(graph: Graph, executions: Sequence[Execution]) -> list[tuple[Artifact, Execution]]:
    """The outputs of executions, by artifact id, each with the last execution that has it."""
    by_id = {e.id: e for e in executions}
    links = [link for link in graph.links_of_executions(by_id) if link.is_output]
    makers = {link.artifact_id: by_id[link.execution_id] for link in links}
    return [(artifact, makers[artifact.id]) for artifact in graph.artifacts(sorted(makers))]


def _is_source(graph: Graph, execution: Execution) -> bool:
    """Whether an execution read from outside: it has no inputs in the store but sealed spans."""
    links = graph.links_of_executions([execution.id])
    inputs = graph.artifacts(link.artifact_id for link in links if not link.is_output)
    return all(artifact.type == recorded.FEEDBACK_SPAN for artifact in inputs) and (
        # A cached Transform of a partial run has no inputs either, but no source of its own.
        "input_base" in execution.properties or "examples" in _output_keys(graph, execution)
    )


def _output_keys(graph: Graph, execution: Execution) -> set[str]:
    return {key for link in graph.links_of_executions([execution.id]) for key in link.keys}


def _ended(properties: dict[str, Any], executions: Sequence[Execution]) -> int:
    ended = RunRecord(properties).ended
    return ended or max((e.updated for e in executions), default=0)


def _metrics(evaluations: Sequence[Artifact]) -> dict[str, float]:
    for evaluation in reversed(evaluations):
        if metrics := metrics_of(evaluation):
            return metrics
    return {}


def _verdict(blessings: Sequence[Artifact]) -> bool | None:
    """Whether all blessings say yes; None if none says anything."""
    said = [is_blessed(blessing) for blessing in blessings]
    known = [yes for yes in said if yes is not None]
    return all(known) if known else None


def _was_pushed(pushed_model: Artifact) -> bool:
    return bool(pushed_model.properties.get("pushed"))


def _ids(artifacts: Iterable[Artifact]) -> list[int]:
    return sorted({artifact.id for artifact in artifacts})
