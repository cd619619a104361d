"""A part of the graph: what lies outside is taken from an earlier run, as TFX's partial runs do.

TFX marks the nodes of a compiled pipeline, and records for each reused node a CACHED execution that
outputs the artifacts of the earlier run, whose context is made a parent of the new run's. What is
ours: the nodes that look for the model to compare with look again. Imports TFX.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence

from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.orchestration.portable import partial_run_utils
from tfx.orchestration.portable.mlmd import context_lib
from tfx.proto.orchestration import pipeline_pb2
from tfx.types.standard_artifacts import Examples
from tfx.utils import name_utils

from fareline.errors import UserMistake
from fareline.near import near_names
from lineage.facts.payload import MISSING, look_at
from lineage.facts.runs import COMPLETE, Run, list_runs, outputs_of_run
from lineage.graph.graph import Graph
from runners.local.launching import nodes_of
from runners.part import Part, require_node

_SUCCESSES = ("executed", "cached")
_RESOLVER = name_utils.get_full_name(Resolver)


@dataclasses.dataclass(frozen=True)
class MarkedPart:
    """The part of the graph that runs.

    Attributes:
        executed: Nodes that run, in DAG order.
        reused: Nodes before or beside them, whose artifacts are those of the other run.
        reused_run: Id of that run; empty if nothing is reused.
    """

    executed: Sequence[str]
    reused: Sequence[str]
    reused_run: str


def mark_part(
    compiled: pipeline_pb2.Pipeline, part: Part, graph: Graph | None, sample: int | None = None
) -> MarkedPart:
    """Marks a compiled pipeline for a partial run.

    Args:
        compiled: Changed in place.
        part: Part to run.
        graph: Lineage graph of the store; None before the first run.
        sample: Number of rows of the sample; only runs of the same sample are reused.

    Raises:
        UserMistake: There is no such node, nothing between them, or no run to reuse.
    """
    nodes = nodes_of(compiled)
    for name in (*part.from_nodes, *part.to_nodes):
        require_node(name, nodes)
    from_nodes = [*part.from_nodes, *_looking_again(nodes, part)] if part.from_nodes else None
    partial_run_utils.mark_pipeline(compiled, from_nodes=from_nodes, to_nodes=part.to_nodes or None)
    modes = pipeline_pb2.NodeExecutionOptions.Skip
    executed = [name for name, node in nodes.items() if not node.execution_options.HasField("skip")]
    if not executed:
        raise UserMistake.explain(
            "--from",
            f"there is no path from {', '.join(part.from_nodes)} to {', '.join(part.to_nodes)}",
            "expected nodes that depend on each other",
            "`fareline step graph` shows what depends on what",
        )
    mode = {n: node.execution_options.skip.reuse_artifacts_mode for n, node in nodes.items()}
    required = [n for n in nodes if n not in executed and mode[n] == modes.REQUIRED]
    for name, node in nodes.items():  # what no node needs is left out
        if name not in executed and name not in required:
            node.execution_options.skip.reuse_artifacts_mode = modes.NEVER
    reused_run = ""
    if required:
        taken = _taken([nodes[name] for name in executed])
        name = compiled.pipeline_info.id
        reused_run = _find_run(graph, name, required, taken, part.reused_run, sample)
        settings = compiled.runtime_spec.snapshot_settings
        partial_run_utils.set_base_pipeline_run_strategy(settings, reused_run)
    return MarkedPart(executed, required, reused_run)


def reuse(handle: metadata.Metadata, compiled: pipeline_pb2.Pipeline) -> None:
    """Records what a marked pipeline reuses; what the run says about itself first.

    TFX would make the context of the run without it.

    Args:
        handle: Held.
        compiled: From `mark_part`.
    """
    for node in nodes_of(compiled).values():
        if not node.upstream_nodes:
            context_lib.prepare_contexts(metadata_handle=handle, node_contexts=node.contexts)
    partial_run_utils.snapshot(handle, compiled)


def _looking_again(nodes: Mapping[str, pipeline_pb2.PipelineNode], part: Part) -> list[str]:
    """Resolvers before a part whose artifacts are for nodes of the part alone, and are no data.

    A model is compared with the baseline of today, not with that of the earlier run.
    """
    to_nodes = part.to_nodes or nodes
    runs = partial_run_utils.compute_nodes_to_run(nodes, part.from_nodes, to_nodes, ())
    needed = partial_run_utils.compute_nodes_to_run(nodes, nodes, runs, ())
    again = []
    for name, node in reversed(nodes.items()):
        takers = needed.intersection(node.downstream_nodes)
        if name not in runs and _finds_no_data(node) and takers and takers <= runs:
            again.append(name)
            runs.add(name)
    return again


def _finds_no_data(node: pipeline_pb2.PipelineNode) -> bool:
    """Whether a node is a resolver, of other artifacts than Examples."""
    channels = [channel for spec in node.inputs.inputs.values() for channel in spec.channels]
    found = {c.artifact_query.type.name for c in channels if not c.producer_node_query.id}
    return node.node_info.type.name == _RESOLVER and Examples.TYPE_NAME not in found


def _find_run(
    graph: Graph | None,
    pipeline: str,
    nodes: Iterable[str],
    taken: Collection[tuple[str, str]],
    wanted: str | None,
    sample: int | None,
) -> str:
    """The run to reuse: the one that is named, or the last good one that has all the nodes."""
    runs = list_runs(graph, pipeline=pipeline) if graph is not None else []
    found = [run for run in runs if wanted in (None, run.run_id)]
    if wanted is not None and not found:
        near = near_names(wanted, [run.run_id for run in runs])
        raise UserMistake.explain(
            wanted,
            f"{pipeline} has no such run",
            "expected one whose artifacts can be used",
            f"did you mean {near[0]}" if near else "`fareline runs` lists them",
        )
    same = [run for run in found if run.sample == sample]
    if wanted is not None and not same:
        raise UserMistake.explain(
            wanted,
            f"it read {_rows(found[0].sample)}",
            f"expected a run that read {_rows(sample)}, as this one does",
            "name another run, or set data.sample to the same",
        )
    for run in same:
        if not _missing(run, nodes) and (wanted is not None or run.status == COMPLETE):
            gone = _gone(graph, run, taken)
            if not gone:
                return run.run_id
            if wanted is not None:
                raise UserMistake.explain(
                    wanted,
                    f"the files of {gone} are gone",
                    "expected a run whose artifacts are there",
                    "name another run, or begin further up",
                )
    if wanted is not None:
        raise UserMistake.explain(
            wanted,
            f"{', '.join(_missing(found[0], nodes))} did not end well in it",
            "expected a run with all nodes that are not to run now",
            "name another run, or begin further up",
        )
    raise UserMistake.explain(
        pipeline,
        "no run of it has ended well that could be reused",
        f"expected one with {', '.join(nodes)}, and their files",
        "run the whole pipeline first, or begin further up",
    )


def _taken(nodes: Iterable[pipeline_pb2.PipelineNode]) -> set[tuple[str, str]]:
    """Node and output key of what some nodes read."""
    channels = [c for node in nodes for spec in node.inputs.inputs.values() for c in spec.channels]
    return {(c.producer_node_query.id, c.output_key) for c in channels}


def _gone(graph: Graph, run: Run, taken: Collection[tuple[str, str]]) -> str:
    """The first artifact of a run that is taken and has no files any more; empty if none."""
    for node, outputs in outputs_of_run(graph, run.run_id).items():
        for key, artifacts in outputs.items():
            for artifact in artifacts if (node, key) in taken else ():
                if artifact.state == "deleted" or look_at(artifact.uri).status == MISSING:
                    return artifact.key
    return ""


def _rows(sample: int | None) -> str:
    return "all rows" if sample is None else f"a sample of {sample:,} rows"


def _missing(run: Run, nodes: Iterable[str]) -> list[str]:
    done = {node.node for node in run.nodes if node.state in _SUCCESSES}
    return [name for name in nodes if name not in done]
