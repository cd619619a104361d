"""What is written beside the examples of one piece: its bad rows, and how far it has got.

Called by `pipeline.ingest.beam_files`.
"""

import os
from collections.abc import Sequence
from typing import Any

from tfx.dsl.io import fileio

from data.writing.quarantine import SHOWN, describe, quarantine_line

PARTS = "parts"  # folder of what the pieces report, below the place for temporary files
PROGRESS = "progress"  # folder of how far each piece is, there too


class BadRows:
    """The bad rows of one piece; there is no file if there are none."""

    def __init__(self, path: str, source: str):
        self._path, self._source = path, source
        self._file: Any = None
        self.reasons: dict[str, int] = {}
        self.first: list[str] = []

    def __enter__(self) -> "BadRows":
        return self

    def take(self, bad: Sequence[Any]) -> None:
        """Writes rows down, counted by reason."""
        for row in bad:
            if self._file is None:
                fileio.makedirs(os.path.dirname(self._path))
                self._file = fileio.open(self._path, "w")
            self._file.write(quarantine_line(self._source, row) + "\n")
            self.reasons[row.fault.reason] = self.reasons.get(row.fault.reason, 0) + 1
            if len(self.first) < SHOWN:
                self.first.append(describe(self._source, row))

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.close()


class ReadingProgress:
    """A small file that says how many rows a piece has got to; on this machine only."""

    def __init__(self, path: str):
        self._path = None if "://" in path else path
        if self._path:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)

    def tell(self, rows: int) -> None:
        """Says how many rows have been written."""
        if self._path:
            with open(self._path, "w") as file:
                file.write(str(rows))
