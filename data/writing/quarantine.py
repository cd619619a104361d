"""The file of rows that could not be read, and the share of them that stops a run.

JSON lines, as `fareline predict` writes them: source, line, reason, message, row. Called by
`pipeline.components.columnar_example_gen`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from data.reading.rows import BadRow
from fareline.errors import DataError

SHOWN = 5
_LONGEST_SHOWN = 200


class TooManyBadRows(DataError):
    """More rows could not be read than the settings allow."""


def quarantine_line(path: str, bad: BadRow) -> str:
    """One line of the file, without a line end."""
    content = {
        "source": path,
        "line": bad.line,
        "reason": bad.fault.reason,
        "message": bad.fault.message,
        "row": bad.row,
    }
    return json.dumps(content, ensure_ascii=False, default=str)


def describe(path: str, bad: BadRow) -> str:
    """The row for a message: where it is, what is wrong with it."""
    return f"{path}, line {bad.line}: {bad.fault.message}"[:_LONGEST_SHOWN]


def require_few_bad(
    rows: int, reasons: Mapping[str, int], first: Sequence[str], most: float, place: str
) -> None:
    """Stops where too large a share of the rows cannot be read.

    Args:
        rows: All, bad ones included.
        reasons: How many were bad, by reason.
        first: The first bad ones, as `describe` has them.
        most: The share that is allowed, 0 to 1.
        place: Where the bad rows are.

    Raises:
        TooManyBadRows: With the first bad rows, one per line.
    """
    bad = sum(reasons.values())
    if not bad or bad <= most * rows:
        return
    counted = ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))
    message = TooManyBadRows.explain(
        "ExampleGen",
        f"{bad:,} of {rows:,} rows cannot be read ({bad / rows:.2%}: {counted})",
        f"expected at most {most:.2%}",
        f"see {place}; data.max_bad_share sets the limit",
    )
    raise TooManyBadRows("\n".join([str(message), *(f"  {line}" for line in first[:SHOWN])]))


def merge_counts(found: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Adds up counts by reason, the reasons in order of their names."""
    total: dict[str, int] = {}
    for counts in found:
        for reason, count in counts.items():
            total[reason] = total.get(reason, 0) + count
    return dict(sorted(total.items()))
