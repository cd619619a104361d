"""One artifact, decoded, with the details of its type. Called by lineage.answers.show.show."""

from collections.abc import Callable, Mapping
from typing import Any

from fareline import recorded
from fareline.recorded.data import spans_of
from fareline.recorded.evaluation import metrics_of
from fareline.recorded.tuning import hyperparameters_of, warm_start_of
from lineage.facts.models import all_blessed, facts_of_models, is_blessed, source_examples
from lineage.facts.payload import look_at
from lineage.facts.payload_contents import Unreadable, schema_of, statistics_of
from lineage.facts.pushes import live_pushes, pushed_to
from lineage.facts.sources import sources_of
from lineage.graph.elements import Artifact
from lineage.graph.graph import Graph
from lineage.graph.trace import BASELINE_KEY, trace_upstream
from lineage.text.outline import decoded
from lineage.text.times import iso


def describe_artifact(graph: Graph, artifact: Artifact) -> dict[str, Any]:
    """One artifact.

    Keys: number, type, name, state, created, updated, uri, payload (status: there, missing or
    not_looked_at if remote; files, bytes), made_by and cached_by (ids of executions), runs,
    properties (decoded), one key for its type (model, examples, schema, statistics, blessing or
    push; see the functions below), used_by (execution, node, keys, state).
    """
    payload = look_at(artifact.uri)
    producers = graph.producers(artifact)
    made = [e for e in producers if e.state != "cached"]
    links = [k for k in graph.links_of_artifacts([artifact.id]) if not k.is_output]
    users = {e.id: e for e in graph.executions(k.execution_id for k in links)}
    of_type = _OF_TYPE.get(artifact.type)
    return {
        "kind": "artifact",
        "id": artifact.key,
        "number": artifact.id,
        "type": artifact.type,
        "name": artifact.name or None,
        "state": artifact.state,
        "created": iso(artifact.created),
        "updated": iso(artifact.updated),
        "uri": artifact.uri,
        "payload": {"status": payload.status, "files": payload.files, "bytes": payload.bytes},
        "made_by": [e.key for e in made],
        "cached_by": [e.key for e in producers if e.state == "cached"],
        "runs": list(dict.fromkeys(e.place.run_id for e in producers if e.place.run_id)),
        **({of_type[0]: of_type[1](graph, artifact)} if of_type else {}),
        "properties": {n: decoded(value) for n, value in artifact.properties.items()},
        "used_by": [
            {
                "execution": users[k.execution_id].key,
                "node": users[k.execution_id].place.node,
                "keys": list(k.keys),
                "state": users[k.execution_id].state,
            }
            for k in links
            if k.execution_id in users
        ],
    }


def _model(graph: Graph, model: Artifact) -> dict[str, Any]:
    """Keys: hyperparameters, warm_start, sha256, evaluations, blessings, data, schema, pushes."""
    [facts] = facts_of_models(graph, [model])
    warm = warm_start_of(model)
    examples = source_examples(graph, [facts])[model.id]
    schemas = trace_upstream(graph, [model]).artifacts("Schema")
    return {
        "hyperparameters": hyperparameters_of(model) or None,
        "warm_start": warm.as_json() if warm else None,
        "sha256": model.properties.get(recorded.SHA256),
        "evaluations": [
            {
                "id": evaluation.key,
                "metrics": metrics_of(evaluation) or None,
                "baselines": _baselines(graph, evaluation),
            }
            for evaluation in facts.evaluations
        ],
        "blessings": [_judgement(b.artifact) | {"by": b.execution.key} for b in facts.blessings],
        "data": [{"id": e.key, **_examples(graph, e)} for e in examples],
        "schema": [
            {"id": s.key, "sha256": s.properties.get(recorded.SHA256), "uri": s.uri}
            for s in schemas
        ],
        "pushes": [
            {
                "id": push.artifact.key,
                "by": push.execution.key,
                "destination": push.destination,
                "version": push.version or None,
                "live": push.live,
                "blessed": all_blessed(push.judged),
                "later": [
                    {"by": b.execution.key, "blessed": b.blessed}
                    for b in push.later(facts.blessings)
                ],
            }
            for push in facts.pushes
        ],
    }


def _baselines(graph: Graph, evaluation: Artifact) -> list[str]:
    """Ids of the models that it was compared with; none if it was judged alone."""
    makers = [e for e in graph.producers(evaluation) if e.state != "cached"]
    found = [a.key for e in makers for a in graph.inputs(e).get(BASELINE_KEY, [])]
    return list(dict.fromkeys(found))


def _judgement(blessing: Artifact) -> dict[str, Any]:
    """Keys: id, blessed (null if it does not say), reason, message (null if not recorded)."""
    properties = blessing.properties
    return {
        "id": blessing.key,
        "blessed": is_blessed(blessing),
        "reason": properties.get("reason") or None,
        "message": properties.get("message") or None,
    }


def _examples(graph: Graph, examples: Artifact) -> dict[str, Any]:
    """Keys: span, version, spans, splits, data_sha256, sources (see `lineage.facts.sources`)."""
    producers = graph.producers(examples)
    makers = [e for e in producers if e.state != "cached"] or producers[:1]
    splits = decoded(examples.properties.get("split_names"))
    return {
        "span": examples.properties.get("span"),
        "version": examples.properties.get("version"),
        "spans": [{"span": s, "version": v} for s, v in spans_of(examples)],
        "splits": splits if isinstance(splits, list) else None,
        "data_sha256": examples.properties.get(recorded.DATA_SHA256),
        "sources": [s.to_json() for maker in makers for s in sources_of(maker, [examples])],
    }


def _schema(graph: Graph, schema: Artifact) -> dict[str, Any]:
    """Keys: sha256, columns (name to aspects), unreadable (why there are no columns)."""
    columns: dict[str, dict[str, Any]] = {}
    content = _read(schema_of, schema)
    for name, value in content.items():
        column, _, aspect = name.partition(".")
        columns.setdefault(column, {})[aspect or "is"] = value
    unreadable = columns.pop("unreadable", None)
    return {
        "sha256": schema.properties.get(recorded.SHA256),
        "unreadable": unreadable["is"] if unreadable else None,
        "columns": columns or None,
    }


def _statistics(graph: Graph, statistics: Artifact) -> dict[str, Any]:
    """Keys: rows (split to count), columns (split and column to aspects), unreadable."""
    content = _read(statistics_of, statistics)
    unreadable = content.pop("unreadable", None)
    rows = {n[: -len(": rows")]: v for n, v in content.items() if n.endswith(": rows")}
    columns: dict[str, dict[str, Any]] = {}
    for name, value in content.items():
        column, dot, aspect = name.rpartition(".")
        if dot:
            columns.setdefault(column, {})[aspect] = value
    return {"unreadable": unreadable, "rows": rows or None, "columns": columns or None}


def _read(reader: Callable[[Artifact], dict[str, Any]], artifact: Artifact) -> dict[str, Any]:
    try:
        return reader(artifact)
    except Unreadable as error:
        return {"unreadable": str(error)}


def _blessing(graph: Graph, blessing: Artifact) -> dict[str, Any]:
    """As of a model's blessings, and models: what was judged."""
    makers = [e for e in graph.producers(blessing) if e.state != "cached"]
    models = [a.key for e in makers for a in graph.inputs(e).get("model", [])]
    return _judgement(blessing) | {"models": models}


def _push(graph: Graph, pushed: Artifact) -> dict[str, Any]:
    """Keys: pushed, destination, version, live (null: no versions), why_not, models."""
    place = pushed_to(pushed)
    live = {pushed_to(artifact) for artifact in live_pushes(graph).values()}
    makers = [e for e in graph.producers(pushed) if e.state != "cached"]
    properties: Mapping[str, Any] = pushed.properties
    return {
        "pushed": bool(properties.get("pushed")),
        "destination": properties.get("pushed_destination"),
        "version": properties.get("pushed_version"),
        "live": place in live if place else None,
        "why_not": properties.get("not_pushed_because"),
        "models": [a.key for e in makers for a in graph.inputs(e).get("model", [])],
    }


_OF_TYPE: Mapping[str, tuple[str, Callable[[Graph, Artifact], dict[str, Any]]]] = {
    "Model": ("model", _model),
    "Examples": ("examples", _examples),
    "Schema": ("schema", _schema),
    "ExampleStatistics": ("statistics", _statistics),
    "ModelBlessing": ("blessing", _blessing),
    "InfraBlessing": ("blessing", _blessing),
    "PushedModel": ("push", _push),
}
