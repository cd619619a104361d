"""Statistics and schemas as TFX writes them, read into flat values.

The protos of tensorflow_metadata come without TensorFlow. Missing and invalid payloads are
reported.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from google.protobuf import json_format, message, text_format

from fareline.recorded.texts import parse_json
from lineage.facts.payload import local_path
from lineage.graph.elements import Artifact
from lineage.text.flat import flatten

_STATISTICS_FILE = "FeatureStats.pb"
_SCHEMA_FILE = "schema.pbtxt"
_SPLIT = "Split-"
_TOP_VALUES = 3


class Unreadable(Exception):
    """A payload is not there or cannot be read; the message says which."""


def statistics_of(artifact: Artifact) -> dict[str, Any]:
    """Reads an ExampleStatistics: `SPLIT: rows`, `SPLIT: COLUMN.missing` (a share), `.mean` ….

    Raises:
        Unreadable: The payload does not exist, or has another format.
    """
    flat: dict[str, Any] = {}
    for split, dataset in statistics_by_split(artifact).items():
        flat[f"{split}: rows"] = int(dataset.num_examples)
        for feature in dataset.features:
            name = name_of(feature)
            for aspect, value in _aspects(feature, int(dataset.num_examples)):
                flat[f"{split}: {name}.{aspect}"] = value
    return flat


def statistics_by_split(artifact: Artifact) -> dict[str, Any]:
    """Reads an ExampleStatistics: split to `DatasetFeatureStatistics`, in the order of the names.

    Raises:
        Unreadable: The payload does not exist, or has another format.
    """
    from tensorflow_metadata.proto.v0 import statistics_pb2

    found = {}
    files = sorted(folder_of(artifact).glob(f"{_SPLIT}*/{_STATISTICS_FILE}"))
    for path in files:
        listed = statistics_pb2.DatasetFeatureStatisticsList()
        try:
            listed.ParseFromString(path.read_bytes())
        except (OSError, message.DecodeError) as error:
            raise Unreadable(f"{artifact.key}: {path} cannot be read") from error
        for dataset in listed.datasets[:1]:
            found[path.parent.name.removeprefix(_SPLIT)] = dataset
    if not files:
        raise Unreadable(f"{artifact.key}: no statistics at {artifact.uri}")
    return found


def name_of(feature: Any) -> str:
    """The name of a column in statistics."""
    return ".".join(feature.path.step) or feature.name


def missing_share(feature: Any, rows: int) -> float:
    """The share of rows in which a column has no value."""
    kind = feature.WhichOneof("stats")
    if kind is None or not rows:
        return 0.0
    common = getattr(feature, kind).common_stats
    # A CSV's empty cell is a feature that is there and has no value: count values, not features.
    filled = common.tot_num_values if common.max_num_values <= 1 else common.num_non_missing
    return max(rows - int(filled), 0) / rows


def schema_of(artifact: Artifact) -> dict[str, Any]:
    """Reads a Schema: `COLUMN.type`, `COLUMN.presence.minFraction` and so on.

    Raises:
        Unreadable: The payload does not exist, or has another format.
    """
    from tensorflow_metadata.proto.v0 import schema_pb2

    path = folder_of(artifact) / _SCHEMA_FILE
    try:
        schema = text_format.Parse(path.read_bytes(), schema_pb2.Schema())
    except OSError as error:
        raise Unreadable(f"{artifact.key}: no schema at {artifact.uri}") from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise Unreadable(f"{artifact.key}: {path} is not a schema") from error
    content = json_format.MessageToDict(schema)
    features = content.pop("feature", [])
    flat = {f"(schema).{name}": value for name, value in flatten(content).items()}
    for feature in features:
        name = feature.pop("name", "")
        flat |= flatten(feature, name) or {name: "a column"}
    return flat


def hyperparameters_in(artifact: Artifact) -> dict[str, Any]:
    """Reads HyperParameters as KerasTuner wrote them.

    Raises:
        Unreadable: The payload does not exist, or has another format.
    """
    for path in sorted(folder_of(artifact).glob("*.txt")):
        try:
            content = parse_json(path.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise Unreadable(f"{artifact.key}: {path} cannot be read") from error
        if isinstance(content, dict) and isinstance(content.get("values"), dict):
            return flatten(content["values"])
    raise Unreadable(f"{artifact.key}: no hyperparameters at {artifact.uri}")


def folder_of(artifact: Artifact) -> Path:
    """The folder of a payload.

    Raises:
        Unreadable: The files are not on this machine.
    """
    path = local_path(artifact.uri)
    if path is None:
        raise Unreadable(f"{artifact.key}: {artifact.uri} is not on this machine")
    return path


def _aspects(feature: Any, rows: int) -> Iterable[tuple[str, Any]]:
    """What is compared of one column in one split."""
    kind = feature.WhichOneof("stats")
    if kind is None:
        return
    stats = getattr(feature, kind)
    # A share: of data sets of different sizes, counts would always differ.
    yield "missing", missing_share(feature, rows)
    if kind == "num_stats":
        yield "mean", stats.mean
        yield "std", stats.std_dev
    elif kind == "string_stats":
        yield "unique", int(stats.unique)
        top = sorted(stats.top_values, key=lambda value: (-value.frequency, value.value))
        yield "top", [value.value for value in top[:_TOP_VALUES]]
