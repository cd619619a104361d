"""Pushes and live versions: the highest version is live, as model servers choose.

On Vertex AI it is the version that most requests go to, as it was last recorded.
"""

import contextlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fareline.recorded import VERSION_CREATED
from fareline.recorded.vertex import on_vertex
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph

PUSHED_MODEL = "PushedModel"  # Source: tfx.types.standard_artifacts
PUSH_DESTINATION = "push_destination"  # Source: tfx.types.standard_component_specs


def live_pushes(graph: Graph) -> dict[str, Artifact]:
    """Finds the live PushedModel of each destination: its highest version, as servers choose.

    On Vertex AI: the version that most requests go to, if any, as the push, promotion or rollback
    recorded it that made it so.

    Returns:
        Base folder or URI, without the version, to the PushedModel; of several artifacts for one
        version, the first.
    """
    best: dict[str, tuple[int, int, Artifact]] = {}
    endpoints: dict[str, list[Artifact]] = {}
    for artifact in graph.artifacts_of_type(PUSHED_MODEL):
        place = pushed_to(artifact)
        if place is None:
            continue
        base, version = place
        if on_vertex(artifact) is not None:
            endpoints.setdefault(base, []).append(artifact)
            continue
        rank = (version, -artifact.id, artifact)
        if base not in best or rank[:2] > best[base][:2]:
            best[base] = rank
    live = {base: best[base][2] for base in best}
    for base, artifacts in endpoints.items():
        found = _live_on_vertex(sorted(artifacts, key=lambda artifact: artifact.id))
        if found is not None:
            live[base] = found
    return dict(sorted(live.items()))


def _live_on_vertex(records: Sequence[Artifact]) -> Artifact | None:
    """The record of one endpoint that made its live version live: of a push or a change by hand.

    Args:
        records: All of the endpoint, the oldest first.
    """
    live, since = None, 0
    for index, artifact in enumerate(records):
        number = on_vertex(artifact).live
        if number != live:
            live, since = number, index
    # What moved the requests elsewhere, as in the console, may have left a record of another one.
    for artifact in [*records[since:], *reversed(records[:since])] if live is not None else []:
        if int(pushed_to(artifact)[1]) == live:
            return artifact
    return None


def traffic_of(graph: Graph) -> dict[str, dict[int, int]]:
    """The deployment on Vertex AI, as last recorded: percent of requests by version."""
    found: dict[str, tuple[int, dict[int, int]]] = {}
    for artifact in graph.artifacts_of_type(PUSHED_MODEL):
        record, place = on_vertex(artifact), pushed_to(artifact)
        if record is not None and place and artifact.id > found.get(place[0], (0,))[0]:
            shares = {int(version): percent for version, percent in record.traffic.items()}
            found[place[0]] = artifact.id, shares
    return {base: shares for base, (_, shares) in found.items()}


def pushed_to(pushed_model: Artifact) -> tuple[str, int] | None:
    """Returns base and version of a PushedModel; None if it was not pushed to a versioned place."""
    properties = pushed_model.properties
    destination = str(properties.get("pushed_destination", "")).rstrip("/")
    base, _, version = destination.rpartition("/")
    if not properties.get("pushed") or not version.isdecimal():
        return None
    return base, int(version)


def was_there_already(pushed: Iterable[Artifact]) -> bool:
    """Whether the model of a run was already published, so that no version was added."""
    created = [artifact.properties.get(VERSION_CREATED) for artifact in pushed]
    return bool(created) and all(each in (0, "0") for each in created)


def unfinished_pushes(graph: Graph, pusher: str = "Pusher") -> list[Execution]:
    """The executions of a Pusher, of any pipeline, that neither ended well nor were cached.

    Args:
        graph: Store.
        pusher: Last word of the type: `Pusher` or `VertexPusher`.
    """
    kinds = [kind.name for kind in graph.store.get_execution_types()]
    pushers = [name for name in kinds if name.rpartition(".")[2] == pusher]
    found = [e for name in pushers for e in graph.store.get_executions_by_type(name)]
    listed = graph.executions(sorted(execution.id for execution in found))
    return [e for e in listed if e.state not in ("executed", "cached")]


def targets_of_unfinished(graph: Graph) -> list[dict[str, Any]]:
    """The settings `push.vertex` of pushes that left no record, the newest first.

    What such a push has deployed costs all the same.
    """
    found = []
    for execution in reversed(unfinished_pushes(graph, "VertexPusher")):
        with contextlib.suppress(TypeError, ValueError):
            found.append(dict(json.loads(execution.properties.get("target"))))
    return found


def destination_of(pusher: Execution) -> Path | None:
    """The local folder that a Pusher pushed to; None for any other place."""
    return local_destination(pusher.properties.get(PUSH_DESTINATION))


def local_destination(told: Any) -> Path | None:
    """The folder that TFX's PushDestination names, as JSON; None for any other place."""
    try:
        destination = json.loads(told) if isinstance(told, str) else told
        base = destination["filesystem"]["base_directory"]  # Source: tfx.proto.PushDestination
    except (KeyError, TypeError, ValueError):
        return None
    return Path(base) if isinstance(base, str) and base.startswith("/") else None
