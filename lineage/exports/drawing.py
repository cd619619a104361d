"""Shared by the drawn formats Graphviz and Mermaid: words, colours, baselines.

A state is written in words and drawn with a line of its own, so that colour is never the only sign.
"""

from lineage.exports.scope import Scope
from lineage.graph.elements import Artifact, Execution, Link
from lineage.graph.trace import BASELINE_KEY
from lineage.text.harmless import plain

# State or `artifact`: fill, line and whether that is dashed. Dark text is readable on each fill.
COLOURS = {
    "executed": ("#d7f0d7", "#2e7d32", False),
    "cached": ("#dbe9fb", "#1f5fae", True),
    "failed": ("#fbdcdc", "#b3261e", False),
    "running": ("#fff3cd", "#8a6100", True),
    "unknown": ("#eeeeee", "#555555", True),
    "artifact": ("#ffffff", "#555555", False),
}
_LONGEST = 60  # characters of a line in a node


def execution_lines(execution: Execution, scope: Scope) -> list[str]:
    """Node and state; the run too, where there are several."""
    lines = [execution.place.node, execution.state]
    if len(scope.runs) > 1:
        lines.insert(1, execution.place.run_id)
    return [plain(line, _LONGEST) for line in lines]


def artifact_lines(artifact: Artifact) -> list[str]:
    """Printable id; name and state where they say something."""
    lines = [artifact.key, artifact.name]
    if artifact.state not in ("live", "unknown"):
        lines.append(artifact.state)
    return [plain(line, _LONGEST) for line in lines if line]


def is_baseline(link: Link) -> bool:
    """Whether a model is only compared with here."""
    return set(link.keys) == {BASELINE_KEY}


def drawn_links(scope: Scope) -> list[Link]:
    """The links whose both ends are there."""
    artifacts = {artifact.id for artifact in scope.artifacts}
    executions = {execution.id for execution in scope.executions}
    return [
        link
        for link in scope.links
        if link.artifact_id in artifacts and link.execution_id in executions
    ]
