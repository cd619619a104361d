"""The file of rows that could not be read, and the share of them that stops the work.

One for what a run reads and for what `fareline predict` does: JSON lines with source, line,
reason, message and row. Called by `pipeline.ingest.piece_files`,
`pipeline.components.columnar_example_gen` and `runners.publishing.batch_prediction`.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO

from data.reading.rows import BadRow
from fareline.errors import DataError

SHOWN = 5
_LONGEST_SHOWN = 200


class TooManyBadRows(DataError):
    """More rows could not be read than the limit allows."""


class Quarantine:
    """The bad rows of one source, written down and counted; without any there is no file.

    Attributes:
        reasons: Number of bad rows by reason.
        first: The first of them, for a message.
    """

    def __init__(self, source: str, open_file: Callable[[], AbstractContextManager[IO[str]]]):
        """Opens nothing yet.

        Args:
            source: Where the rows come from.
            open_file: Opens the file, when the first bad row comes.
        """
        self.reasons: dict[str, int] = {}
        self.first: list[str] = []
        self._source, self._open = source, open_file
        self._stack = contextlib.ExitStack()
        self._file: IO[str] | None = None

    @property
    def bad(self) -> int:
        """Number of bad rows."""
        return sum(self.reasons.values())

    def take(self, bad: Iterable[BadRow]) -> None:
        """Writes and counts rows."""
        for row in bad:
            if self._file is None:
                self._file = self._stack.enter_context(self._open())
            self._file.write(self._line(row) + "\n")
            self.reasons[row.fault.reason] = self.reasons.get(row.fault.reason, 0) + 1
            if len(self.first) < SHOWN:
                message = row.fault.message[:_LONGEST_SHOWN]
                self.first.append(f"{self._source}, line {row.line}: {message}")

    def _line(self, bad: BadRow) -> str:
        content = {
            "source": self._source,
            "line": bad.line,
            "reason": bad.fault.reason,
            "message": bad.fault.message,
            "row": bad.row,
        }
        return json.dumps(content, ensure_ascii=False, default=str)

    def __enter__(self) -> "Quarantine":
        return self

    def __exit__(self, *exception: object) -> None:
        """Keeps the file whatever happened: it says what is wrong."""
        self._stack.close()


def is_too_many(bad: int, rows: int, most: float) -> bool:
    """Whether the share of bad rows is above a limit.

    Shares are compared, not counts: 29 of 100 rows are not more than 0.29 of them, while
    `0.29 * 100` is less than 29.
    """
    return bad > 0 and bad / rows > most


def require_few_bad(
    rows: int,
    reasons: Mapping[str, int],
    first: Sequence[str],
    most: float,
    message: tuple[str, str, str],
) -> None:
    """Stops where too large a share of the rows cannot be read.

    Args:
        rows: All, bad ones included.
        reasons: Number of bad rows by reason.
        first: The first bad ones, as `Quarantine.first` has them.
        most: The share that is allowed, 0 to 1.
        message: The reader; the consequence, possibly none; the hint.

    Raises:
        TooManyBadRows: With the first bad rows, one per line.
    """
    bad = sum(reasons.values())
    if not is_too_many(bad, rows, most):
        return
    where, outcome, hint = message
    counted = ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))
    error = TooManyBadRows.explain(
        where,
        f"{bad:,} of {rows:,} rows cannot be read ({bad / rows:.2%}: {counted})",
        f"expected at most {most:.2%}{outcome}",
        hint,
    )
    raise TooManyBadRows("\n".join([str(error), *(f"  {line}" for line in first[:SHOWN])]))


def merge_counts(found: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Adds up counts by reason, the reasons in order of their names."""
    total: dict[str, int] = {}
    for counts in found:
        for reason, count in counts.items():
            total[reason] = total.get(reason, 0) + count
    return dict(sorted(total.items()))
