"""Schemas and anomalies of a run: suggestions of the data, and findings of a stock validator."""

import dataclasses
from typing import Any

from google.protobuf import message, text_format

from lineage.facts.payload_contents import Unreadable, folder_of
from lineage.graph.elements import Artifact
from report.run.sources import Sources, read_payload

_SCHEMA_FILE, _ANOMALIES_FILE = "schema.pbtxt", "SchemaDiff.pb"
# What a person would decide about; ranges and presence of one day's data are no proposal.
_ASPECTS = ("column", "type", "values")


def suggested_changes(sources: Sources) -> list[dict[str, Any]]:
    """Differences between the inferred schema and the curated one: columns, types and values.

    Empty where the run has one schema alone.
    """
    made = {execution.place.node: a for execution, _, a in sources.outputs if a.type == "Schema"}
    curated, inferred = made.get("CuratedSchema"), made.get("SchemaGen")
    if curated is None or inferred is None:
        return []
    from schema.review.differences import INFORMATIVE, compare_schemas

    try:
        found = compare_schemas(_schema(curated), _schema(inferred))
    except Unreadable:
        return []
    return [
        dataclasses.asdict(each)
        for each in found
        if each.severity != INFORMATIVE and each.aspect in _ASPECTS
    ]


def _schema(artifact: Artifact) -> Any:
    from tensorflow_metadata.proto.v0 import schema_pb2

    try:
        return text_format.Parse(read_payload(artifact, _SCHEMA_FILE), schema_pb2.Schema())
    except text_format.ParseError as error:
        raise Unreadable(f"{artifact.key}: no schema at {artifact.uri}") from error


def stock_anomalies(anomalies: Artifact | None) -> list[dict[str, Any]]:
    """Findings of TFDV's validation, in the keys of `fareline.recorded.gate.Decision`."""
    if anomalies is None:
        return []
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    found: dict[tuple[str, str], dict[str, Any]] = {}
    try:
        files = sorted(folder_of(anomalies).glob(f"Split-*/{_ANOMALIES_FILE}"))
    except Unreadable:
        return []
    for path in files:
        read = anomalies_pb2.Anomalies()
        try:
            read.ParseFromString(path.read_bytes())
        except (OSError, message.DecodeError):
            continue
        split = path.parent.name.removeprefix("Split-")
        for column in sorted(read.anomaly_info):
            info = read.anomaly_info[column]
            entry = found.setdefault(
                (column, info.short_description),
                {
                    "column": column,
                    "kind": info.short_description,
                    "found": info.description,
                    "splits": [],
                    "action": "found",
                    "reason": "",
                    "expected": "",
                    "rows": None,
                    "example": None,
                },
            )
            entry["splits"].append(split)
    return list(found.values())
