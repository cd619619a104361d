"""Anomalies in words: what TFDV found in the data against the schema.

Plain functions over the protos, called by the data gate and the run summary; imports
tensorflow_metadata only.
"""

import dataclasses
from collections.abc import Iterator, Mapping

from tensorflow_metadata.proto.v0 import anomalies_pb2

from fareline.errors import FarelineError

DATA_SET = "(data set)"  # stands for the column where an anomaly concerns no single one


class DataAnomalies(FarelineError, ValueError):
    """The data breaks the schema."""


@dataclasses.dataclass(frozen=True)
class Anomaly:
    """One reason why one column breaks the schema.

    Attributes:
        column: Column, or `(data set)` for what concerns no column.
        kind: TFDV's name of the anomaly, such as `ENUM_TYPE_UNEXPECTED_STRING_VALUES`.
        found: The finding, in TFDV's words.
        splits: The splits in which it was found.
    """

    column: str
    kind: str
    found: str
    splits: tuple[str, ...]


def list_anomalies(by_split: Mapping[str, anomalies_pb2.Anomalies]) -> list[Anomaly]:
    """Lists what is wrong, the same anomaly of several splits once.

    Args:
        by_split: Split name to what TFDV found there.

    Returns:
        Anomalies by column, then kind.
    """
    splits: dict[tuple[str, str], list[str]] = {}
    found: dict[tuple[str, str], str] = {}
    for split, anomalies in sorted(by_split.items()):
        for column, kind, words in _reasons(anomalies):
            splits.setdefault((column, kind), []).append(split)
            found.setdefault((column, kind), words)
    return [Anomaly(c, k, found[c, k], tuple(splits[c, k])) for c, k in sorted(splits)]


def _reasons(anomalies: anomalies_pb2.Anomalies) -> Iterator[tuple[str, str, str]]:
    """Triples of column, kind and words: one per reason, and one for an anomaly without any."""
    infos = dict(anomalies.anomaly_info)
    if anomalies.HasField("dataset_anomaly_info"):
        infos[DATA_SET] = anomalies.dataset_anomaly_info
    for column, info in infos.items():
        for reason in info.reason or [None]:
            kind = anomalies_pb2.AnomalyInfo.Type.Name(reason.type if reason else 0)
            said = reason or info
            yield column, kind, said.description.strip() or said.short_description
    if anomalies.data_missing:
        yield DATA_SET, "DATA_MISSING", "There are no examples."
