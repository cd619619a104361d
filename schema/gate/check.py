"""Compares rows with the contract of one environment, with a line for each anomaly.

TFDV finds anomalies in statistics; `schema.gate.evidence` finds the number of rows and the values.
Called by `cli.schema`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.gate.anomalies import Anomaly, list_anomalies
from schema.gate.evidence import Evidence, collect_evidence, say_finding
from schema.review.statistics import find_anomalies

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList


@dataclasses.dataclass(frozen=True)
class Finding:
    """One reason why the rows break the schema.

    Attributes:
        column: Column, or `(data set)`.
        kind: TFDV's name of the anomaly.
        found: The finding, in TFDV's words.
        expected: Expectation of the schema.
        rows: Number of rows that break it; None where no single row does.
        example: A value at fault; None without one.
    """

    column: str
    kind: str
    found: str
    expected: str
    rows: int | None = None
    example: str | None = None

    def say(self, rows: int) -> str:
        """The line for a reader, of one of so many rows."""
        parts = say_finding(self.column, self.found, self.expected, self.example)
        if self.rows is not None:
            parts.append(f"in {self.rows:,} of {rows:,} rows")
        return "; ".join(parts)


def check_rows(
    contract: schema_pb2.Schema,
    environment: str,
    statistics: DatasetFeatureStatisticsList,
    batches: Iterable[Mapping[str, pa.Array]],
    misfits: Mapping[str, tuple[int, str]] | None = None,
) -> list[Finding]:
    """Compares rows with the contract.

    Args:
        contract: The curated schema.
        environment: Environment of the rows, such as `SERVING`; the contract has it.
        statistics: Statistics of the rows.
        batches: The rows; see `schema.gate.evidence`.
        misfits: Column to how many values are of another type than the contract's, and one of
            them, where the column had to be read as another type for that.

    Returns:
        By column, then kind.
    """
    anomalies = list_anomalies({"data": find_anomalies(statistics, contract, environment)})
    anomalies = _drop_consequences(anomalies)
    if not anomalies:
        return []
    known = {feature.name for feature in contract.feature}
    told = zip(anomalies, collect_evidence(anomalies, contract, batches), strict=True)
    return [_finding(a, e, a.column in known, environment, misfits or {}) for a, e in told]


def _drop_consequences(anomalies: Sequence[Anomaly]) -> list[Anomaly]:
    """Without what a domain has to say of values that are of another type altogether."""
    retyped = {each.column for each in anomalies if each.kind == "UNEXPECTED_DATA_TYPE"}
    domain = ("INT_TYPE_", "FLOAT_TYPE_", "ENUM_TYPE_", "BOOL_TYPE_", "STRING_TYPE_", "DOMAIN_")
    return [
        each for each in anomalies if each.column not in retyped or not each.kind.startswith(domain)
    ]


def _finding(
    anomaly: Anomaly,
    evidence: Evidence,
    is_known: bool,
    environment: str,
    misfits: Mapping[str, tuple[int, str]],
) -> Finding:
    expected, rows, example = evidence.expected, evidence.rows, evidence.example
    if anomaly.kind == "SCHEMA_NEW_COLUMN" and is_known:
        expected = f"not in {environment}"
    if anomaly.kind == "UNEXPECTED_DATA_TYPE" and anomaly.column in misfits:
        rows, example = misfits[anomaly.column]
    return Finding(anomaly.column, anomaly.kind, anomaly.found, expected, rows, example)
