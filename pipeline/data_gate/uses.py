"""Whether columns are of the types that the settings need, where the schema was inferred.

Called by `pipeline.components.data_gate`, before Transform: the error of TensorFlow would not name
the column. Imports no TensorFlow itself.
"""

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2

from data.reading.values import FLOAT32_MAX
from fareline.errors import UserMistake
from pipeline.rules.inferred import InferredUse

_TYPES = {schema_pb2.INT: "int", schema_pb2.FLOAT: "float", schema_pb2.BYTES: "bytes"}

# Settings that name values of their column, whose hints are about these.
_NAMED_VALUES = ("label.positive", "label.negative", "label.classes")
_EXACT = 1 << 24  # from here on float32 has no longer every whole number
_LONGEST = 40  # characters of a value that is shown
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([.,' \u00a0\u202f]\d{3})+([.,]\d+)?")

Rows = Iterable[Mapping[str, pa.Array]]


class UnfitColumnsError(UserMistake):
    """Columns that cannot be what the settings use them as."""


def require_fitting(
    uses: Sequence[Mapping[str, Any]], schema: schema_pb2.Schema, rows: Rows
) -> None:
    """Compares the settings with an inferred schema.

    Args:
        uses: From `pipeline.rules.inferred.inferred_uses`.
        schema: Schema, as SchemaGen inferred it.
        rows: Rows of all splits; read only if types alone are not sufficient.

    Raises:
        UnfitColumnsError: A use does not fit; one line for each such use.
    """
    problems = list(find_unfit([InferredUse(**use) for use in uses], schema, rows))
    if problems:
        raise UnfitColumnsError("\n".join(problems))


def find_unfit(uses: Sequence[InferredUse], schema: schema_pb2.Schema, rows: Rows) -> Iterator[str]:
    """One line for each use that does not fit."""
    features = {feature.name: feature for feature in schema.feature}
    seen = _look_at(uses, features, rows)
    unfit = set()
    for use in uses:
        problem = _problem_of(use, features.get(use.column), seen)
        if problem is None or (use.values and use.column in unfit):
            continue
        unfit.add(use.column)
        found, fit, hint = problem
        yield f"{use.setting}: {use.column} {found}; expected {fit}. Hint: {hint}."


def _problem_of(
    use: InferredUse, feature: schema_pb2.Feature | None, seen: "_Seen"
) -> tuple[str, str, str] | None:
    """What was found, what was expected, and what to do; None: it fits."""
    fit = " or ".join(use.fit)
    kind = _TYPES.get(feature.type, "of another type") if feature else ""
    such_as = f", such as {seen.odd[use.column]!r}" if use.column in seen.odd else ""
    if feature is None or use.column in seen.empty:
        return "has no value in any row", fit, "fill it, or use another column"
    if use.column in seen.lists:
        hint = "make a column of what matters in the list, such as its first value"
        return "holds lists of values", f"one value in each row, {fit}", hint
    if kind not in use.fit:
        is_text = kind == "bytes" and use.fit and not use.setting.startswith(_NAMED_VALUES)
        hint = _hint_of_text(seen.odd.get(use.column), use.hint) if is_text else use.hint
        return f"is {kind} in the data{such_as}", fit, hint
    if use.whole and kind == "float" and such_as:
        fit = "text or whole numbers" if "bytes" in use.fit else "whole numbers"
        if abs(float(seen.odd[use.column])) < _EXACT:
            hint = "use it under features.numeric or features.bucketized"
            return f"is float in the data{such_as}", fit, hint
        found = f"is float in the data{such_as}, which float32 does not tell from its neighbours"
        hint = "write it as text, or name a schema in which it is INT (`fareline schema infer`)"
        return found, f"{fit} below {_EXACT:,}", hint
    if use.values and use.setting not in seen.held:
        texts = ", ".join(map(repr, use.values))
        return f"holds {texts} in no row{such_as}", "values that are in the data", use.hint
    return None


def _hint_of_text(text: str | None, hint: str) -> str:
    """What to do about text in place of a number; of none where all texts are numbers."""
    if text is None:
        return f"write it as a number, or {hint}"
    if _DECIMAL_COMMA.fullmatch(text):
        decimal = "set data.source.csv_format.decimal if the comma stands before a fraction"
        return f"{decimal}, else write numbers without it; or {hint}"
    if _THOUSANDS.fullmatch(text):
        return f"write numbers without separators of thousands, or {hint}"
    empty = "leave cells without a number empty or name their text in data.source.missing"
    return f"{empty}, or {hint}"


def _may_be_list(feature: schema_pb2.Feature) -> bool:
    """Whether a row can hold several values; of lists that can be empty the schema says nothing."""
    if feature.HasField("shape"):
        return math.prod(dim.size for dim in feature.shape.dim) > 1
    return feature.value_count.max != 1


@dataclasses.dataclass
class _Seen:
    """What rows were found to hold.

    Attributes:
        odd: By column a value that does not fit: text in place of a number, a fraction of a
            category, or a value where those are missing that the settings name.
        lists: Columns that hold lists.
        held: Settings of which a value is there.
        empty: Columns of text of which nothing is there.
    """

    odd: dict[str, str] = dataclasses.field(default_factory=dict)
    lists: set[str] = dataclasses.field(default_factory=set)
    held: set[str] = dataclasses.field(default_factory=set)
    empty: set[str] = dataclasses.field(default_factory=set)


def _look_at(
    uses: Sequence[InferredUse], features: Mapping[str, schema_pb2.Feature], rows: Rows
) -> _Seen:
    """Reads rows as far as types do not tell."""
    odd, listed, sought = set(), set(), []  # columns to look at, and uses
    for use in uses:
        if (feature := features.get(use.column)) is None:
            continue
        kind = _TYPES.get(feature.type)
        is_text = kind == "bytes" and "bytes" not in use.fit
        if is_text or (kind == "float" and use.whole):
            odd.add(use.column)
        elif use.values and kind in use.fit:
            sought.append(use)
        if _may_be_list(feature):
            listed.add(use.column)
    seen = _Seen(empty={name for name in odd if _TYPES.get(features[name].type) == "bytes"})
    for batch in rows if odd or listed or sought else ():
        for column in sorted((odd | seen.empty) & set(batch)):
            if (found := _first_odd(batch[column])) is not None:
                seen.odd[column] = found
            if _is_filled(batch[column]):
                seen.empty.discard(column)
        seen.lists |= {column for column in listed & set(batch) if _has_lists(batch[column])}
        sought = [use for use in sought if not _holds(seen, batch.get(use.column), use)]
        odd, listed = odd - set(seen.odd), listed - seen.lists
        if not (odd or listed or sought):
            break
    return seen


def _holds(seen: _Seen, array: pa.Array | None, use: InferredUse) -> bool:
    """Whether a value that the use names is there, or else which one is."""
    if array is None or not _is_filled(array):
        return False
    held = array.flatten().unique().to_pylist()
    wanted = {value.encode() if isinstance(value, str) else value for value in use.values}
    if wanted & set(held):
        seen.held.add(use.setting)
        return True
    other = next(value for value in held if value is not None)
    text = other.decode(errors="backslashreplace") if isinstance(other, bytes) else f"{other:g}"
    seen.odd.setdefault(use.column, text[:_LONGEST])
    return False


def _is_filled(array: pa.Array) -> bool:
    if pa.types.is_null(array.type):
        return False
    values = array.flatten()
    return values.null_count < len(values)


def _has_lists(array: pa.Array) -> bool:
    return (
        not pa.types.is_null(array.type) and (pc.max(pc.list_value_length(array)).as_py() or 0) > 1
    )


def _first_odd(array: pa.Array) -> str | None:
    """The first text that is no finite number, or the first number that is no sure category."""
    if pa.types.is_null(array.type):
        return None
    values = array.flatten()
    if pa.types.is_floating(values.type):
        numbers = values.to_numpy(zero_copy_only=False)
        odd = numbers[(numbers != np.floor(numbers)) | (np.abs(numbers) >= _EXACT)]
        if not len(odd):
            return None
        return f"{odd[0]:.0f}" if float(odd[0]).is_integer() else f"{odd[0]:.6g}"
    for value in values.unique().to_pylist():
        text = value.decode(errors="backslashreplace")
        try:
            if "_" not in text and abs(float(text)) <= FLOAT32_MAX:
                continue
        except ValueError:
            pass
        return text[:_LONGEST]
    return None
