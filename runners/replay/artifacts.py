"""Artifacts as containers see them (RuntimeArtifact) and as ML Metadata has them, to and fro.

The names of types and properties are those of TFX on a laptop, so that one store can hold both
kinds of runs. JSON has one kind of number: what was a whole number comes back as one, except
metrics. Imports no TFX.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml
from google.protobuf import json_format, struct_pb2
from kfp.pipeline_spec import pipeline_spec_pb2
from ml_metadata.proto import metadata_store_pb2

from fareline.recorded import METRIC_PREFIX

# Source: tfx.types.artifact
_SINGLE_VALUE = "__value__"
_CUSTOM_PREFIX = "custom:"
_TFX = "tfx."
_PROPERTY_TYPES = {
    "integer": metadata_store_pb2.INT,
    "int": metadata_store_pb2.INT,
    "string": metadata_store_pb2.STRING,
    "double": metadata_store_pb2.DOUBLE,
    "number": metadata_store_pb2.DOUBLE,
}
# Containers know models by name, ML Metadata by number. Source: tfx.components.evaluator.constants
_MODEL_IDS = ("current_model_id", "baseline_model_id")
_NAME = re.compile(r"artifact-(\d+)")


def runtime_name(artifact_id: int) -> str:
    """Name of a store's artifact in containers."""
    return f"artifact-{artifact_id}"


def id_of_name(name: str) -> int | None:
    """The artifact's number in the store; None for what is not there yet."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


def artifact_type(schema: pipeline_spec_pb2.ArtifactTypeSchema) -> metadata_store_pb2.ArtifactType:
    """The type as TFX registers it: `Model` for `tfx.Model`, with the schema's properties."""
    content = yaml.safe_load(schema.instance_schema) if schema.instance_schema else {}
    content = content if isinstance(content, dict) else {}
    title = schema.schema_title or content.get("title") or "tfx.Artifact"
    kind = metadata_store_pb2.ArtifactType(name=title.removeprefix(_TFX))
    for name, described in (content.get("properties") or {}).items():
        if (found := _PROPERTY_TYPES.get((described or {}).get("type"))) is not None:
            kind.properties[name] = found
    return kind


def to_runtime(
    artifact: metadata_store_pb2.Artifact, schema: pipeline_spec_pb2.ArtifactTypeSchema
) -> pipeline_spec_pb2.RuntimeArtifact:
    """An artifact of the store as a container gets it."""
    return pipeline_spec_pb2.RuntimeArtifact(
        name=runtime_name(artifact.id),
        type=schema,
        uri=artifact.uri,
        metadata=json_format.ParseDict(metadata_of(artifact), struct_pb2.Struct()),
    )


def metadata_of(artifact: metadata_store_pb2.Artifact) -> dict[str, Any]:
    """All properties of an artifact as JSON; ids of models as names."""
    metadata = {name: _to_json(value) for name, value in artifact.properties.items()}
    for name, value in artifact.custom_properties.items():
        metadata[_CUSTOM_PREFIX + name if name in metadata else name] = _to_json(value)
    for name in _MODEL_IDS:
        if isinstance(metadata.get(name), (int, float)):
            metadata[name] = runtime_name(int(metadata[name]))
    return {name: value for name, value in metadata.items() if value is not None}


def to_stored(
    runtime: pipeline_spec_pb2.RuntimeArtifact, kind: metadata_store_pb2.ArtifactType
) -> metadata_store_pb2.Artifact:
    """Converts an output of a container for the store.

    Args:
        runtime: With its URI and its metadata.
        kind: Its type; `id` is set if it is registered.
    """
    artifact = metadata_store_pb2.Artifact(
        uri=runtime.uri, type_id=kind.id, state=metadata_store_pb2.Artifact.LIVE
    )
    for name, value in json_format.MessageToDict(runtime.metadata).items():
        if name in _MODEL_IDS and isinstance(value, str):
            value = id_of_name(value) or value
        if name in kind.properties and _put_property(artifact, name, value, kind.properties[name]):
            continue
        name = name.removeprefix(_CUSTOM_PREFIX)
        put_value(artifact.custom_properties[name], value, is_metric=name.startswith(METRIC_PREFIX))
    return artifact


def put_value(target: metadata_store_pb2.Value, value: Any, is_metric: bool = False) -> None:
    """Writes a JSON value into a property, whole numbers as such unless they are metrics."""
    if isinstance(value, bool):
        target.int_value = int(value)
    elif isinstance(value, (int, float)):
        # A database server's integers have 32 bits.
        if is_metric or not float(value).is_integer() or abs(value) >= 2**31:
            target.double_value = value
        else:
            target.int_value = int(value)
    elif isinstance(value, str):
        target.string_value = value
    elif value is not None:
        content = value if isinstance(value, Mapping) else {_SINGLE_VALUE: value}
        json_format.ParseDict(content, target.struct_value)


def _put_property(artifact: metadata_store_pb2.Artifact, name: str, value: Any, kind: int) -> bool:
    """Writes a property of the type; False if the value is of another type."""
    target = artifact.properties
    if kind == metadata_store_pb2.INT and isinstance(value, float) and value.is_integer():
        target[name].int_value = int(value)
    elif kind == metadata_store_pb2.DOUBLE and isinstance(value, float):
        target[name].double_value = value
    elif kind == metadata_store_pb2.STRING and isinstance(value, str):
        target[name].string_value = value
    else:
        return False
    return True


def _to_json(value: metadata_store_pb2.Value) -> Any:
    kind = value.WhichOneof("value")
    if kind == "struct_value":
        content = json_format.MessageToDict(value.struct_value)
        return content.get(_SINGLE_VALUE, content)
    return getattr(value, kind) if kind in ("int_value", "double_value", "string_value") else None
