"""Counts the examples of each label and slice, and compares the counts with minimums.

Counted on raw examples, by the label rule that Transform applies and the slices that Evaluator
measures. Called by `pipeline.components.data_policy`. Imports pyarrow, no TFX and no TensorFlow.
"""

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from monitoring.drift.samples import first_values
from pipeline.settings.gate import FEW_EXAMPLES, FEW_OF_LABEL, FEW_OF_SLICE
from pipeline.settings.slicing import bucket_name, slice_name
from preprocessing.labels import Label, Share
from schema.gate.anomalies import DATA_SET, Anomaly
from schema.gate.evidence import Evidence

Columns = Mapping[str, pa.Array]
# Of each entry of `evaluation.slices` the columns, each with its boundaries, if it has any.
Slices = Sequence[Sequence[tuple[str, Sequence[float]]]]


@dataclasses.dataclass(frozen=True)
class Demands:
    """The minimum numbers of examples, by split; a split without an entry has no minimum.

    Attributes:
        examples: Examples of the split.
        label: Label of each label, also of one that does not occur.
        slices: Slices of each slice that occurs.
    """

    examples: Mapping[str, int]
    label: Mapping[str, int]
    slices: Mapping[str, int]

    @property
    def splits(self) -> list[str]:
        """The splits that anything is demanded of."""
        return sorted({*self.examples, *self.label, *self.slices})


@dataclasses.dataclass
class Counts:
    """Counts of one split.

    Attributes:
        examples: Number of examples.
        labels: Name of the label to how many; of a row without a label nothing.
        slices: Name of the slice, as in reports, to how many.
    """

    examples: int = 0
    labels: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    slices: collections.Counter = dataclasses.field(default_factory=collections.Counter)


def count(batches: Iterable[Columns], label: Label, slices: Slices) -> Counts:
    """Counts the examples of a split, in the memory of one batch.

    Args:
        batches: Columns by name: lists of values, null where missing; of one length in each.
        label: The rule.
        slices: Slices to count.
    """
    counts = Counts()
    for batch in batches:
        rows = len(next(iter(batch.values()))) if batch else 0
        counts.examples += rows
        named = labels_of_rows(batch, rows, label)
        counts.labels.update(name for name in named if name is not None)
        for parts in slices:
            counts.slices.update(_slices(batch, rows, parts))
    return counts


def find_shortfalls(
    demands: Demands, counts: Mapping[str, Counts], label: Label
) -> list[tuple[Anomaly, Evidence]]:
    """The shortfalls in the words of anomalies, one per split."""
    found = []
    for split in demands.splits:
        have = counts[split]
        wanted = [
            (FEW_EXAMPLES, DATA_SET, "", have.examples, demands.examples.get(split, 0)),
            *(
                (FEW_OF_LABEL, label.column, f" of label {name}", have.labels[name], least)
                for name in label.names
                if (least := demands.label.get(split, 0))
            ),
            *(
                (FEW_OF_SLICE, name, f" of {name}", number, least)
                for name, number in sorted(have.slices.items())
                if (least := demands.slices.get(split, 0))
            ),
        ]
        for kind, column, of, number, least in wanted:
            if number < least:
                words = f"{number:,} example{'s' * (number != 1)}{of}"
                anomaly = Anomaly(column, kind, words, (split,))
                found.append(
                    (anomaly, Evidence(f"at least {least:,}", number, who="gate.coverage"))
                )
    return found


def labels_of_rows(batch: Columns, rows: int, label: Label) -> Sequence[str | None]:
    """The name of each row's label; None for a row without one, and where the label is a number.

    Args:
        batch: Columns by name: lists of values, null where missing.
        rows: Rows of the batch.
        label: The rule.
    """
    if not label.names:
        return [None] * rows
    if isinstance(label, Share):
        amounts = [_numbers(batch, name, rows) for name in label.columns]
        value, reference = (np.nan_to_num(amount, nan=0.0) for amount in amounts)
        return np.where(label.exceeds(value, reference), "1", "0").tolist()
    return [label.name_of(value) for value in _values(batch, label.column, rows)]


def _slices(
    batch: Columns, rows: int, parts: Sequence[tuple[str, Sequence[float]]]
) -> dict[str, int]:
    """Slice to how many rows; a row that lacks one of the columns is in none."""
    columns = []
    for column, boundaries in parts:
        if boundaries:
            numbers = _numbers(batch, column, rows)
            columns.append(
                [bucket_name(float(n), boundaries) if np.isfinite(n) else None for n in numbers]
            )
        else:
            columns.append(_values(batch, column, rows))
    names = [column for column, _ in parts]
    counted = collections.Counter(zip(*columns, strict=True))
    return {
        slice_name(zip(names, values, strict=True)): number
        for values, number in counted.items()
        if None not in values
    }


def _firsts(batch: Columns, name: str, rows: int) -> pa.Array:
    """The first value of each row, null where there is none."""
    array = batch.get(name)
    return pa.nulls(rows) if array is None else first_values(array)


def _numbers(batch: Columns, name: str, rows: int) -> np.ndarray:
    """The first value of each row as float32 [rows], NaN where there is none or it is text."""
    firsts = _firsts(batch, name, rows)
    if not (pa.types.is_integer(firsts.type) or pa.types.is_floating(firsts.type)):
        return np.full(rows, np.nan, np.float32)
    return firsts.cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False).astype(np.float32)


def _values(batch: Columns, name: str, rows: int) -> list[int | str | float | None]:
    """The first value of each row, text as UTF-8."""
    return [
        value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
        for value in _firsts(batch, name, rows).to_pylist()
    ]
