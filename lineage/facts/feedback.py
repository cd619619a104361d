"""Sealed spans of feedback in a store: recorded, found by a prediction id, marked as erased.

A span is an artifact of type `FeedbackSpan`, the output of an execution that read the prediction
log and the outcomes. Who read its rows is a link that `lineage.graph.span_links` finds. Recorded by
`runners.feedback`; beside `lineage.facts.changes_by_hand` and `prune` the only part of this package
that writes.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from fareline import recorded
from fareline.recorded.feedback import Answered, SealedSpan
from fareline.recorded.texts import read, text_of
from lineage.graph.elements import Artifact
from lineage.graph.graph import Graph


@dataclasses.dataclass(frozen=True)
class SpanPlace:
    """A sealed span and where it lies.

    Attributes:
        span: Manifest of the span.
        uri: URI of its folder.
        sha256: SHA-256 of the folder.
    """

    span: SealedSpan
    uri: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class Join:
    """The execution that makes spans.

    Attributes:
        kind: `fareline.feedback` or `fareline.erase`.
        pipeline: Pipeline of the predictions.
        log_uri: Folder of the prediction log.
        outcomes_uri: Folder of the outcomes.
        user: Login name.
        reason: Reason of an erasure, in the words of who did it.
    """

    kind: str
    pipeline: str
    log_uri: str
    outcomes_uri: str
    user: str
    reason: str = ""


def unrecorded(graph: Graph, uris: Iterable[str]) -> list[str]:
    """Those of some folders that no FeedbackSpan of the store has."""
    known = {artifact.uri for artifact in graph.artifacts_of_type(recorded.FEEDBACK_SPAN)}
    return [uri for uri in uris if uri not in known]


def record_spans(
    graph: Graph, join: Join, places: Sequence[SpanPlace], replaced: Sequence[Artifact] = ()
) -> int:
    """Records one execution that has sealed spans; returns its id.

    Args:
        graph: Lineage graph of a store that was opened to write.
        join: Execution that made the spans.
        places: The spans.
        replaced: FeedbackSpans that give way to them.
    """
    store = graph.store
    execution = mlmd.Execution(
        type_id=store.put_execution_type(mlmd.ExecutionType(name=join.kind)),
        last_known_state=mlmd.Execution.COMPLETE,
    )
    execution.custom_properties[recorded.USER].string_value = join.user
    if join.reason:
        execution.custom_properties[recorded.REASON].string_value = join.reason
    pairs = [
        (_folder_artifact(graph, kind, uri), _event(mlmd.Event.INPUT, key))
        for kind, uri, key in (
            (recorded.PREDICTION_LOG, join.log_uri, "prediction_log"),
            (recorded.OUTCOMES, join.outcomes_uri, "outcomes"),
        )
    ]
    pairs += [(a.proto, _event(mlmd.Event.INPUT, "replaced", i)) for i, a in enumerate(replaced)]
    pairs += [
        (_span_artifact(store, place), _event(mlmd.Event.OUTPUT, "span", i))
        for i, place in enumerate(places)
    ]
    contexts = _contexts(store, join)
    return store.put_execution(execution, pairs, contexts, reuse_context_if_already_exist=True)[0]


def mark_deleted(store: metadata_store.MetadataStore, spans: Iterable[Artifact]) -> None:
    """Marks spans as deleted, whose folders are about to go."""
    protos = []
    for span in spans:
        proto = mlmd.Artifact()
        proto.CopyFrom(span.proto)
        proto.state = mlmd.Artifact.DELETED
        protos.append(proto)
    if protos:
        store.put_artifacts(protos)


def _folder_artifact(graph: Graph, kind: str, uri: str) -> mlmd.Artifact:
    """The artifact that stands for a folder: the one that is there, or a new one."""
    for artifact in graph.artifacts_of_type(kind):
        if artifact.uri == uri:
            return artifact.proto
    type_id = graph.store.put_artifact_type(mlmd.ArtifactType(name=kind))
    return mlmd.Artifact(type_id=type_id, uri=uri, state=mlmd.Artifact.LIVE)


def _span_artifact(store: metadata_store.MetadataStore, place: SpanPlace) -> mlmd.Artifact:
    span = place.span
    artifact = mlmd.Artifact(
        type_id=store.put_artifact_type(mlmd.ArtifactType(name=recorded.FEEDBACK_SPAN)),
        uri=place.uri,
        state=mlmd.Artifact.LIVE,
    )
    texts = {
        recorded.SHA256: place.sha256,
        recorded.ROWS_SHA256: span.sha256[recorded.SPAN_ROWS_FILE],
        recorded.FIRST_ID: span.first_id,
        recorded.LAST_ID: span.last_id,
        recorded.AS_OF: str(span.as_of_ms),
        recorded.STATES: text_of(span.states),
        recorded.ANSWERED: text_of([dataclasses.asdict(each) for each in span.answered]),
    }
    for name, text in texts.items():
        artifact.custom_properties[name].string_value = text
    artifact.custom_properties["span"].int_value = span.span
    artifact.custom_properties["version"].int_value = span.version
    return artifact


def _contexts(store: metadata_store.MetadataStore, join: Join) -> list[mlmd.Context]:
    """The pipeline and the node, as TFX has them; no run, since none took place."""
    contexts = []
    node = join.kind.rpartition(".")[2]
    for kind, name in (("pipeline", join.pipeline), ("node", f"{join.pipeline}.{node}")):
        try:
            type_id = store.get_context_type(kind).id
        except errors.NotFoundError:
            type_id = store.put_context_type(mlmd.ContextType(name=kind))
        contexts.append(mlmd.Context(type_id=type_id, name=name))
    return contexts


def _event(kind: mlmd.Event.Type, key: str, index: int = 0) -> mlmd.Event:
    event = mlmd.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = index
    return event


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A logged prediction, as sealed spans know it.

    Attributes:
        id: Id of the prediction.
        spans: Versions of spans that contain the prediction, the newest last.
        taught: Those of them whose rows it is one of.
        state: In the newest.
        value: Its label, as JSON text; None if it has none.
        answered: Version that answered, in words.
    """

    id: str
    spans: tuple[Artifact, ...]
    taught: tuple[Artifact, ...]
    state: str
    value: str | None
    answered: str


def find_prediction(graph: Graph, prediction_id: str) -> Prediction | None:
    """Looks for a prediction in the sealed spans of a store; None if none of them has it."""
    spans, rows = [], []
    for span in graph.artifacts_of_type(recorded.FEEDBACK_SPAN):
        row = _state_of(span, prediction_id) if span.state == "live" else None
        if row is not None:
            spans.append(span)
            rows.append(row)
    if not spans:
        return None
    return Prediction(
        prediction_id,
        tuple(spans),
        tuple(s for s, row in zip(spans, rows, strict=True) if row["taught"]),
        str(rows[-1]["state"]),
        rows[-1]["value"],
        f"{rows[-1]['model']} version {rows[-1]['version']}",
    )


def _state_of(span: Artifact, prediction_id: str) -> Mapping[str, Any] | None:
    ends = [span.properties.get(name, "") for name in (recorded.FIRST_ID, recorded.LAST_ID)]
    if not ends[0] <= prediction_id <= ends[1]:
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(span.uri, recorded.SPAN_STATES_FILE)
    columns = ["id", "state", "value", "model", "version", "taught"]
    try:
        found = pq.read_table(path, columns=columns, filters=[("id", "=", prediction_id)])
    except (OSError, pa.ArrowInvalid):  # gone or changed, which `lineage verify` says
        return None
    return next(iter(found.to_pylist()), None)


def answered_of(span: Artifact) -> list[Answered]:
    """The versions that answered the predictions of a span."""
    return read(list[Answered], span, recorded.ANSWERED) or []
