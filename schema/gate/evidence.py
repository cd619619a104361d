"""Evidence of anomalies: what the schema says, how many rows break it, and a value of one of them.

TFDV works on statistics and gives approximate shares; this module reads the rows. Called by
`schema.gate.check`, `schema.gate.decide` and `pipeline.components.data_policy`. Imports
tensorflow_metadata and pyarrow, no TensorFlow.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2

from fareline.recorded.gate import SCHEMA
from schema.gate.anomalies import DATA_SET, Anomaly
from schema.review.bounds import numbers_of, say_presence

_SHOWN_VALUES = 5
_LONGEST_VALUE = 60  # characters of an example value
_TYPES = {schema_pb2.INT: "INT", schema_pb2.FLOAT: "FLOAT", schema_pb2.BYTES: "BYTES"}
# TFDV's names, by what they are about.
_VALUES = frozenset(
    {
        "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
        "ENUM_TYPE_BYTES_NOT_STRING",
        "ENUM_TYPE_FLOAT_NOT_STRING",
        "ENUM_TYPE_INT_NOT_STRING",
        "FLOAT_TYPE_BIG_FLOAT",
        "FLOAT_TYPE_SMALL_FLOAT",
        "FLOAT_TYPE_NOT_FLOAT",
        "INT_TYPE_BIG_INT",
        "INT_TYPE_SMALL_INT",
        "INT_TYPE_INT_EXPECTED",
        "UNEXPECTED_DATA_TYPE",
    }
)
_PRESENCE = frozenset(
    {
        "FEATURE_TYPE_LOW_FRACTION_PRESENT",
        "FEATURE_TYPE_LOW_NUMBER_PRESENT",
        "FEATURE_TYPE_NOT_PRESENT",
        "FEATURE_TYPE_NO_VALUES",
        "SCHEMA_MISSING_COLUMN",
    }
)
_COUNTS = frozenset({"FEATURE_TYPE_LOW_NUMBER_VALUES", "FEATURE_TYPE_HIGH_NUMBER_VALUES"})
_NOT_FINITE = {"FLOAT_TYPE_HAS_NAN": np.isnan, "FLOAT_TYPE_HAS_INF": np.isinf}


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Evidence of one anomaly.

    Attributes:
        expected: Expectation of the schema, in words.
        rows: Number of rows that break it; None where no single row does, as with a share of rows.
        example: A value at fault, as text; None without one, as for a missing column.
        who: Source of the expectation.
    """

    expected: str
    rows: int | None = None
    example: str | None = None
    who: str = SCHEMA


Columns = Mapping[str, pa.Array]


def collect_evidence(
    anomalies: Sequence[Anomaly], schema: schema_pb2.Schema, batches: Iterable[Columns]
) -> list[Evidence]:
    """Finds the anomalies in the rows, in one pass and in the memory of one batch.

    Args:
        anomalies: From `schema.gate.anomalies.list_anomalies`.
        schema: Schema of the anomalies.
        batches: All rows of the splits that have anomalies: columns by name, arrays of values where
            null is missing, or of lists of values; of one length in each batch.

    Returns:
        One for each anomaly, in their order.
    """
    features = {feature.name: feature for feature in schema.feature}
    tests = [_test_of(anomaly, features.get(anomaly.column), schema) for anomaly in anomalies]
    rows: list[int | None] = [None if test is None else 0 for test in tests]
    examples: list[str | None] = [None] * len(anomalies)
    for batch in batches:
        length = len(next(iter(batch.values()))) if batch else 0
        for index, (anomaly, test) in enumerate(zip(anomalies, tests, strict=True)):
            if test is None:
                continue
            column = _Column(batch.get(anomaly.column), length)
            at_fault = test(column)
            rows[index] += int(at_fault.rows.sum())
            if examples[index] is None:
                examples[index] = at_fault.example
    return [
        Evidence(say_expected(anomaly, schema), count, example)
        for anomaly, count, example in zip(anomalies, rows, examples, strict=True)
    ]


def say_finding(
    column: str, found: str, expected: str, example: str | None, who: str = SCHEMA
) -> list[str]:
    """Parts of a line about an anomaly: `column: found`, the schema's expectation, a value."""
    parts = [f"{column}: {found.rstrip('. ')}", f"{who} says {expected}"]
    return parts if example is None else [*parts, f"for example {example!r}"]


def say_expected(anomaly: Anomaly, schema: schema_pb2.Schema) -> str:
    """Expectation of the schema for the subject of an anomaly."""
    feature = next((f for f in schema.feature if f.name == anomaly.column), None)
    if anomaly.column == DATA_SET:
        return "examples within the schema's bounds on the data set"
    if feature is None:
        return "no such column"
    kind = anomaly.kind
    if kind in _PRESENCE:
        return say_presence(feature)
    if kind in _COUNTS:
        return _say_count(feature)
    if kind in _NOT_FINITE:
        return "finite numbers"
    return _say_domain(feature, schema)


def _say_domain(feature: schema_pb2.Feature, schema: schema_pb2.Schema) -> str:
    kind = _TYPES.get(feature.type, "any type")
    domain = _text_domain(feature, schema)
    if domain is not None:
        more = len(domain) - _SHOWN_VALUES
        listed = ", ".join(domain[:_SHOWN_VALUES])
        return f"{kind}, one of {listed}" + (f" and {more} more" if more > 0 else "")
    allowed = numbers_of(feature)
    low, high = allowed.low, allowed.high
    if low is None and high is None:
        return kind
    if high is None:
        return f"{kind}, {low:g} or more"
    if low is None:
        return f"{kind}, {high:g} or less"
    return f"{kind}, {low:g} to {high:g}"


def _say_count(feature: schema_pb2.Feature) -> str:
    low, high = feature.value_count.min, feature.value_count.max
    if low == high:
        return f"{low} value" + ("s" if low != 1 else "")
    return f"{low} to {high} values" if high else f"{low} values or more"


# -------------------------------------------------------------------------------------------------
# Which rows
# -------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _AtFault:
    rows: np.ndarray  # bool [rows]
    example: str | None = None


class _Column:
    """One column of a batch, as flat values with the row of each."""

    def __init__(self, array: pa.Array | None, rows: int):
        self.rows = rows
        if array is None:
            array = pa.nulls(rows)
        if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
            self.counts = pc.fill_null(pc.list_value_length(array), 0).to_numpy().astype(np.int64)
            self.present = array.is_valid().to_numpy(zero_copy_only=False)
            self.values = array.flatten()
        else:
            self.present = array.is_valid().to_numpy(zero_copy_only=False)
            self.counts = self.present.astype(np.int64)
            self.values = array.drop_null()
        self.row_of_value = np.repeat(np.arange(rows), self.counts)

    def where(self, wrong: np.ndarray) -> _AtFault:
        """The rows of those values, bool [values], that are wrong."""
        rows = np.zeros(self.rows, bool)
        rows[self.row_of_value[wrong]] = True
        first = int(np.argmax(wrong)) if wrong.any() else None
        return _AtFault(rows, None if first is None else show_value(self.values[first].as_py()))


def show_value(value: object) -> str:
    """A value as text, bytes as UTF-8, cut if it is long."""
    if isinstance(value, bytes):
        value = value.decode(errors="backslashreplace")
    text = f"{value:.7g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _test_of(
    anomaly: Anomaly, feature: schema_pb2.Feature | None, schema: schema_pb2.Schema
) -> Callable[[_Column], _AtFault] | None:
    """What finds the rows at fault; None where an anomaly is about no single row."""
    if anomaly.column == DATA_SET:
        return None
    if anomaly.kind == "SCHEMA_NEW_COLUMN":
        return lambda column: column.where(np.ones(len(column.values), bool))
    if feature is None:
        return None
    if anomaly.kind in _VALUES:
        return lambda column: column.where(_outside(column.values, feature, schema))
    if anomaly.kind in _PRESENCE:
        return lambda column: _AtFault(column.counts == 0)
    if anomaly.kind in _COUNTS:
        return lambda column: _AtFault(_miscounted(column, feature))
    if anomaly.kind in _NOT_FINITE:
        is_wrong = _NOT_FINITE[anomaly.kind]
        return lambda column: column.where(_of_floats(column.values, is_wrong))
    return None


def _outside(
    values: pa.Array, feature: schema_pb2.Feature, schema: schema_pb2.Schema
) -> np.ndarray:
    """Which values are of another type than the feature's, or outside its domain; bool [values]."""
    if not _has_type(values.type, feature.type):
        return np.ones(len(values), bool)
    domain = _text_domain(feature, schema)
    if domain is not None:
        known = pa.array([text.encode() for text in domain], pa.large_binary())
        return ~pc.is_in(values.cast(pa.large_binary()), known).to_numpy(zero_copy_only=False)
    allowed = numbers_of(feature)
    low, high = allowed.low, allowed.high
    if low is None and high is None:
        return np.zeros(len(values), bool)
    numbers = values.to_numpy(zero_copy_only=False)
    wrong = np.zeros(len(numbers), bool)
    if low is not None:
        wrong |= numbers < low
    if high is not None:
        wrong |= numbers > high
    return wrong


def _has_type(kind: pa.DataType, wanted: int) -> bool:
    if pa.types.is_null(kind):
        return True
    if wanted == schema_pb2.INT:
        return pa.types.is_integer(kind)
    if wanted == schema_pb2.FLOAT:
        return pa.types.is_floating(kind)
    return wanted != schema_pb2.BYTES or not (
        pa.types.is_integer(kind) or pa.types.is_floating(kind)
    )


def _miscounted(column: _Column, feature: schema_pb2.Feature) -> np.ndarray:
    low, high = feature.value_count.min, feature.value_count.max
    wrong = column.present & (column.counts < low)
    return wrong | (column.counts > high) if high else wrong


def _of_floats(values: pa.Array, is_wrong: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    numbers = values.to_numpy(zero_copy_only=False)
    return is_wrong(numbers) if numbers.dtype.kind == "f" else np.zeros(len(numbers), bool)


def _text_domain(feature: schema_pb2.Feature, schema: schema_pb2.Schema) -> Sequence[str] | None:
    if feature.HasField("string_domain"):
        return list(feature.string_domain.value)
    if feature.HasField("domain"):
        named = (d for d in schema.string_domain if d.name == feature.domain)
        return [value for domain in named for value in domain.value]
    return None
