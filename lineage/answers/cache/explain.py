"""Why a node executed instead of being taken from TFX's cache: what differs from the last time.

TFX's key is a hash over the pipeline's name, the node and its type, its executor, the records of
its input artifacts, its outputs as declared (the TFX version among them) and its parameters; with a
`module_file`, over that file. The key is the name of a context of each execution, so executions
with the same key are certain. For different keys, only the records in the store can be compared.

Source: tfx.orchestration.portable.cache_utils and launcher, the same in TFX 1.16 and 1.21.
Called by `cli.lineage.inputs`.
"""

import dataclasses
from collections.abc import Iterable

from ml_metadata.proto import metadata_store_pb2

from fareline import recorded
from lineage.answers.cache.differences import Difference, differences_between
from lineage.facts.payload import MISSING, look_at
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph

_CACHE_CONTEXT = "execution_cache"
_NEVER_CACHED = {
    "Resolver": "a resolver looks into the store anew in every run",
    "Importer": "an importer looks at its URI anew in every run",
}
# The nodes that `runners.local.publication` has executed though their key is known, and why.
FORCED = {
    "Pusher": "another model was found as the newest version at the destination",
    "InfraValidator": "the machine ended the last infra validation, which therefore says nothing "
    "about the model",
    "DriftMonitor": "the requests that it compares with are not on this machine, so a change of "
    "them cannot be seen",
}
_SUCCESSES = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Explanation of one execution.

    Attributes:
        execution: Execution to explain.
        reason: `cached`, `never_cached`, `first`, `earlier_failed`, `outputs_gone`, `caching_off`,
            `forced`, `differs` or `unknown`.
        text: In words.
        compared_with: The earlier execution, if there is one.
        differences: Differences from it; at least one for `differs`.
    """

    execution: Execution
    reason: str
    text: str
    compared_with: Execution | None = None
    differences: tuple[Difference, ...] = ()


def explain_cache(graph: Graph, execution: Execution) -> list[Explanation]:
    """Explains an execution, and the upstream executions whose new outputs were the cause.

    Returns:
        The root causes first, the execution that was asked for last.
    """
    explained: dict[Execution, Explanation] = {}
    ordered: list[Explanation] = []

    def visit(current: Execution) -> None:
        if current in explained:
            return
        explanation = explained[current] = explain_one(graph, current)
        for difference in explanation.differences:
            if difference.upstream is not None:
                visit(difference.upstream)
        ordered.append(explanation)

    visit(execution)
    return ordered


def explain_one(graph: Graph, execution: Execution) -> Explanation:
    """Explains one execution by itself."""
    if execution.state == "cached":
        return _explain_cached(graph, execution)
    kind = execution.type.rpartition(".")[2]
    if kind in _NEVER_CACHED and execution.type.startswith("tfx."):
        return Explanation(execution, "never_cached", _NEVER_CACHED[kind])
    same_key = [e for e in _same_key(graph, execution) if e.id < execution.id]
    for earlier in reversed(same_key):
        if earlier.state in ("executed", "cached"):
            return _explain_same_key(graph, execution, earlier)
    earlier = _nearest_success(graph, execution)
    if earlier is None:
        return _explain_first(graph, execution)
    if same_key:
        text = f"{same_key[-1].key} had the same cache key and {_state(same_key[-1])}"
        return Explanation(execution, "earlier_failed", text, same_key[-1])
    differences = tuple(differences_between(graph, earlier, execution))
    if not differences:
        text = (
            f"its cache key is not that of {earlier.key}, and nothing that the store holds "
            f"differs; {_unrecorded(execution)}"
        )
        return Explanation(execution, "unknown", text, earlier)
    text = "; ".join(dict.fromkeys(difference.text for difference in differences))
    return Explanation(execution, "differs", text, earlier, differences)


def origin_of(graph: Graph, execution: Execution) -> Execution | None:
    """The execution that created the outputs of a cached execution; None if not recorded."""
    same_key = [e for e in _same_key(graph, execution) if e.id < execution.id]
    made = {link.artifact_id for link in graph.links_of_executions([execution.id])}
    for earlier in reversed([e for e in same_key if e.state == "executed"]):
        outputs = {k.artifact_id for k in graph.links_of_executions([earlier.id]) if k.is_output}
        if outputs <= made:
            return earlier
    for artifact in _flat(graph.outputs(execution).values()):
        for producer in graph.producers(artifact):
            if producer.state == "executed":
                return producer
    return None


def _explain_cached(graph: Graph, execution: Execution) -> Explanation:
    origin = origin_of(graph, execution)
    if origin is None:
        return Explanation(execution, "cached", "the store does not say from which execution")
    return Explanation(execution, "cached", f"its outputs are those of {origin.key}", origin)


def _explain_same_key(graph: Graph, execution: Execution, earlier: Execution) -> Explanation:
    """The key was known: TFX found no use for the outputs, or was told not to look."""
    origin = (origin_of(graph, earlier) if earlier.state == "cached" else earlier) or earlier
    text = f"the cache key is that of {origin.key}, but "
    outputs = _flat(graph.outputs(origin).values())
    gone = [a.key for a in outputs if a.state != "live" and a.updated <= execution.created]
    if gone:
        text += f"of its outputs {', '.join(gone)} {'was' if len(gone) == 1 else 'were'} pruned"
        return Explanation(execution, "outputs_gone", text, origin)
    properties = graph.places.record(execution.place.run_id).properties
    if properties.get(recorded.USE_CACHE) == 0:
        text += "caching was off for the run (--no-cache)"
        return Explanation(execution, "caching_off", text, origin)
    gone = [a.key for a in outputs if look_at(a.uri).status == MISSING]
    if gone:
        text += f"of its outputs the payload of {', '.join(gone)} is missing"
        return Explanation(execution, "outputs_gone", text, origin)
    why = FORCED.get(execution.type.rpartition(".")[2])
    if why is not None and recorded.USE_CACHE in properties:
        text += why
        return Explanation(execution, "forced", text, origin)
    text += "caching was off, for the run or for the node; the store does not say which"
    return Explanation(execution, "caching_off", text, origin)


def _explain_first(graph: Graph, execution: Execution) -> Explanation:
    failed = [i for i, _ in _of_node(graph, execution) if i < execution.id]
    if not failed:
        return Explanation(execution, "first", "no earlier execution of this node in the pipeline")
    [last] = graph.executions(failed[-1:])
    times = "once" if len(failed) == 1 else f"{len(failed)} times"
    text = f"this node was begun {times} before and never completed; {last.key} {_state(last)}"
    return Explanation(execution, "earlier_failed", text, last)


def _nearest_success(graph: Graph, execution: Execution) -> Execution | None:
    """The newest earlier execution of the node that succeeded; for a cached one, its origin."""
    ids = [i for i, state in _of_node(graph, execution) if i < execution.id and state in _SUCCESSES]
    for earlier in graph.executions(ids[-1:]):
        return (origin_of(graph, earlier) if earlier.state == "cached" else None) or earlier
    return None


def _of_node(graph: Graph, execution: Execution) -> list[tuple[int, int]]:
    """Ids and states of all executions of the node in its pipeline, ascending."""
    name = f"{execution.place.pipeline}.{execution.place.node}"
    context = graph.store.get_context_by_type_and_name("node", name)
    found = graph.store.get_executions_by_context(context.id) if context else ()
    return sorted((e.id, e.last_known_state) for e in found)


def _same_key(graph: Graph, execution: Execution) -> list[Execution]:
    """Executions of the same cache key, this one included, ascending."""
    types = {t.id for t in graph.store.get_context_types() if t.name == _CACHE_CONTEXT}
    contexts = graph.store.get_contexts_by_execution(execution.id) if types else ()
    ids = {
        found.id
        for context in contexts
        if context.type_id in types
        for found in graph.store.get_executions_by_context(context.id)
    }
    return graph.executions(sorted(ids))


def _state(execution: Execution) -> str:
    words = {"failed": "failed", "running": "has not ended"}
    return words.get(execution.state, f"is {execution.state}")


def _unrecorded(execution: Execution) -> str:
    if execution.properties.get("module_file"):
        return f"the key holds the content of {execution.properties['module_file']} too"
    return "the key holds the executor too, which is not recorded"


def _flat(groups: Iterable[list[Artifact]]) -> list[Artifact]:
    return [artifact for group in groups for artifact in group]
