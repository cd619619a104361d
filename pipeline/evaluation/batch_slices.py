"""Finds the slices of each example of a batch, by TFMA's own rules, without a call per row.

TFMA computes the slice keys of one example after the other. Here the columns that are sliced by are
coded first, and TFMA is asked once for each distinct combination of their values. Bucketed numbers
(`pipeline.settings.slicing`) are coded by their bucket, and rows by what a function of the user
says of them. Called by `pipeline.evaluation.batch_evaluation`.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from pipeline.evaluation.own_slices import slice_of_row
from pipeline.evaluation.tfma_internals import LeftToTfmaError
from pipeline.settings.slicing import bucket_name, parse_feature_key

SliceKey = tuple[tuple[str, object], ...]


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Examples and their slices, one entry for each slice of each example.

    Attributes:
        rows: int64 [pairs], positions of examples in the batch.
        slices: int64 [pairs], numbers of slices as `BatchSlicer.keys` has them.
    """

    rows: np.ndarray
    slices: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Codes:
    """A column of a batch, coded.

    Attributes:
        codes: int64 [batch], positions in `cells`.
        cells: The distinct contents: an array of the values of one example, empty if it has none.
    """

    codes: np.ndarray
    cells: Sequence[np.ndarray]


class BatchSlicer:
    """Gives numbers to slice keys as they are seen, and says which examples are in which."""

    def __init__(self, slicing_specs: Sequence[config_pb2.SlicingSpec]):
        """Takes the slices of an EvalConfig."""
        self.keys: list[SliceKey] = []
        self._numbers: dict[SliceKey, int] = {}
        self._specs = [slicer_lib.SingleSliceSpec(spec=spec) for spec in slicing_specs]
        self._names = [
            (*spec.feature_keys, *(name for name in spec.feature_values if name))
            for spec in slicing_specs
        ]
        self._known: dict[tuple, np.ndarray] = {}

    @property
    def columns(self) -> set[str]:
        """The raw columns that are looked at, and the names of the user's functions."""
        return {parse_feature_key(name).column for names in self._names for name in names}

    def pairs(self, batch: pa.RecordBatch) -> Pairs:
        """Finds the slices of each example.

        Args:
            batch: Decoded Examples: lists of values, one for each example.

        Raises:
            LeftToTfmaError: A column holds what is not coded here.
        """
        features = {
            name: _code_feature(batch, name) for name in {n for names in self._names for n in names}
        }
        rows, slices = [], []
        # An example that is in one slice by two specifications counts once, as TFMA has it.
        for number in range(len(self._specs)):
            found = self._pairs_of_spec(number, features, batch.num_rows)
            rows.append(found.rows)
            slices.append(found.slices)
        pairs = np.stack([np.concatenate(rows), np.concatenate(slices)])
        if len(self._specs) > 1 and self._may_overlap():
            pairs = np.unique(pairs, axis=1)
        return Pairs(pairs[0], pairs[1])

    def _may_overlap(self) -> bool:
        columns = [tuple(sorted(names)) for names in self._names]
        return len(set(columns)) < len(columns)

    def _pairs_of_spec(self, number: int, features: dict[str, _Codes], count: int) -> Pairs:
        names = [name for name in self._names[number] if features[name] is not None]
        combined = np.zeros(count, np.int64)
        for name in names:
            combined = combined * len(features[name].cells) + features[name].codes
        distinct, first, which = np.unique(combined, return_index=True, return_inverse=True)
        slices = [
            self._slices_of(number, {n: features[n].cells[features[n].codes[row]] for n in names})
            for row in first
        ]
        lengths = np.array([len(found) for found in slices], np.int64)
        if len(distinct) and (lengths == 1).all():
            return Pairs(np.arange(count), np.concatenate(slices)[which])
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        of_row = lengths[which]
        rows = np.repeat(np.arange(count), of_row)
        offsets = np.arange(len(rows)) - np.repeat(np.cumsum(of_row) - of_row, of_row)
        places = starts[which][rows] + offsets
        return Pairs(rows, np.concatenate([*slices, np.zeros(0, np.int64)])[places])

    def _slices_of(self, number: int, values: dict[str, np.ndarray]) -> np.ndarray:
        """The numbers of the slices that one combination of values is in, by one specification."""
        known_as = (number, *((name, *cell.tolist()) for name, cell in values.items()))
        found = self._known.get(known_as)
        if found is None:
            keys = set(slicer_lib.get_slices_for_features_dicts([], values, [self._specs[number]]))
            found = self._known[known_as] = np.array(
                sorted(self._number(key) for key in keys), np.int64
            )
        return found

    def _number(self, key: SliceKey) -> int:
        if key not in self._numbers:
            self._numbers[key] = len(self.keys)
            self.keys.append(key)
        return self._numbers[key]


def _code_feature(batch: pa.RecordBatch, name: str) -> _Codes | None:
    """Codes what is sliced by; None where the batch has no such column."""
    key = parse_feature_key(name)
    if key.function is not None:
        return _code_rows(batch, key.function)
    place = batch.schema.get_field_index(key.column)
    if place < 0 or pa.types.is_null(batch.schema.field(place).type):
        return None
    lists = batch.column(place)
    lengths = np.nan_to_num(lists.value_lengths().to_numpy(zero_copy_only=False)).astype(np.int64)
    codes, values = _code_values(name, lists.flatten(), key.boundaries)
    if (lengths <= 1).all():
        full = np.zeros(len(lengths), np.int64)
        full[lengths == 1] = codes + 1
        return _Codes(full, [values[:0], *(values[i : i + 1] for i in range(len(values)))])
    cells: dict[tuple[int, ...], int] = {}
    of_rows = []
    for end, length in zip(np.cumsum(lengths), lengths, strict=True):
        cell = tuple(code for code in codes[end - length : end] if code >= 0)
        of_rows.append(cells.setdefault(cell, len(cells)))
    return _Codes(np.array(of_rows, np.int64), [values[list(cell)] for cell in cells])


def _code_rows(batch: pa.RecordBatch, function: str) -> _Codes:
    """Codes rows by what a function of the user says of each."""
    found: dict[str | None, int] = {None: 0}
    codes = [found.setdefault(slice_of_row(function, row), len(found)) for row in batch.to_pylist()]
    names = [np.array([name.encode()], dtype=object) for name in found if name is not None]
    return _Codes(np.array(codes, np.int64), [np.zeros(0, object), *names])


def _code_values(
    name: str, values: pa.Array, boundaries: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Codes and distinct values; of bucketed numbers the names of the buckets, -1 for none."""
    is_number = pa.types.is_floating(values.type) or pa.types.is_integer(values.type)
    if boundaries and not is_number:
        raise LeftToTfmaError(f"{name}: the column holds {values.type}, not numbers")
    if not boundaries:
        coded = values.dictionary_encode()
        distinct = coded.dictionary.to_numpy(zero_copy_only=False)
        if is_number and np.isnan(distinct).any():
            raise LeftToTfmaError(f"{name}: a slice by a value that is not a number")
        return coded.indices.to_numpy(zero_copy_only=False).astype(np.int64), distinct
    numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
    buckets = np.searchsorted(np.array(boundaries), numbers, side="right")
    # One number stands for each bucket, so that one function gives the names.
    names = [bucket_name(sample, boundaries) for sample in (boundaries[0] - 1, *boundaries)]
    return (
        np.where(np.isfinite(numbers), buckets, -1),
        np.array([bucket.encode() for bucket in names], dtype=object),
    )
