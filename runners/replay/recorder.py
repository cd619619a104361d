"""Records a run in ML Metadata as TFX on a laptop does: the same types, contexts and events.

One thread at a time may hold the store: SQLite has one writer. Imports no TFX.
"""

import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from fareline import recorded
from runners.ending import record_end
from runners.replay.artifacts import put_value

State = metadata_store_pb2.Execution
_OUTPUTS = (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.DECLARED_OUTPUT)
_PIPELINE, _RUN, _NODE, _CACHE = "pipeline", "pipeline_run", "node", "execution_cache"
_OUTPUT_PARAMETER = "output_parameter."
Artifacts = Mapping[str, Sequence[metadata_store_pb2.Artifact]]


class Recorder:
    """The records of one run.

    Args:
        store: Open for writing.
        pipeline: Its name.
        run_id: Id of the run.
        properties: Record of the run about itself, by the names of `fareline.recorded`.
        code_version: Names the context of all executions of this code; empty for none.
    """

    def __init__(
        self,
        store: metadata_store.MetadataStore,
        pipeline: str,
        run_id: str,
        properties: Mapping[str, str | int],
        code_version: str = "",
    ):
        self._store = store
        self._lock = threading.RLock()
        self._pipeline = pipeline
        self._run_id = run_id
        self._types: dict[tuple[str, str], int] = {}
        named = {_PIPELINE: pipeline, _RUN: run_id}
        if code_version:
            named[recorded.CODE_CONTEXT_TYPE] = code_version
        self._contexts = [self._context(kind, name) for kind, name in named.items()]
        for name, value in properties.items():
            put_value(self._contexts[1].custom_properties[name], value)

    def start(
        self, node: str, type_name: str, parameters: Mapping[str, Any], inputs: Artifacts
    ) -> int:
        """Records that an execution runs; returns its id."""
        execution = metadata_store_pb2.Execution(
            type_id=self._type("execution", type_name), last_known_state=State.RUNNING
        )
        execution.name = f"{self._run_id}:{node}:{time.time_ns()}"
        for name, value in parameters.items():
            put_value(execution.custom_properties[name], value)
        with self._lock:
            contexts = [*self._contexts, self._context(_NODE, f"{self._pipeline}.{node}")]
            events = [
                (artifact, _event(metadata_store_pb2.Event.INPUT, key, index, artifact.id))
                for key, artifacts in _merged(inputs)
                for index, artifact in enumerate(artifacts)
            ]
            execution_id, _, _ = self._store.put_execution(
                execution, events, contexts, reuse_context_if_already_exist=True
            )
        return execution_id

    def finish(
        self,
        execution_id: int,
        state: int,
        outputs: Artifacts | None = None,
        cache_key: str = "",
        internal: bool = False,
    ) -> dict[str, list[metadata_store_pb2.Artifact]]:
        """Records the state and the outputs of an execution that has ended.

        Args:
            execution_id: From `start`.
            state: Such as COMPLETE.
            outputs: New artifacts, or those of the store.
            cache_key: Key for later cache lookups; empty: no lookups.
            internal: Whether it only looked: a resolver.

        Returns:
            The outputs as the store has them now.
        """
        kind = metadata_store_pb2.Event.OUTPUT
        if internal:
            kind = metadata_store_pb2.Event.INTERNAL_OUTPUT
        with self._lock:
            [execution] = self._store.get_executions_by_id([execution_id])
            execution.last_known_state = state
            contexts = list(self._contexts)
            if cache_key:
                contexts.append(self._context(_CACHE, cache_key))
            listed = [
                (key, index, artifact)
                for key, artifacts in (outputs or {}).items()
                for index, artifact in enumerate(artifacts)
            ]
            pairs = [
                (artifact, _event(kind, key, index, artifact.id)) for key, index, artifact in listed
            ]
            _, ids, _ = self._store.put_execution(
                execution, pairs, contexts, reuse_context_if_already_exist=True
            )
            stored = {a.id: a for a in self._store.get_artifacts_by_id(ids)}
        result: dict[str, list[metadata_store_pb2.Artifact]] = {key: [] for key in outputs or {}}
        for (key, _, _), artifact_id in zip(listed, ids, strict=True):
            result[key].append(stored[artifact_id])
        return result

    def note(self, execution_id: int, properties: Mapping[str, Any]) -> None:
        """Adds properties to an execution that runs."""
        if not properties:
            return
        with self._lock:
            [execution] = self._store.get_executions_by_id([execution_id])
            for name, value in properties.items():
                put_value(execution.custom_properties[name], value)
            self._store.put_executions([execution])

    def note_output_parameters(self, execution_id: int, values: Mapping[str, Any]) -> None:
        """Adds the output parameters of an execution as JSON, for the cache to find."""
        texts = {_OUTPUT_PARAMETER + name: json.dumps(value) for name, value in values.items()}
        self.note(execution_id, texts)

    def find_cached(
        self, cache_key: str, keys: Iterable[str]
    ) -> tuple[dict[str, list[metadata_store_pb2.Artifact]], dict[str, Any]] | None:
        """Finds the outputs of an earlier execution with the same key, if all of them still exist.

        Args:
            cache_key: Cache key of the task.
            keys: The outputs that it must have.

        Returns:
            Its output artifacts and its output parameters; None if there is nothing to reuse.
        """
        wanted = set(keys)
        with self._lock:
            context = self._store.get_context_by_type_and_name(_CACHE, cache_key)
            executions = self._store.get_executions_by_context(context.id) if context else []
            for execution in sorted(executions, key=lambda e: -e.id):
                if execution.last_known_state not in (State.COMPLETE, State.CACHED):
                    continue
                outputs = self._outputs(execution.id)
                if set(outputs) == wanted and all(map(_is_there, _all(outputs))):
                    return outputs, _output_parameters(execution)
        return None

    def artifacts_of_type(self, name: str) -> list[metadata_store_pb2.Artifact]:
        """All outputs of this pipeline with a type, by id."""
        with self._lock:
            try:
                artifacts = self._store.get_artifacts_by_type(name)
            except errors.NotFoundError:
                return []
            context = self._store.get_context_by_type_and_name(_PIPELINE, self._pipeline)
            ours = {a.id for a in self._store.get_artifacts_by_context(context.id)}
        return sorted((a for a in artifacts if a.id in ours), key=lambda a: a.id)

    def artifacts_at(self, uri: str) -> list[metadata_store_pb2.Artifact]:
        """All artifacts of a URI, by id."""
        with self._lock:
            return sorted(self._store.get_artifacts_by_uri(uri), key=lambda a: a.id)

    def register(self, kind: metadata_store_pb2.ArtifactType) -> metadata_store_pb2.ArtifactType:
        """Returns a type of artifacts with its id; adds it to the store if it is not there."""
        with self._lock:
            key = ("artifact", kind.name)
            if key not in self._types:
                self._types[key] = self._store.put_artifact_type(
                    kind, can_add_fields=True, can_omit_fields=True
                )
            registered = metadata_store_pb2.ArtifactType()
            registered.CopyFrom(kind)
            registered.id = self._types[key]
        return registered

    def end(self, outcome: str) -> None:
        """Records how the run ended, and when, as `fareline.recorded.OUTCOME` has it."""
        with self._lock:
            record_end(self._store, self._run_id, outcome)

    def _outputs(self, execution_id: int) -> dict[str, list[metadata_store_pb2.Artifact]]:
        events = self._store.get_events_by_execution_ids([execution_id])
        events = [event for event in events if event.type in _OUTPUTS]
        found = self._store.get_artifacts_by_id([event.artifact_id for event in events])
        artifacts = {a.id: a for a in found}
        outputs: dict[str, list[tuple[int, metadata_store_pb2.Artifact]]] = {}
        for event in events:
            if event.artifact_id not in artifacts:
                return {}
            steps = event.path.steps
            outputs.setdefault(steps[0].key, []).append(
                (steps[1].index, artifacts[event.artifact_id])
            )
        return {
            key: [a for _, a in sorted(pairs, key=lambda pair: pair[0])]
            for key, pairs in outputs.items()
        }

    def _context(self, kind: str, name: str) -> metadata_store_pb2.Context:
        return metadata_store_pb2.Context(type_id=self._type("context", kind), name=name)

    def _type(self, kind: str, name: str) -> int:
        """Id of a type of contexts or executions, which have no properties of their own."""
        with self._lock:
            if (kind, name) not in self._types:
                if kind == "context":
                    new = self._store.put_context_type(
                        metadata_store_pb2.ContextType(name=name), can_omit_fields=True
                    )
                else:
                    new = self._store.put_execution_type(
                        metadata_store_pb2.ExecutionType(name=name), can_omit_fields=True
                    )
                self._types[kind, name] = new
            return self._types[kind, name]


def _merged(inputs: Artifacts) -> list[tuple[tuple[str, ...], list[metadata_store_pb2.Artifact]]]:
    """Keys and artifacts; the keys of one artifact that arrives under several in one event.

    ML Metadata keeps one event for an artifact, an execution and a type.
    """
    keys: dict[int, list[str]] = {}
    by_id: dict[int, metadata_store_pb2.Artifact] = {}
    for key, artifacts in inputs.items():
        for artifact in artifacts:
            keys.setdefault(artifact.id, []).append(key)
            by_id[artifact.id] = artifact
    return [(tuple(found), [by_id[i]]) for i, found in keys.items()]


def _event(
    kind: int, keys: str | tuple[str, ...], index: int, artifact_id: int
) -> metadata_store_pb2.Event:
    event = metadata_store_pb2.Event(type=kind)
    if artifact_id:
        event.artifact_id = artifact_id
    for key in (keys,) if isinstance(keys, str) else keys:
        event.path.steps.add().key = key
        event.path.steps.add().index = index
    return event


def _all(outputs: Artifacts) -> list[metadata_store_pb2.Artifact]:
    return [artifact for artifacts in outputs.values() for artifact in artifacts]


def _is_there(artifact: metadata_store_pb2.Artifact) -> bool:
    live = artifact.state in (
        metadata_store_pb2.Artifact.LIVE, metadata_store_pb2.Artifact.UNKNOWN,
    )  # fmt: skip
    return live and Path(artifact.uri).exists()


def _output_parameters(execution: metadata_store_pb2.Execution) -> dict[str, Any]:
    return {
        name.removeprefix(_OUTPUT_PARAMETER): json.loads(value.string_value)
        for name, value in execution.custom_properties.items()
        if name.startswith(_OUTPUT_PARAMETER)
    }
