"""Recorded changes of a serving folder by a person: who, when, why, and both versions.

An execution of type `fareline.rollback` or `fareline.promote`, with the Model and its PushedModel
as inputs and the PushedModel of the new version as output. Every question about pushes therefore
finds the new version like the versions of a run. This module also records versions that a run
pushed but could not record. Called by `runners.publishing`; with `prune` the only part of this
package that writes.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from fareline import recorded
from fareline.recorded.vertex import OnVertex, on_vertex_text, vertex_base
from lineage.graph.elements import Artifact

_PUSHED_MODEL, _MODEL = "pushed_model", "model"


@dataclasses.dataclass(frozen=True)
class Change:
    """A change of the live version.

    Attributes:
        kind: `fareline.rollback` or `fareline.promote`; on Vertex AI also `fareline.undeploy`.
        pipeline: Pipeline of the model; empty if not recorded.
        destination: Folder above the versions.
        from_version: Earlier live version.
        to_version: Version with the content that becomes live.
        reason: In the words of who did it.
        user: Login name.
    """

    kind: str
    pipeline: str
    destination: str
    from_version: int
    to_version: int
    reason: str
    user: str

    @property
    def node(self) -> str:
        """Name of the change in lists of executions: `rollback` or `promote`."""
        return self.kind.rpartition(".")[2]


def begin_change(
    store: metadata_store.MetadataStore,
    change: Change,
    model: Artifact | None,
    pushed_model: Artifact,
) -> int:
    """Records that a change is under way; returns the id of its execution.

    Args:
        store: Opened to write.
        change: Planned change.
        model: The Model that is to be live; None if the store does not say.
        pushed_model: Pushed model of the version that is to be live.
    """
    type_id = store.put_execution_type(mlmd.ExecutionType(name=change.kind))
    execution = mlmd.Execution(type_id=type_id, last_known_state=mlmd.Execution.RUNNING)
    texts = {
        recorded.DESTINATION: change.destination,
        recorded.REASON: change.reason,
        recorded.USER: change.user,
    }
    for name, text in texts.items():
        execution.custom_properties[name].string_value = text
    execution.custom_properties[recorded.FROM_VERSION].int_value = change.from_version
    execution.custom_properties[recorded.TO_VERSION].int_value = change.to_version
    inputs = [(_PUSHED_MODEL, pushed_model)]
    inputs += [(_MODEL, model)] if model is not None else []
    pairs = [(artifact.proto, _event(mlmd.Event.INPUT, key)) for key, artifact in inputs]
    contexts = _contexts(store, change)
    return store.put_execution(execution, pairs, contexts, reuse_context_if_already_exist=True)[0]


def complete_change(
    store: metadata_store.MetadataStore, execution_id: int, path: Path, copy: Path, digest: str
) -> int:
    """Records that a version has been published; returns the id of its PushedModel.

    Args:
        store: Opened to write.
        execution_id: From `begin_change`.
        path: Folder of the new version.
        copy: Where the artifact keeps its own copy of the files.
        digest: SHA-256 of the files.
    """
    [execution] = store.get_executions_by_id([execution_id])
    execution.custom_properties[recorded.NEW_VERSION].int_value = int(path.name)
    copied = execution.custom_properties[recorded.TO_VERSION].int_value
    more = {recorded.COPY_OF_VERSION: copied}
    pushed = _pushed_model(store, str(path), str(copy), digest, more)
    return _complete(store, execution, pushed, [])


def complete_change_on_vertex(
    store: metadata_store.MetadataStore, execution_id: int, of: Artifact, record: OnVertex
) -> int:
    """Records what an endpoint of Vertex AI does since a change; returns the id of its PushedModel.

    Args:
        store: Opened to write.
        execution_id: From `begin_change`.
        of: The PushedModel of the version, as its push recorded it.
        record: The endpoint now.
    """
    [execution] = store.get_executions_by_id([execution_id])
    execution.custom_properties[recorded.NEW_VERSION].int_value = record.version
    place = f"{vertex_base(record.target)}/{record.version}"
    digest = str(of.properties.get(recorded.SHA256, ""))
    pushed = _pushed_model(store, place, of.uri, digest, {})
    pushed.custom_properties[recorded.VERTEX].string_value = on_vertex_text(record)
    return _complete(store, execution, pushed, [])


def complete_push(
    store: metadata_store.MetadataStore, execution_id: int, path: Path, copy: str, digest: str
) -> int:
    """Records that a run has pushed a version, as TFX would; returns the id of its PushedModel.

    Args:
        store: Opened to write.
        execution_id: Id of the Pusher that was stopped before that.
        path: Folder of the version.
        copy: URI of the artifact, which holds a copy of the files.
        digest: SHA-256 of the files.
    """
    [execution] = store.get_executions_by_id([execution_id])
    pushed = _pushed_model(store, str(path), copy, digest, {recorded.VERSION_CREATED: 1})
    return _complete(store, execution, pushed, store.get_contexts_by_execution(execution_id))


def _pushed_model(
    store: metadata_store.MetadataStore,
    place: str,
    copy: str,
    digest: str,
    more: Mapping[str, int],
) -> mlmd.Artifact:
    try:
        type_id = store.get_artifact_type("PushedModel").id
    except errors.NotFoundError:  # the first push of all
        type_id = store.put_artifact_type(mlmd.ArtifactType(name="PushedModel"))
    pushed = mlmd.Artifact(type_id=type_id, uri=copy, state=mlmd.Artifact.LIVE)
    values = pushed.custom_properties
    values["pushed"].int_value = 1
    values["pushed_destination"].string_value = place
    values["pushed_version"].string_value = place.rpartition("/")[2]
    values[recorded.SHA256].string_value = digest
    for name, value in more.items():
        values[name].int_value = value
    return pushed


def _complete(
    store: metadata_store.MetadataStore,
    execution: mlmd.Execution,
    pushed: mlmd.Artifact,
    contexts: Sequence[mlmd.Context],
) -> int:
    execution.last_known_state = mlmd.Execution.COMPLETE
    pair = (pushed, _event(mlmd.Event.OUTPUT, _PUSHED_MODEL))
    _, artifact_ids, _ = store.put_execution(
        execution, [pair], contexts, reuse_context_if_already_exist=True
    )
    return artifact_ids[0]


def fail_change(store: metadata_store.MetadataStore, execution_id: int) -> None:
    """Records that a change was not made."""
    [execution] = store.get_executions_by_id([execution_id])
    execution.last_known_state = mlmd.Execution.FAILED
    store.put_executions([execution])


def _contexts(store: metadata_store.MetadataStore, change: Change) -> Sequence[mlmd.Context]:
    """The pipeline and the node, as TFX has them; no run, since none took place."""
    contexts = []
    names = {"pipeline": change.pipeline, "node": f"{change.pipeline}.{change.node}"}
    for kind, name in names.items() if change.pipeline else ():
        try:
            type_id = store.get_context_type(kind).id
        except errors.NotFoundError:
            type_id = store.put_context_type(mlmd.ContextType(name=kind))
        contexts.append(mlmd.Context(type_id=type_id, name=name))
    return contexts


def _event(kind: mlmd.Event.Type, key: str) -> mlmd.Event:
    event = mlmd.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = 0
    return event
