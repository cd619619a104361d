"""What was pushed where, and what is live there: the highest version, as model servers choose."""

from lineage.graph.elements import Artifact
from lineage.graph.graph import Graph


def live_pushes(graph: Graph) -> dict[str, Artifact]:
    """Finds the live PushedModel of each destination: its highest version, as servers choose.

    Returns:
        Base folder or URI, without the version, to the PushedModel; of several artifacts for one
        version, the first.
    """
    best: dict[str, tuple[int, int, Artifact]] = {}
    for artifact in graph.artifacts_of_type("PushedModel"):
        place = pushed_to(artifact)
        if place is None:
            continue
        base, version = place
        rank = (version, -artifact.id, artifact)
        if base not in best or rank[:2] > best[base][:2]:
            best[base] = rank
    return {base: best[base][2] for base in sorted(best)}


def pushed_to(pushed_model: Artifact) -> tuple[str, int] | None:
    """Returns base and version of a PushedModel; None if it was not pushed to a versioned place."""
    properties = pushed_model.properties
    destination = str(properties.get("pushed_destination", "")).rstrip("/")
    base, _, version = destination.rpartition("/")
    if not properties.get("pushed") or not version.isdecimal():
        return None
    return base, int(version)
