"""The inputs of an execution, compared with the present files.

Called by `cli.lineage.inputs`.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from fareline.recorded.texts import parse_json
from lineage.facts.payload import (
    DIFFERS,
    MISSING,
    NOT_RECORDED,
    SAME,
    THERE,
    Fingerprint,
    Payload,
    SourceFile,
    check_digest,
    check_fingerprint,
    check_source_files,
    look_at,
)
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph

_CHANGED = frozenset({DIFFERS, MISSING})


@dataclasses.dataclass(frozen=True)
class Input:
    """One input.

    Attributes:
        key: Name of the input.
        artifact: Artifact that was read.
        payload: Present payload.
        checksum: `same`, `differs`, `missing`, `not_recorded` or `not_looked_at`.
    """

    key: str
    artifact: Artifact
    payload: Payload
    checksum: str

    @property
    def changed(self) -> bool:
        """Whether the payload is missing or has changed."""
        return self.payload.status == MISSING or self.checksum in _CHANGED


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The inputs of an execution.

    Attributes:
        execution: Requested execution.
        reader: The execution that read the inputs; for a cached execution, the original one.
        inputs: By key.
        files: The source files, of an ExampleGen that recorded them.
        fingerprint: TFX's numbers of the files, of an ExampleGen that did not.
        splits: Parameter to the splits that it names.
        parameters: Decoded.
    """

    execution: Execution
    reader: Execution
    inputs: tuple[Input, ...]
    files: tuple[SourceFile, ...]
    fingerprint: Fingerprint | None
    splits: Mapping[str, list[str]]
    parameters: Mapping[str, Any]

    @property
    def changed(self) -> bool:
        """Whether an input has changed or is missing."""
        fingerprint = self.fingerprint.status if self.fingerprint else SAME
        return (
            any(entry.changed for entry in self.inputs)
            or any(file.status in _CHANGED for file in self.files)
            or fingerprint in _CHANGED
        )


def read_inputs(graph: Graph, execution: Execution) -> Inputs:
    """Finds the inputs of an execution and checks them."""
    reader = _reader(graph, execution)
    inputs = []
    for key, artifacts in graph.inputs(reader).items():
        for artifact in artifacts:
            payload = look_at(artifact.uri)
            digest = check_digest(artifact) if payload.status == THERE else NOT_RECORDED
            inputs.append(Input(key, artifact, payload, digest))
    files: list[SourceFile] = []
    fingerprint = None
    examples = [a for found in graph.outputs(reader).values() for a in found]
    for artifact in examples if not inputs else ():
        files += check_source_files(artifact)
        if not files and "input_fingerprint" in artifact.properties:
            fingerprint = check_fingerprint(artifact, reader.properties)
    parameters = decode_parameters(reader.properties)
    return Inputs(
        execution,
        reader,
        tuple(inputs),
        tuple(files),
        fingerprint,
        splits_of(parameters),
        parameters,
    )


def _reader(graph: Graph, execution: Execution) -> Execution:
    """The execution itself, or the one whose outputs it took over from the cache."""
    if execution.state != "cached":
        return execution
    outputs = [a for found in graph.outputs(execution).values() for a in found]
    for artifact in outputs:
        for producer in graph.producers(artifact):
            if producer.state == "executed":
                return producer
    return execution


def decode_parameters(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with JSON texts taken apart; TFX's own notes (`__…__`) are left out."""
    return {name: _decode(value) for name, value in properties.items() if not name.startswith("__")}


def _decode(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        parsed = parse_json(value)
        return value if parsed is None else parsed
    return None if value == "null" else value


def splits_of(parameters: Mapping[str, Any]) -> dict[str, list[str]]:
    """The splits that parameters name: of Trainer, Tuner, Evaluator, Transform and the like."""
    found: dict[str, list[str]] = {}
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            for key in ("splits", "analyze", "transform"):
                listed = value.get(key)
                if isinstance(listed, list) and all(isinstance(s, str) for s in listed):
                    found[name if key == "splits" else f"{name}.{key}"] = listed
        elif name in ("example_splits", "exclude_splits", "split") and value:
            found[name] = value if isinstance(value, list) else [str(value)]
    return found


def inputs_as_json(found: Inputs) -> dict[str, Any]:
    """The answer, with stable keys."""
    return {
        "execution": found.execution.key,
        "type": found.execution.type,
        "state": found.execution.state,
        "read_by": found.reader.key,
        "inputs": [
            {
                "key": entry.key,
                "id": entry.artifact.key,
                "type": entry.artifact.type,
                "state": entry.artifact.state,
                "uri": entry.artifact.uri,
                "payload": entry.payload.status,
                "bytes": entry.payload.bytes,
                "checksum": entry.checksum,
            }
            for entry in found.inputs
        ],
        "files": [dataclasses.asdict(file) for file in found.files],
        "fingerprint": dataclasses.asdict(found.fingerprint) if found.fingerprint else None,
        "splits": dict(found.splits),
        "parameters": dict(found.parameters),
        "unchanged": not found.changed,
    }


def parameter_text(value: Any) -> str:
    """A parameter in one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
