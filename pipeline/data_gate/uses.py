"""Whether columns are of the types that the settings need, where the schema was inferred.

Called by `pipeline.components.data_gate`, before Transform: TensorFlow would fail on it without a
word about the column. Imports no TensorFlow itself.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2

from fareline.errors import UserMistake
from pipeline.rules.inferred import InferredUse

_TYPES = {schema_pb2.INT: "int", schema_pb2.FLOAT: "float", schema_pb2.BYTES: "bytes"}

Rows = Iterable[Mapping[str, pa.Array]]


class UnfitColumnsError(UserMistake):
    """Columns that cannot be what the settings use them as."""


def require_fitting(
    uses: Sequence[Mapping[str, Any]], schema: schema_pb2.Schema, rows: Rows
) -> None:
    """Compares the settings with an inferred schema.

    Args:
        uses: From `pipeline.rules.inferred.inferred_uses`.
        schema: As SchemaGen inferred it.
        rows: Of all splits; read only where types alone do not tell.

    Raises:
        UnfitColumnsError: With one line for each use that does not fit.
    """
    problems = list(find_unfit([InferredUse(**use) for use in uses], schema, rows))
    if problems:
        raise UnfitColumnsError("\n".join(problems))


def find_unfit(uses: Sequence[InferredUse], schema: schema_pb2.Schema, rows: Rows) -> Iterator[str]:
    """One line for each use that does not fit."""
    features = {feature.name: feature for feature in schema.feature}
    examples, lists = _look_at(uses, features, rows)
    for use in uses:
        fit = " or ".join(use.fit)
        feature = features.get(use.column)
        if feature is None:
            found, hint = "has no value in any row", "fill it, or use another column"
        elif use.column in lists:
            found = "holds lists of values"
            fit = f"one value in each row, {fit}"
            hint = "make a column of what matters in the list, such as its first value"
        elif (kind := _TYPES.get(feature.type, "of another type")) not in use.fit:
            found = f"is {kind} in the data{_such_as(examples, use.column)}"
            hint = use.hint
            if kind == "bytes" and use.fit and "bytes" not in use.fit and use.column in examples:
                hint = f"leave cells without a number empty, or {hint}"
        elif use.whole and kind == "float" and use.column in examples:
            found = f"is float in the data{_such_as(examples, use.column)}"
            fit = "text or whole numbers" if "bytes" in use.fit else "whole numbers"
            hint = "use it under features.numeric or features.bucketized"
        else:
            continue
        yield f"{use.setting}: {use.column} {found}; expected {fit}. Hint: {hint}."


def _may_be_list(feature: schema_pb2.Feature) -> bool:
    """Whether a row can hold several values; of lists that can be empty the schema says nothing."""
    if feature.HasField("shape"):
        return math.prod(dim.size for dim in feature.shape.dim) > 1
    return feature.value_count.max != 1


def _such_as(examples: Mapping[str, str], column: str) -> str:
    return f", such as {examples[column]!r}" if column in examples else ""


def _look_at(
    uses: Sequence[InferredUse], features: Mapping[str, schema_pb2.Feature], rows: Rows
) -> tuple[dict[str, str], set[str]]:
    """Reads rows as far as types do not tell.

    Returns:
        By column a value that does not fit: text in place of a number, a fraction of a category.
        And the columns that hold lists.
    """
    odd, listed = set(), set()  # columns to look at
    for use in uses:
        if (feature := features.get(use.column)) is None:
            continue
        kind = _TYPES.get(feature.type)
        is_text = kind == "bytes" and "bytes" not in use.fit
        if is_text or (kind == "float" and use.whole):
            odd.add(use.column)
        if _may_be_list(feature):
            listed.add(use.column)
    examples: dict[str, str] = {}
    lists: set[str] = set()
    for batch in rows if odd | listed else ():
        for column in sorted(odd & set(batch)):
            if (found := _first_odd(batch[column])) is not None:
                examples[column] = found
        lists |= {column for column in listed & set(batch) if _has_lists(batch[column])}
        odd, listed = odd - set(examples), listed - lists
        if not odd | listed:
            break
    return examples, lists


def _has_lists(array: pa.Array) -> bool:
    return (
        not pa.types.is_null(array.type) and (pc.max(pc.list_value_length(array)).as_py() or 0) > 1
    )


def _first_odd(array: pa.Array) -> str | None:
    """The first text that is no finite number, or the first number that is not whole."""
    if pa.types.is_null(array.type):
        return None
    values = array.flatten()
    if pa.types.is_floating(values.type):
        numbers = values.to_numpy(zero_copy_only=False)
        odd = numbers[numbers != np.floor(numbers)]
        return f"{odd[0]:.6g}" if len(odd) else None
    for value in values.unique().to_pylist():
        text = value.decode(errors="backslashreplace")
        try:
            if "_" not in text and math.isfinite(float(text)):
                continue
        except ValueError:
            pass
        return text[:40]
    return None
