"""Reasons why a model was blessed and pushed, or was not, for a run or a model.

Reads properties only, no payload. Stores of stock TFX have the results of the checks but not the
reasons; the answer says so. Drawn by lineage.answers.why.view; called by `fareline why` and by the
summary of a run.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from fareline import recorded
from fareline.recorded.data import sample_of
from fareline.recorded.evaluation import verdict_of
from fareline.recorded.validation import budgets_of
from fareline.recorded.vertex import OnVertex, on_vertex
from lineage.facts.baselines import PIN, RESET, decision_in_force
from lineage.facts.failures import as_json, failure_of
from lineage.facts.models import MODEL_KEY, is_blessed
from lineage.facts.withdrawn import withdrawn_models
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph
from lineage.text.times import iso

EVALUATOR, INFRA_VALIDATOR, PUSHER = "Evaluator", "InfraValidator", "Pusher"
VERTEX_PUSHER = "VertexPusher"
_JUDGES = {
    EVALUATOR: "ModelBlessing",
    INFRA_VALIDATOR: "InfraBlessing",
    PUSHER: "PushedModel",
    VERTEX_PUSHER: "PushedModel",
}
_MODEL_RUN_KEY = "model_run"  # Source: tfx.types.standard_component_specs
_EXPERIMENT_LENGTH = 128
_Found = tuple[Execution | None, Artifact | None]


def why_run(graph: Graph, run_id: str) -> dict[str, Any]:
    """Returns the results of a run about its model; see `why_model` for the keys.

    An additional key is `running`: executions that are marked as running.
    """
    executions = graph.executions_of_run(run_id)
    found = {node: _last(graph, executions, node, kind) for node, kind in _JUDGES.items()}
    pipelines = [e.place.pipeline for e in executions if e.place.pipeline]
    told = _answer(graph, run_id, pipelines[0] if pipelines else "", _model(graph, found), found)
    sample = sample_of(graph.places.record(run_id))
    running = [each.key for each in executions if each.state == "running"]
    return {**told, "sample": sample, "failed": _failed(executions), "running": running}


def why_model(graph: Graph, model: Artifact) -> dict[str, Any]:
    """Returns the verdict about a model: the latest result of each check, from any run.

    Returns:
        `run_id`, `pipeline`, `model`; `evaluator`, `infra_validator` and `pusher`, each with
        `execution` and `state`, null if there was none. `evaluator`: `blessed`, `baseline`,
        `decision` (a person's, about the baseline), `left_out` (newer models that were rolled back
        from: `model`, `user`, `when`, `reason`), `verdict` (as `fareline.recorded.VERDICT`, null if
        it was not recorded). `infra_validator`: `blessed`, `reason`, `message`, `measured`,
        `budgets`. `pusher`: `pushed`, `destination`, `version`, `not_pushed_because`.
        `on_vertex`: the same, with `traffic`, percent of requests by version, and
        `tensorboard_command`, which uploads the curves; null if that was no destination. `failed`:
        of each execution that failed, here of those that read the model, `node`, `execution`,
        `error` and `place`. `sample`: number of rows that the model is of, null if of all; that of
        `pusher`: nothing else kept the model from being pushed.
    """
    links = graph.links_of_artifacts([model.id])
    readers = graph.executions(
        sorted(link.execution_id for link in links if not link.is_output and MODEL_KEY in link.keys)
    )
    found = {node: _last(graph, readers, node, kind) for node, kind in _JUDGES.items()}
    makers = graph.producers(model)
    place = makers[0].place if makers else None
    run_id, pipeline = (place.run_id, place.pipeline) if place else ("", "")
    told = _answer(graph, run_id, pipeline, model.key, found)
    return {**told, "sample": sample_of(model), "failed": _failed(readers)}


def _failed(executions: Iterable[Execution]) -> list[dict[str, Any]]:
    return [as_json(each, failure) for each in executions if (failure := failure_of(each))]


def _answer(
    graph: Graph, run_id: str, pipeline: str, model: str | None, found: Mapping[str, _Found]
) -> dict[str, Any]:
    return {
        "run_id": run_id or None,
        "pipeline": pipeline or None,
        "model": model,
        "evaluator": _evaluator(graph, pipeline, *found[EVALUATOR]),
        "infra_validator": _infra_validator(*found[INFRA_VALIDATOR]),
        "pusher": _pusher(*found[PUSHER]),
        "on_vertex": _on_vertex(graph, *found[VERTEX_PUSHER]),
    }


def _last(graph: Graph, executions: Iterable[Execution], node: str, kind: str) -> _Found:
    """The last execution with an output of a type; else the last of the node's type."""
    last: _Found = (None, None)
    for execution in executions:
        # Both put out a PushedModel, and so does who changes by hand what is live there.
        if node == PUSHER and _is_on_vertex(graph, execution):
            continue
        if node == VERTEX_PUSHER and not _is_on_vertex(graph, execution):
            continue
        artifacts = [a for found in graph.outputs(execution).values() for a in found]
        judged = [a for a in artifacts if a.type == kind]
        is_node = node in (execution.place.node, execution.type.rpartition(".")[2])
        if judged or (is_node and last[1] is None):
            last = (execution, judged[-1] if judged else None)
    return last


def _model(graph: Graph, found: Mapping[str, _Found]) -> str | None:
    """The model that was judged, by what the judges read."""
    for execution, _ in found.values():
        models = graph.inputs(execution).get(MODEL_KEY, []) if execution else []
        if models:
            return models[-1].key
        blessing = found[EVALUATOR][1]
        judged = blessing.properties.get("current_model_id") if blessing else None
        if judged:  # a cached execution has no inputs
            return f"Model:{judged}"
    return None


def _evaluator(
    graph: Graph, pipeline: str, execution: Execution | None, blessing: Artifact | None
) -> dict[str, Any]:
    properties = blessing.properties if blessing else {}
    verdict = verdict_of(blessing) if blessing else None
    baseline_id = properties.get("baseline_model_id")
    decision = None
    if execution is not None and pipeline:
        decision = decision_in_force(graph.store, pipeline, execution.id)
    pinned = decision and decision.action == PIN and decision.model_id == baseline_id
    reset = decision and decision.action == RESET and not baseline_id
    decided = decision if pinned or reset else None
    return {
        **_place(execution),
        "blessed": is_blessed(blessing) if blessing else None,
        "baseline": f"Model:{baseline_id}" if baseline_id else None,
        "decision": decided.as_json() if decided else None,
        "left_out": [] if decided else _left_out(graph, execution, baseline_id or 0),
        "verdict": verdict.to_json() if verdict else None,
    }


def _left_out(
    graph: Graph, evaluator: Execution | None, baseline_id: int
) -> list[dict[str, str | None]]:
    """The newer models of the pipeline that were no baselines then: a person withdrew them."""
    if evaluator is None:
        return []
    return [
        {
            "model": f"Model:{model_id}",
            "user": rollback.properties.get(recorded.USER),
            "when": iso(rollback.created),
            "reason": rollback.properties.get(recorded.REASON),
        }
        for model_id, rollback in sorted(withdrawn_models(graph, evaluator.id).items())
        if model_id > baseline_id and rollback.place.pipeline == evaluator.place.pipeline
    ]


def _infra_validator(execution: Execution | None, blessing: Artifact | None) -> dict[str, Any]:
    properties = blessing.properties if blessing else {}
    numbers = {k: v for k, v in properties.items() if isinstance(v, float)}
    return {
        **_place(execution),
        "blessed": is_blessed(blessing) if blessing else None,
        "reason": properties.get("reason"),
        "message": properties.get("message"),
        "measured": numbers,
        "budgets": budgets_of(execution) if execution else None,
    }


def _pusher(execution: Execution | None, pushed_model: Artifact | None) -> dict[str, Any]:
    properties = pushed_model.properties if pushed_model else {}
    pushed = bool(properties.get("pushed")) if pushed_model else None
    return {
        **_place(execution),
        "pushed": pushed,
        "destination": properties.get("pushed_destination") if pushed else None,
        "version": properties.get("pushed_version") if pushed else None,
        "not_pushed_because": properties.get("not_pushed_because"),
        "sample": sample_of(pushed_model) if pushed_model else None,
    }


def _is_on_vertex(graph: Graph, execution: Execution) -> bool:
    if execution.place.node == VERTEX_PUSHER:
        return True
    outputs = [a for found in graph.outputs(execution).values() for a in found]
    return any(on_vertex(a) for a in outputs if a.type == _JUDGES[PUSHER])


def _on_vertex(
    graph: Graph, execution: Execution | None, pushed_model: Artifact | None
) -> dict[str, Any] | None:
    if execution is None:
        return None
    record = on_vertex(pushed_model) if pushed_model else None
    properties = pushed_model.properties if pushed_model else {}
    return {
        **_pusher(execution, pushed_model),
        "traffic": dict(record.traffic) if record else None,
        "not_shown_because": properties.get(recorded.NOT_SHOWN),
        "not_undone_because": properties.get(recorded.NOT_UNDONE),
        "tensorboard_command": _tensorboard_command(graph, execution, record) if record else None,
    }


def _tensorboard_command(graph: Graph, execution: Execution, record: OnVertex) -> str | None:
    """The command of Google's uploader for the curves of the model; only the TensorBoard is open.

    Source: `google.cloud.aiplatform.tensorboard.uploader_main`, which defines these flags.
    """
    for model in graph.inputs(execution).get(MODEL_KEY, []):
        for maker in graph.producers(model):
            for logs in graph.outputs(maker).get(_MODEL_RUN_KEY, []):
                place = f"projects/{record.target['project']}/locations/{record.target['region']}"
                name = maker.place.run_id.lower()
                flags = {
                    "tensorboard_resource_name": f"{place}/tensorboards/TENSORBOARD_ID",
                    "logdir": logs.uri,
                    "experiment_name": re.sub("[^a-z0-9-]", "-", name)[:_EXPERIMENT_LENGTH],
                }
                words = [word for flag, value in flags.items() for word in (f"--{flag}", value)]
                return shlex.join(["tb-gcp-uploader", *words, "--one_shot"])
    return None


def _place(execution: Execution | None) -> dict[str, Any]:
    return {
        "execution": execution.key if execution else None,
        "state": execution.state if execution else None,
    }
