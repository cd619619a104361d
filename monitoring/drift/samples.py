"""Samples of rows in bounded memory, one value per row and column: to compare data with data.

Called by `pipeline.data_gate.coverage`. Imports NumPy and Arrow alone.
"""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

MOST_ROWS = 20_000


@dataclasses.dataclass(frozen=True)
class Sample:
    """Rows, all of them or as many as were asked for.

    Attributes:
        columns: By name, null where missing: int64, float32 or float64, large_binary; or of nulls,
            where no row has a value. Of several values of a row, the first.
        rows: Number of rows in the sample.
        rows_seen: Number of rows that the sample was taken from.
    """

    columns: Mapping[str, pa.Array]
    rows: int
    rows_seen: int


class Sampler:
    """Takes rows at random in one pass, each with the same chance.

    Of each batch `choose` says which rows can still be in the sample, and `keep` takes these. Other
    rows need not be decoded at all. Held are at most twice `most_rows` and one batch.

    Args:
        most_rows: Kept; all rows, in their order, where there are no more.
        seed: Seed of the choice; it does not depend on how rows are divided into batches.
    """

    def __init__(self, most_rows: int = MOST_ROWS, seed: int = 0):
        self._most_rows = most_rows
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._kept: list[tuple[np.ndarray, dict[str, pa.Array]]] = []
        self._keys = np.empty(0)  # of the rows that were chosen last
        self._seen = self._held = 0
        self._bound = 1.0  # of the keys of rows that can still be in the sample

    def choose(self, rows: int) -> np.ndarray:
        """Returns the indices of the rows of the next batch that `keep` is to be given, sorted."""
        keys = self._random.random(rows)
        chosen = np.flatnonzero(keys <= self._bound)
        self._keys = keys[chosen]
        self._seen += rows
        return chosen

    def keep(self, columns: Mapping[str, pa.Array]) -> None:
        """Takes the rows that were chosen.

        Args:
            columns: By name, arrays of values where null is missing, or of lists of values.
        """
        firsts = {name: first_values(array) for name, array in columns.items()}
        self._kept.append((self._keys, firsts))
        self._held += len(self._keys)
        if self._held > 2 * self._most_rows:
            self._kept = [_smallest(self._kept, self._most_rows)]
            self._held, self._bound = self._most_rows, self._kept[0][0].max()

    def sample(self) -> Sample:
        """Returns the sample of all batches so far."""
        keys, columns = _smallest(self._kept, self._most_rows)
        return Sample(columns, len(keys), self._seen)


def take_sample(
    batches: Iterable[Mapping[str, pa.Array]], most_rows: int = MOST_ROWS, seed: int = 0
) -> Sample:
    """Takes rows at random, each with the same chance, in one pass.

    Args:
        batches: Columns by name, arrays of values where null is missing, or of lists of values; of
            one length in each batch. A batch without any column is no rows.
        most_rows: See `Sampler`.
        seed: See `Sampler`.
    """
    sampler = Sampler(most_rows, seed)
    for batch in batches:
        chosen = sampler.choose(len(next(iter(batch.values()))) if batch else 0)
        sampler.keep({name: array.take(chosen) for name, array in batch.items()})
    return sampler.sample()


def first_values(array: pa.Array) -> pa.Array:
    """One value of each row: of lists the first, null of an empty one; NaN counts as missing."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        ends = array.offsets.to_numpy()
        empty = (np.diff(ends) == 0) | ~array.is_valid().to_numpy(zero_copy_only=False)
        array = array.values.take(pa.array(ends[:-1], mask=empty))
    if pa.types.is_floating(array.type) and len(array):
        values = array.to_numpy(zero_copy_only=False)
        return pa.array(values, array.type, mask=np.isnan(values))
    if pa.types.is_string(array.type) or pa.types.is_binary(array.type):
        return array.cast(pa.large_binary())
    return array


def joined(parts: Iterable[pa.Array]) -> pa.Array:
    """One array of several: numbers of two kinds as float64, numbers and texts as texts."""
    parts = list(parts)
    kinds = {part.type for part in parts if not pa.types.is_null(part.type)}
    if len(kinds) <= 1:
        kind = kinds.pop() if kinds else pa.null()
    elif any(pa.types.is_large_binary(kind) for kind in kinds):
        kind = pa.large_binary()
        parts = [p if pa.types.is_large_binary(p.type) else p.cast(pa.string()) for p in parts]
    else:
        kind = pa.float64()
    # What float64 cannot hold of an integer is far below what any comparison looks at.
    return pa.concat_arrays([part.cast(kind, safe=False) for part in parts])


def _smallest(
    kept: list[tuple[np.ndarray, dict[str, pa.Array]]], most: int
) -> tuple[np.ndarray, dict[str, pa.Array]]:
    """The rows with the smallest keys, in their order."""
    if not kept:
        return np.empty(0), {}
    keys = np.concatenate([part for part, _ in kept])
    names = dict.fromkeys(name for _, columns in kept for name in columns)
    columns = {
        name: joined(columns.get(name, pa.nulls(len(part))) for part, columns in kept)
        for name in names
    }
    if len(keys) <= most:
        return keys, columns
    chosen = np.sort(np.argpartition(keys, most)[:most])
    return keys[chosen], {name: array.take(pa.array(chosen)) for name, array in columns.items()}
