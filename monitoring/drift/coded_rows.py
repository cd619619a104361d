"""Rows of two samples as small numbers: in which bin of its column each value lies.

The bins are those of both samples together, so that they are the same however the rows are divided
into two: by that `monitoring.drift.compare` knows what chance does. Imports NumPy, Arrow and SciPy.
"""

import dataclasses
from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse

from monitoring.drift.samples import Sample, joined

BINS = 20  # of a number: at the quantiles of both samples together
NUMBER, CATEGORY = "number", "category"


@dataclasses.dataclass(frozen=True)
class CodedColumn:
    """One column of both samples, first the reference, then the batch.

    Attributes:
        name: Name of the column.
        kind: NUMBER or CATEGORY.
        bins: int64 [rows]; 0 is missing, 1 … the values' bins.
        zeros: bool [rows], where a number is 0; None of categories.
        names: Names of a category, the value of each bin but 0; of a number, the greatest value in
            it.
        label: The label's column, if a category is to be counted by label as well; else None.
    """

    name: str
    kind: str
    bins: np.ndarray
    zeros: np.ndarray | None
    names: tuple[object, ...]
    label: "CodedColumn | None" = None

    @property
    def places(self) -> int:
        """Number of rows of `one_hot`."""
        more = len(self.label.names) * len(self.names) if self.label else self.zeros is not None
        return 1 + len(self.names) + more

    def one_hot(self) -> scipy.sparse.csr_matrix:
        """float32 [places, rows]: 1 where a value lies in the place.

        The first places are the bins; then of a number where it is 0, of a category with a label
        every value with the first label, every value with the second, and so on.
        """
        bins = 1 + len(self.names)
        rows, places = [np.arange(len(self.bins))], [self.bins]
        if self.zeros is not None:
            rows.append(np.flatnonzero(self.zeros))
            places.append(np.full(len(rows[1]), bins))
        if self.label is not None:
            rows.append(np.flatnonzero((self.bins > 0) & (self.label.bins > 0)))
            label, value = self.label.bins[rows[1]] - 1, self.bins[rows[1]] - 1
            places.append(bins + label * len(self.names) + value)
        across = np.concatenate(rows)
        ones = np.ones(len(across), np.float32)
        shape = (self.places, len(self.bins))
        return scipy.sparse.csr_matrix((ones, (np.concatenate(places), across)), shape)


def code_columns(
    reference: Sample, batch: Sample, categories: Collection[str] = ()
) -> Iterator[CodedColumn]:
    """Codes every column that either sample has.

    Args:
        reference: One.
        batch: The other.
        categories: Columns of numbers that name things; texts do so always.

    Yields:
        In the order of the reference, then columns that the batch alone has.
    """
    for name in dict.fromkeys((*reference.columns, *batch.columns)):
        values = joined(
            sample.columns[name] if name in sample.columns else pa.nulls(sample.rows)
            for sample in (reference, batch)
        )
        if pa.types.is_null(values.type):
            values = values.cast(pa.large_binary())
        if name in categories or pa.types.is_large_binary(values.type):
            yield _code_category(name, values)
        else:
            yield _code_number(name, values)


def _code_category(name: str, values: pa.Array) -> CodedColumn:
    encoded = pc.dictionary_encode(values)
    bins = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
    return CodedColumn(name, CATEGORY, bins, None, tuple(encoded.dictionary.to_pylist()))


def _code_number(name: str, values: pa.Array) -> CodedColumn:
    there = values.is_valid().to_numpy(zero_copy_only=False)
    numbers = values.drop_null().to_numpy(zero_copy_only=False).astype(np.float64)
    bins = np.zeros(len(values), np.int64)
    zeros = np.zeros(len(values), bool)
    zeros[there] = numbers == 0
    names: tuple[object, ...] = ()
    if len(numbers):
        # Values are never between their quantiles: a bin is (edge, next edge], and a value that
        # fills several quantiles has one of its own.
        shares = np.linspace(0, 1, BINS + 1)[1:]
        edges = np.unique(np.quantile(numbers, shares, method="inverted_cdf"))
        bins[there] = np.searchsorted(edges, numbers, side="left") + 1
        names = tuple(edges.tolist())
    return CodedColumn(name, NUMBER, bins, zeros, names)
