"""Assigns rows to splits, by a hash of their values or by time.

The hash is ours and written down here, so that a row is in the same split on every machine, with
every version of every library, and from whichever format it was read. TFX's own hash is over the
serialized example, whose bytes the C++ encoder orders anew in each process. Called by
`pipeline.components.columnar_example_gen`.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.splitting.time import split_by_starts
from fareline.errors import DataError
from fareline.near import listed


@dataclasses.dataclass(frozen=True)
class Splitting:
    """Rules for splitting rows.

    Attributes:
        shares: Name and share of each split, in order; the shares are whole numbers.
        columns: Columns to hash; none: all columns.
        time: The column to split by instead: the oldest rows are the first split's.
        starts: With `time`: the value at which each split but the first begins, a text for a
            column of texts; none: by the shares, see `data.splitting.time`.
    """

    shares: Sequence[tuple[str, int]]
    columns: Sequence[str] = ()
    time: str | None = None
    starts: Sequence[float | int | str] = ()

    @property
    def names(self) -> list[str]:
        """The splits."""
        return [name for name, _ in self.shares]

    @property
    def needs_starts(self) -> bool:
        """Whether the data must be looked at before rows can be assigned."""
        return self.time is not None and len(self.starts) < len(self.shares) - 1


def assign(columns: Mapping[str, pa.Array], rows: int, splitting: Splitting) -> np.ndarray:
    """Returns which split each row belongs to.

    Args:
        columns: Kinds of the columns; see `data.reading.batches`.
        rows: Number of rows.
        splitting: Rules for the split.

    Returns:
        int [rows], indices into `splitting.shares`.

    Raises:
        DataError: A column to split by is not there.
    """
    if splitting.time is not None:
        require_column(columns, splitting.time)
        return split_by_starts(columns[splitting.time], splitting.starts, splitting.time)
    edges = np.cumsum([share for _, share in splitting.shares])
    named = splitting.columns or sorted(columns)
    for name in named:
        require_column(columns, name)
    buckets = hash_rows({name: columns[name] for name in named}, rows) % np.uint64(edges[-1])
    return np.searchsorted(edges, buckets.astype(np.int64), side="right")


def require_column(columns: Mapping[str, pa.Array], name: str) -> None:
    """Refuses to split by a column that the data does not have.

    Raises:
        DataError: The data does not have the column.
    """
    if name not in columns:
        raise DataError.explain(
            f"data.split_by: {name}",
            "the data has no such column",
            f"expected one of {listed(columns)}",
            "name a column of the source",
        )


def hash_rows(columns: Mapping[str, pa.Array], rows: int) -> np.ndarray:
    """Hashes rows; neither the order of columns nor one without values makes a difference.

    Each value is mixed with its column's name and its place in the row's list, and the results are
    added up and mixed once more. Numbers with a fraction count as the float32 that an example
    holds, text as the first 8 bytes of its BLAKE2b.

    Returns:
        uint64 [rows].

    Source:
        The mixing is the finalizer of splitmix64 (Steele, Lea and Flood, 2014).
    """
    total = np.zeros(rows, np.uint64)
    for name, array in columns.items():
        if pa.types.is_null(array.type):
            continue
        row, place = np.arange(rows), None
        if pa.types.is_large_list(array.type):
            lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
            row = np.repeat(row, lengths)
            place = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            array = array.flatten()
        there = array.is_valid().to_numpy(zero_copy_only=False)
        with np.errstate(over="ignore"):
            seed = np.uint64(_hash_text(name.encode()))
            values = _hash_values(array.drop_null()) ^ seed
            if place is not None:
                values += place[there].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
                np.add.at(total, row[there], mix(values))
            else:
                total[there] += mix(values)
    return mix(total)


def _hash_values(array: pa.Array) -> np.ndarray:
    if pa.types.is_integer(array.type):
        return array.cast(pa.int64()).to_numpy(zero_copy_only=False).view(np.uint64)
    if pa.types.is_floating(array.type):
        # Adding 0 makes one of the two zeros.
        floats = array.to_numpy(zero_copy_only=False).astype(np.float32) + np.float32(0)
        return floats.view(np.uint32).astype(np.uint64)
    encoded = array.dictionary_encode()
    hashes = [_hash_text(value) for value in encoded.dictionary.to_pylist()]
    return np.array(hashes, np.uint64)[encoded.indices.to_numpy(zero_copy_only=False)]


def _hash_text(value: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "little")


def mix(values: np.ndarray) -> np.ndarray:
    """Mixes the bits of uint64 values; the finalizer of splitmix64."""
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))
