"""Recorded decisions about a live model: an execution linked to the model and its evidence.

An execution of type `fareline.monitor`, with the PushedModel as input and MonitoringReports as
outputs, whose URIs are the files with every figure. Called by `runners.watching`.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from fareline.digests import sha256_of_file
from fareline.recorded import ACTION, DECIDED, MONITOR, REASON, SHA256
from lineage.graph.elements import Artifact

REPORT = "MonitoringReport"
_PIPELINE = "pipeline"


@dataclasses.dataclass(frozen=True)
class Trigger:
    """A decision and its reason.

    Attributes:
        pipeline: Pipeline of the model.
        action: `record`, `warn`, `retrain` or `roll_back`.
        causes: A line for each.
        decided_ms: When, milliseconds since 1970.
    """

    pipeline: str
    action: str
    causes: tuple[str, ...]
    decided_ms: int


def record_trigger(
    store: metadata_store.MetadataStore,
    trigger: Trigger,
    pushed_model: Artifact | None,
    evidence: Mapping[str, Path],
) -> str:
    """Records a decision; returns the printable id of the execution.

    Args:
        store: Opened to write.
        trigger: Decided action.
        pushed_model: Live PushedModel; None without one.
        evidence: Key of the event to the file.
    """
    type_id = store.put_execution_type(mlmd.ExecutionType(name=MONITOR))
    execution = mlmd.Execution(type_id=type_id, last_known_state=mlmd.Execution.COMPLETE)
    texts = {
        _PIPELINE: trigger.pipeline,
        ACTION: trigger.action,
        REASON: "\n".join(trigger.causes),
        DECIDED: str(trigger.decided_ms),
    }
    for name, text in texts.items():
        execution.custom_properties[name].string_value = text
    pairs = [
        (_report(store, path), _event(mlmd.Event.OUTPUT, key)) for key, path in evidence.items()
    ]
    if pushed_model is not None:
        pairs.insert(0, (pushed_model.proto, _event(mlmd.Event.INPUT, "pushed_model")))
    contexts = [
        _context(store, "pipeline", trigger.pipeline),
        _context(store, "node", f"{trigger.pipeline}.monitor"),
    ]
    execution_id = store.put_execution(
        execution, pairs, contexts, reuse_context_if_already_exist=True
    )[0]
    return f"monitor#{execution_id}"


def last_decided(
    store: metadata_store.MetadataStore, pipeline: str, actions: tuple[str, ...]
) -> int | None:
    """When one of these actions was decided last, milliseconds since 1970; None: never."""
    times = [
        int(execution.custom_properties[DECIDED].string_value)
        for execution in store.get_executions_by_type(MONITOR)
        if execution.custom_properties[ACTION].string_value in actions
        and execution.custom_properties[_PIPELINE].string_value == pipeline
    ]
    return max(times, default=None)


def _report(store: metadata_store.MetadataStore, path: Path) -> mlmd.Artifact:
    kind = store.put_artifact_type(mlmd.ArtifactType(name=REPORT))
    report = mlmd.Artifact(type_id=kind, uri=str(path), state=mlmd.Artifact.LIVE)
    report.custom_properties[SHA256].string_value = sha256_of_file(path)
    return report


def _context(store: metadata_store.MetadataStore, kind: str, name: str) -> mlmd.Context:
    try:
        type_id = store.get_context_type(kind).id
    except errors.NotFoundError:
        type_id = store.put_context_type(mlmd.ContextType(name=kind))
    return mlmd.Context(type_id=type_id, name=name)


def _event(kind: mlmd.Event.Type, key: str) -> mlmd.Event:
    event = mlmd.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = 0
    return event
