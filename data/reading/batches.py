"""A batch of rows on their way into Examples, with the bad ones set apart.

What every reader of `data.reading.pieces` yields and every step takes: quarantine, splits,
encoding. A column is an array of int64, float64 or large_binary, where null is missing; or of
large_lists of these, where a row holds several values; or of nulls, where no row of the source has
a value.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import pyarrow as pa

from data.reading.rows import BadRow

UNKNOWN = "unknown"  # the kind of a column without a value; others are those of data.reading.values


@dataclasses.dataclass(frozen=True)
class Batch:
    """Rows of one file.

    Attributes:
        path: The file.
        columns: By name; all of `rows` values.
        rows: Number of good rows, even without any column.
        bad: Rows of the file that are not in `columns`.
    """

    path: str
    columns: Mapping[str, pa.Array]
    rows: int
    bad: Sequence[BadRow] = ()

    def take(self, keep: pa.Array) -> "Batch":
        """The rows for which `keep`, bool [rows], is true, without the bad ones."""
        columns = {name: array.filter(keep) for name, array in self.columns.items()}
        return Batch(self.path, columns, keep.true_count)

    def slices(self, size: int) -> "list[Batch]":
        """The rows in batches of at most `size`, without the bad ones."""
        return [
            Batch(
                self.path,
                {name: array.slice(start, size) for name, array in self.columns.items()},
                min(size, self.rows - start),
            )
            for start in range(0, self.rows, size)
        ]
