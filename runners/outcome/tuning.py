"""Whether Tuner searched, and why, as it recorded it, in one line for a reader.

Called by `runners.outcome.summary`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lineage.text.harmless import plain
from runners.progress import NodeResult, NodeState

_SAID = {
    "searched": "searched",
    "reused": "reused {reused_from}",
    "given": "took the hyperparameters of the settings",
}


def tuning_line(tuning: Mapping[str, Any] | None, nodes: Sequence[NodeResult]) -> str | None:
    """Describes the decision of Tuner.

    Args:
        tuning: From `fareline.recorded.tuning.tuning_of`.
        nodes: Nodes of the run.

    Returns:
        One line; None where Tuner always searches, or recorded nothing.
    """
    if tuning is None or tuning["policy"] == "always":
        return None
    said = _SAID.get(tuning["decision"], "decided").format_map(tuning)
    cached = any(n.name == "Tuner" and n.state is NodeState.CACHED for n in nodes)
    reasons = "; ".join(tuning["reasons"])
    return plain(f"Tuner{' (from the cache)' if cached else ''} {said}: {reasons}")
