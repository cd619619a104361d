"""What the header of a CSV file must be, whoever reads it. Imports the standard library alone."""

from collections import Counter
from collections.abc import Sequence

from fareline.errors import DataError


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
