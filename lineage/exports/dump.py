"""The JSON format: everything that the store says of a scope, decoded, for any program to read.

```
format       "fareline-lineage"
version      1; it changes when a key changes its meaning or goes, not when one is added
scope        the printable id that was asked for, or "store"
pipelines    names
runs         id, started, properties
executions   id, key, type, name, pipeline, run, node, state, created, updated, properties,
             custom_properties
artifacts    id, key, type, name, uri, state, created, updated, properties, custom_properties
links        execution, artifact, direction ("input", "output"), keys
```

Times are milliseconds since 1970, UTC. Lists are in the order of ids, runs in that of their start.
Numbers that JSON lacks are the texts "NaN", "Infinity" and "-Infinity". Left out are the events of
resolvers, which look and do not read, and contexts other than pipelines, runs and nodes.
"""

import json
import math
from typing import Any

from lineage.exports.scope import Scope
from lineage.graph.elements import Artifact, Execution, decode_values

FORMAT = "fareline-lineage"
VERSION = 1


def to_json(scope: Scope) -> str:
    """Returns the scope as one JSON object; the same scope gives the same text."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "scope": scope.title,
        "pipelines": list(scope.pipelines),
        "runs": [
            {
                "id": run_id,
                "started": context.create_time_since_epoch,
                "properties": _finite(decode_values(context.custom_properties)),
            }
            for run_id, context in scope.runs.items()
        ],
        "executions": [_execution(execution) for execution in scope.executions],
        "artifacts": [_artifact(artifact) for artifact in scope.artifacts],
        "links": [
            {
                "execution": link.execution_id,
                "artifact": link.artifact_id,
                "direction": "output" if link.is_output else "input",
                "keys": list(link.keys),
            }
            for link in scope.links
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _execution(execution: Execution) -> dict[str, Any]:
    return {
        "id": execution.id,
        "key": execution.key,
        "type": execution.type,
        "name": execution.proto.name,
        "pipeline": execution.place.pipeline,
        "run": execution.place.run_id,
        "node": execution.place.node,
        "state": execution.state,
        **_recorded(execution),
    }


def _artifact(artifact: Artifact) -> dict[str, Any]:
    return {
        "id": artifact.id,
        "key": artifact.key,
        "type": artifact.type,
        "name": artifact.name,
        "uri": artifact.uri,
        "state": artifact.state,
        **_recorded(artifact),
    }


def _recorded(element: "Artifact | Execution") -> dict[str, Any]:
    return {
        "created": element.created,
        "updated": element.updated,
        "properties": _finite(decode_values(element.proto.properties)),
        "custom_properties": _finite(decode_values(element.proto.custom_properties)),
    }


def _finite(value: Any) -> Any:
    """The value with a text for each number that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
