"""DataPolicy: decides about each anomaly by the settings, and records the decision.

It always succeeds: TFX publishes no artifact of a failed execution, and the decision must be in the
store if DataGate stops the run afterwards. No `from __future__ import annotations`: TFX reads the
raw annotations.
"""

import datetime
import json
from collections.abc import Mapping, Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import ExampleAnomalies, Examples, Schema
from tfx.utils import io_utils

from fareline.recorded import DECISIONS
from fareline.recorded.gate import decisions_text
from pipeline.artifacts import DECISIONS_FILE, DataDecision
from pipeline.components.curated_schema import SCHEMA_FILE
from pipeline.data_gate.coverage import Demands, count, find_shortfalls
from pipeline.data_gate.example_rows import rows_of_splits
from preprocessing.labels import parse_label
from schema.gate.anomalies import Anomaly, list_anomalies
from schema.gate.decide import STOP, Rule, decide
from schema.gate.evidence import Evidence, collect_evidence


@component
def DataPolicy(  # noqa: N802 - TFX names the component after the function
    anomalies: InputArtifact[ExampleAnomalies],
    schema: InputArtifact[Schema],
    examples: InputArtifact[Examples],
    decision: OutputArtifact[DataDecision],
    policy: Parameter[str],
    today: Parameter[str],
) -> None:
    """Writes one decision for each anomaly, with the number of rows and an example value.

    Args:
        anomalies: From ExampleValidator.
        schema: Schema that the data was compared with.
        examples: The data; read only in splits that have anomalies, or that enough is demanded of.
        decision: Written.
        policy: JSON of the settings `gate`, `label` and `task`, of what to slice by, and of a
            fingerprint of the code that decides.
        today: ISO date; empty where the run knows none: then that of the clock, in UTC.
    """
    content = json.loads(policy)
    found = list_anomalies(_read_anomalies(anomalies))
    contract = io_utils.parse_pbtxt_file(f"{schema.uri}/{SCHEMA_FILE}", schema_pb2.Schema())
    splits = sorted({split for anomaly in found for split in anomaly.splits})
    evidence = collect_evidence(found, contract, rows_of_splits(examples.uri, splits))
    for anomaly, seen in _shortfalls(examples, content):
        found.append(anomaly)
        evidence.append(seen)
    day = datetime.date.fromisoformat(today) if today else _today()
    decided = decide(found, evidence, _rules(content["rules"]), content["default"], day)
    listed = decisions_text(decided)
    fileio.makedirs(decision.uri)
    with fileio.open(f"{decision.uri}/{DECISIONS_FILE}", "w") as file:
        file.write(listed)
    decision.set_int_custom_property("anomalies", len(decided))
    decision.set_int_custom_property("stops", sum(each.action == STOP for each in decided))
    decision.set_string_custom_property(DECISIONS, listed)


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.timezone.utc).date()


def _read_anomalies(artifact: ExampleAnomalies) -> dict[str, anomalies_pb2.Anomalies]:
    """Split to what TFDV found there."""
    found = {}
    for split in artifact_utils.decode_split_names(artifact.split_names):
        proto = anomalies_pb2.Anomalies()
        path = f"{artifact_utils.get_split_uri([artifact], split)}/{DEFAULT_FILE_NAME}"
        with fileio.open(path, "rb") as file:
            proto.ParseFromString(file.read())
        found[split] = proto
    return found


def _shortfalls(examples: Examples, policy: Mapping) -> list[tuple[Anomaly, Evidence]]:
    """What there is too little of."""
    coverage = policy["coverage"]
    demands = Demands(
        coverage["min_examples"], coverage["min_label_examples"], coverage["min_slice_examples"]
    )
    label = parse_label(policy["label"], policy["task"])
    slices = policy["slices"] if demands.slices else []
    counts = {
        split: count(rows_of_splits(examples.uri, [split]), label, slices)
        for split in demands.splits
    }
    return find_shortfalls(demands, counts, label)


def _rules(listed: Sequence[Mapping]) -> list[Rule]:
    return [
        Rule(
            action=rule["action"],
            column=rule["column"],
            kind=rule["kind"],
            reason=rule["reason"] or "",
            until=datetime.date.fromisoformat(rule["until"]) if rule["until"] else None,
        )
        for rule in listed
    ]
