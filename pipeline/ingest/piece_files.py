"""Files beside the examples of one piece: its bad rows, and its progress.

Called by `pipeline.ingest.beam_files`.
"""

import os
from contextlib import AbstractContextManager
from typing import IO

from tfx.dsl.io import fileio

from data.writing.quarantine import Quarantine

PARTS = "parts"  # folder of what the pieces report, below the place for temporary files
PROGRESS = "progress"  # folder of how far each piece is, there too


def quarantine_of_piece(path: str, source: str) -> Quarantine:
    """For the bad rows of one piece; `path` may be a URI."""

    def open_file() -> AbstractContextManager[IO[str]]:
        fileio.makedirs(os.path.dirname(path))
        return fileio.open(path, "w")

    return Quarantine(source, open_file)


class ReadingProgress:
    """A small file that says how many rows a piece has got to; on this machine only."""

    def __init__(self, path: str):
        self._path = None if "://" in path else path
        if self._path:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)

    def tell(self, rows: int) -> None:
        """Returns how many rows have been written."""
        if self._path:
            with open(self._path, "w") as file:
                file.write(str(rows))
