"""Usual durations of nodes, from an earlier run in the same store. Imports no TFX.

Called by `runners.local.run`, for the live table.
"""

from collections.abc import Mapping

from lineage.facts.runs import list_runs
from lineage.graph.graph import Graph

_LATEST = 10


def usual_seconds(graph: Graph, pipeline: str, sample: int | None = None) -> Mapping[str, float]:
    """Seconds by which each node brings a run nearer to its end; empty where none has executed any.

    Of the last few runs the one that executed most nodes counts. Since nodes run beside each other,
    what they took together is more than the run took: each gets its part of the run.

    Args:
        graph: Lineage graph of the store.
        pipeline: Name of the pipeline.
        sample: Number of rows of its sample; only runs of the same size count.
    """
    runs = [run for run in list_runs(graph, _LATEST) if run.pipeline == pipeline]
    runs = [run for run in runs if run.sample == sample]
    taken = [{n.node: n.seconds for n in run.nodes if n.state == "executed"} for run in runs]
    if not any(taken):
        return {}
    run, nodes = max(zip(runs, taken, strict=True), key=lambda pair: len(pair[1]))
    share = run.seconds / max(sum(nodes.values()), 1e-9)
    return {name: seconds * min(share, 1.0) for name, seconds in nodes.items()}
