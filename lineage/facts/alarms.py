"""Alarms about a live model, recorded: an execution that points at the model and at the evidence.

An execution of type `fareline.monitor`, with the PushedModel as input and a MonitoringReport as
output, whose URI is the file with every figure. Called by `runners.watching.watching`.
"""

from collections.abc import Sequence
from pathlib import Path

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from fareline.digests import sha256_of_file
from fareline.recorded import MONITOR, REASON, SHA256
from lineage.graph.elements import Artifact

REPORT = "MonitoringReport"


def record_alarms(
    store: metadata_store.MetadataStore,
    pipeline: str,
    pushed_model: Artifact,
    report: Path,
    said: Sequence[str],
) -> str:
    """Records alarms; returns the printable id of the execution.

    Args:
        store: Opened to write.
        pipeline: Whose model it is.
        pushed_model: That is live.
        report: The evidence.
        said: A line for each alarm.
    """
    type_id = store.put_execution_type(mlmd.ExecutionType(name=MONITOR))
    execution = mlmd.Execution(type_id=type_id, last_known_state=mlmd.Execution.COMPLETE)
    execution.custom_properties[REASON].string_value = "\n".join(said)
    kind = store.put_artifact_type(mlmd.ArtifactType(name=REPORT))
    evidence = mlmd.Artifact(type_id=kind, uri=str(report), state=mlmd.Artifact.LIVE)
    evidence.custom_properties[SHA256].string_value = sha256_of_file(report)
    pairs = [
        (pushed_model.proto, _event(mlmd.Event.INPUT, "pushed_model")),
        (evidence, _event(mlmd.Event.OUTPUT, "report")),
    ]
    contexts = [
        _context(store, "pipeline", pipeline),
        _context(store, "node", f"{pipeline}.monitor"),
    ]
    execution_id = store.put_execution(
        execution, pairs, contexts, reuse_context_if_already_exist=True
    )[0]
    return f"monitor#{execution_id}"


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
