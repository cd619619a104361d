"""One artifact, execution, run or pipeline, decoded: what `lineage show` answers.

`describe` returns plain values with stable keys; lineage.answers.show.view shows them to a reader.
"""

from collections import Counter
from typing import Any

from fareline import recorded
from lineage.answers.show.artifact import describe_artifact
from lineage.facts.failures import failure_of
from lineage.facts.models import live_models
from lineage.facts.runs import list_runs, outputs_of_run, read_runs, run_as_json
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph
from lineage.ids import PipelineKey, RunKey, Target
from lineage.text.outline import decoded
from lineage.text.times import iso

_FINGERPRINT = "source_fingerprint"  # of our code: in custom_config, or a parameter of its own
_INTERNAL = "__"  # TFX's own notes on an execution begin so


def describe(graph: Graph, target: Target) -> dict[str, Any]:
    """Returns all that the store knows of something; the first key, `kind`, says what it is.

    Every kind has `kind` and `id`. For the others see the functions below and
    `lineage.answers.show.artifact`. Null means that the store has no record of it.
    """
    if isinstance(target, RunKey):
        return describe_run(graph, target.run_id)
    if isinstance(target, PipelineKey):
        return describe_pipeline(graph, target.name)
    if isinstance(target, Execution):
        return describe_execution(graph, target)
    return describe_artifact(graph, target)


def describe_execution(graph: Graph, execution: Execution) -> dict[str, Any]:
    """One execution.

    Keys: number, type, node, run, pipeline, state, started, ended (null while it runs), seconds,
    error (of a failed one: all that was kept), failed_at (its last call in our code or the user's),
    code_fingerprint, inputs and outputs (key to ids), baselines (ids of models that it only
    compared with), parameters (decoded).
    """
    parameters = {n: decoded(v) for n, v in execution.properties.items()}
    failure = failure_of(execution)
    config = parameters.get("custom_config")
    code = (config if isinstance(config, dict) else parameters).get(_FINGERPRINT)
    links = graph.links_of_executions([execution.id])
    compared = [k.artifact_id for k in links if k.keys == ("baseline_model",) and not k.is_output]
    return {
        "kind": "execution",
        "id": execution.key,
        "number": execution.id,
        "type": execution.type,
        "node": execution.place.node,
        "run": execution.place.run_id or None,
        "pipeline": execution.place.pipeline or None,
        "state": execution.state,
        "started": iso(execution.created),
        "ended": None if execution.state == "running" else iso(execution.updated),
        "seconds": round(execution.seconds, 3),
        "error": failure.text if failure else None,
        "failed_at": failure.place if failure else None,
        "code_fingerprint": code,
        "inputs": _keys(graph.inputs(execution)),
        "outputs": _keys(graph.outputs(execution)),
        "baselines": [artifact.key for artifact in graph.artifacts(compared)],
        "parameters": {n: v for n, v in parameters.items() if not n.startswith(_INTERNAL)},
    }


def describe_run(graph: Graph, run_id: str) -> dict[str, Any]:
    """One run.

    Keys: as of `lineage runs` (`lineage.answers.runs.view.run_as_json`), `sample` only of a run of
    one, with nodes as id, name, state, seconds; outputs (node to key to ids); recorded (what the
    pipeline noted down: commit, packages, settings and so on, see `fareline.recorded`; null in a
    stock store).
    """
    [run] = read_runs(graph, [run_id])
    content = run_as_json(run)
    if run.sample is None:
        del content["sample"]
    ids = {execution.id: execution.key for execution in graph.executions_of_run(run_id)}
    nodes = zip(content["nodes"], run.nodes, strict=True)
    outputs = outputs_of_run(graph, run_id)
    noted = graph.places.record(run_id).properties
    return {
        "kind": "run",
        "id": run_id,
        **{name: value for name, value in content.items() if name != "run_id"},
        "missing": content["missing"] if noted.get(recorded.NODES) else None,
        "nodes": [{"id": ids[node.execution_id], **shown} for shown, node in nodes],
        "outputs": {node: _keys(by_key) for node, by_key in outputs.items()},
        "recorded": {n: _noted(n, value) for n, value in noted.items()} or None,
    }


def describe_pipeline(graph: Graph, name: str) -> dict[str, Any]:
    """One pipeline.

    Keys: runs (how many), statuses (status to how many), first and last (run_id, started, status),
    live (model to the destinations that serve it), latest_runs (ids, the latest first).
    """
    runs = list_runs(graph, pipeline=name)
    ends = [
        {"run_id": run.run_id, "started": iso(run.started), "status": run.status}
        for run in (*runs[-1:], *runs[:1])
    ]
    own = {model for run in runs for model in run.models}
    live = live_models(graph)
    return {
        "kind": "pipeline",
        "id": name,
        "runs": len(runs),
        "statuses": dict(sorted(Counter(run.status for run in runs).items())),
        "first": ends[0] if ends else None,
        "last": ends[-1] if ends else None,
        "live": {m.key: live[m.id] for m in sorted(own, key=lambda m: m.id) if m.id in live},
        "latest_runs": [run.run_id for run in runs],
    }


def _keys(by_key: dict[str, list[Artifact]]) -> dict[str, list[str]]:
    return {key: [artifact.key for artifact in found] for key, found in by_key.items()}


def _noted(name: str, value: Any) -> Any:
    return value if name == recorded.SETTINGS else decoded(value)
