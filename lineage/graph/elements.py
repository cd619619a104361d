"""Elements of a store as plain values: artifacts, executions, and the links between them.

Times are milliseconds since 1970, UTC. Properties are decoded: what TFX wraps as JSON comes out as
lists and dicts.
"""

import dataclasses
import functools
import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Union

from google.protobuf import json_format
from ml_metadata.proto import metadata_store_pb2

_EXECUTION_STATES = {
    metadata_store_pb2.Execution.COMPLETE: "executed",
    metadata_store_pb2.Execution.CACHED: "cached",
    metadata_store_pb2.Execution.FAILED: "failed",
    metadata_store_pb2.Execution.CANCELED: "failed",
    metadata_store_pb2.Execution.RUNNING: "running",
    metadata_store_pb2.Execution.NEW: "running",
}
# Events that say what came from what. A resolver only looks: its INTERNAL events are no lineage.
_INPUTS = frozenset({metadata_store_pb2.Event.INPUT, metadata_store_pb2.Event.DECLARED_INPUT})
_OUTPUTS = frozenset({metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.DECLARED_OUTPUT})


@dataclasses.dataclass(frozen=True)
class Artifact:
    """One artifact.

    Attributes:
        id: In the store.
        type: Name of its type, such as `Model`.
        proto: Proto, as ML Metadata has it.
    """

    id: int
    type: str
    proto: metadata_store_pb2.Artifact = dataclasses.field(repr=False, compare=False)

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def key(self) -> str:
        """The printable id, such as `Model:12`."""
        return f"{self.type}:{self.id}"

    @property
    def name(self) -> str:
        """Name in the store; most artifacts have none."""
        return self.proto.name

    @property
    def uri(self) -> str:
        """Where the payload is."""
        return self.proto.uri

    @property
    def state(self) -> str:
        """Such as `live` or `deleted`."""
        return metadata_store_pb2.Artifact.State.Name(self.proto.state).lower()

    @property
    def created(self) -> int:
        """When it was recorded."""
        return self.proto.create_time_since_epoch

    @property
    def updated(self) -> int:
        """When its record last changed."""
        return self.proto.last_update_time_since_epoch

    @functools.cached_property
    def properties(self) -> Mapping[str, Any]:
        """Properties and custom properties, by name."""
        return _decode(self.proto)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where in the pipelines an execution belongs.

    Attributes:
        pipeline: Name of the pipeline; empty if the store does not say.
        run_id: Name of the run; empty if the store does not say.
        node: Node id; the type's last word if the store does not say.
        repeated: Whether the run has more executions of this node.
    """

    pipeline: str
    run_id: str
    node: str
    repeated: bool = False


@dataclasses.dataclass(frozen=True)
class Execution:
    """One execution.

    Attributes:
        id: In the store.
        type: Name of its type, such as `tfx.components.trainer.component.Trainer`.
        place: Pipeline, run and node.
        proto: Proto, as ML Metadata has it.
    """

    id: int
    type: str
    place: Place
    proto: metadata_store_pb2.Execution = dataclasses.field(repr=False, compare=False)

    def __hash__(self) -> int:
        return hash(-self.id)

    @property
    def key(self) -> str:
        """The printable id, such as `Trainer@run-7`."""
        if not self.place.run_id:
            return f"{self.place.node}#{self.id}"
        suffix = f"#{self.id}" if self.place.repeated else ""
        return f"{self.place.node}@{self.place.run_id}{suffix}"

    @property
    def state(self) -> str:
        """One of `executed`, `cached`, `failed`, `running`, `unknown`."""
        return state_of(self.proto)

    @property
    def created(self) -> int:
        """When it was registered."""
        return self.proto.create_time_since_epoch

    @property
    def updated(self) -> int:
        """When its record last changed: when it ended, if it has."""
        return self.proto.last_update_time_since_epoch

    @property
    def seconds(self) -> float:
        """From registration to the last update."""
        return (self.updated - self.created) / 1000

    @functools.cached_property
    def properties(self) -> Mapping[str, Any]:
        """Execution parameters, by name; JSON texts are left as they are."""
        return _decode(self.proto)


def state_of(execution: metadata_store_pb2.Execution) -> str:
    """One of `executed`, `cached`, `failed`, `running`, `unknown`."""
    return _EXECUTION_STATES.get(execution.last_known_state, "unknown")


Node = Union[Artifact, Execution]  # noqa: UP007 - a type alias that Python 3.10 evaluates


class Link(NamedTuple):
    """One event: an execution read or wrote an artifact.

    Attributes:
        artifact_id: In the store.
        execution_id: In the store.
        is_output: Whether the execution wrote it.
        keys: Names of the inputs or outputs. TFX merges the events of one artifact that arrives
            under several names, as `model` and `baseline_model`.
    """

    artifact_id: int
    execution_id: int
    is_output: bool
    keys: tuple[str, ...]


def link_of(event: metadata_store_pb2.Event) -> Link | None:
    """Reads an event; None for one that is no lineage."""
    if event.type not in _INPUTS and event.type not in _OUTPUTS:
        return None
    # Plain, with a list in between and no HasField: it runs for every event. No key is empty.
    keys = tuple([step.key for step in event.path.steps if step.key])
    return Link(event.artifact_id, event.execution_id, event.type in _OUTPUTS, keys)


def decode_values(values: "Mapping[str, metadata_store_pb2.Value]") -> dict[str, Any]:
    """Reads the properties, or the custom properties, of any element, sorted by name."""
    decoded = {}
    for name in sorted(values):
        kind = values[name].WhichOneof("value")
        if kind == "struct_value":
            decoded[name] = _decode_struct(values[name].struct_value)
        elif kind == "proto_value":
            decoded[name] = values[name].proto_value.type_url
        elif kind:
            decoded[name] = getattr(values[name], kind)
    return decoded


def _decode(
    proto: "metadata_store_pb2.Artifact | metadata_store_pb2.Execution",
) -> dict[str, Any]:
    return decode_values(proto.custom_properties) | decode_values(proto.properties)


def _decode_struct(struct: Any) -> Any:
    """TFX's JSON values: a struct, or a text of JSON in a struct with the one key `__value__`."""
    content = json_format.MessageToDict(struct)
    if set(content) != {"__value__"}:
        return content
    try:
        return json.loads(content["__value__"])
    except (TypeError, ValueError):
        return content["__value__"]
