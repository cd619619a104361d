"""What Python's csv module must be told, and what a header must be, whoever reads a CSV file.

Called by the readers and the checks of CSV files. Imports the standard library alone.
"""

import contextlib
import csv
from collections import Counter
from collections.abc import Iterator, Sequence

from fareline.errors import DataError

LONGEST_RECORD_BYTES = 256 << 20  # more is a quote that was never closed


@contextlib.contextmanager
def long_cells() -> Iterator[None]:
    """Has the csv module read cells that are as long as the reader's, not 131,072 characters."""
    before = csv.field_size_limit(LONGEST_RECORD_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def require_distinct_header(path: str, names: Sequence[str]) -> None:
    """Refuses a header that repeats a name: of its columns one alone would be read.

    Raises:
        DataError: It does.
    """
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError.explain(
            path,
            f"the header repeats {', '.join(map(repr, repeated))}",
            "expected each column name once",
            "rename or drop the repeated columns",
        )
