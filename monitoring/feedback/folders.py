"""Where the feedback of a workspace lies, and which spans have been sealed there.

    feedback/outcomes/<id>.parquet        outcomes, a file for each time that some were added
    feedback/set_apart/<id>.jsonl         records that were no outcomes
    feedback/spans/span-N/version-V/      rows.parquet, states.parquet, span.json

Imports no DuckDB.
"""

import contextlib
import dataclasses
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import filelock
import psutil

from fareline.errors import DataError, WorkspaceError
from fareline.recorded import SPAN_ROWS_FILE, SPAN_STATES_FILE
from fareline.recorded.feedback import SealedSpan
from fareline.recorded.texts import parse

ROWS, STATES, MANIFEST = SPAN_ROWS_FILE, SPAN_STATES_FILE, "span.json"
PATTERN = f"span-{{SPAN}}/version-{{VERSION}}/{ROWS}"  # what data.source takes, below `spans`
_VERSION = re.compile(r"span-(\d+)/version-(\d+)")


@dataclasses.dataclass(frozen=True)
class FeedbackFolder:
    """The folder.

    Attributes:
        root: Root folder.
        logs: Logs of the prediction log.
    """

    root: Path
    logs: Path

    @property
    def outcomes(self) -> Path:
        """Files of outcomes."""
        return self.root / "outcomes"

    @property
    def set_apart(self) -> Path:
        """Files of records that were no outcomes."""
        return self.root / "set_apart"

    @property
    def spans(self) -> Path:
        """Sealed spans."""
        return self.root / "spans"

    def outcome_files(self) -> list[Path]:
        """All files of outcomes, the oldest first."""
        return sorted(self.outcomes.glob("*.parquet"))

    def place(self, span: int, version: int) -> Path:
        """The folder of a version of a span."""
        return self.spans / f"span-{span}" / f"version-{version}"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for one who seals or erases, and removes what a killed one has left.

        Raises:
            WorkspaceError: Somebody else holds it.
        """
        self.spans.mkdir(parents=True, exist_ok=True)
        try:
            with filelock.FileLock(self.root / ".lock", timeout=0):
                self._sweep()
                yield
        except filelock.Timeout:
            raise WorkspaceError.explain(
                str(self.root),
                "another `fareline feedback` is sealing or erasing here",
                "expected one at a time",
                "wait for it to end",
            ) from None

    def _sweep(self) -> None:
        """Removes folders that are no version, and files half written by processes that ended."""
        for place in self.spans.glob("span-*/*"):
            if not (place / MANIFEST).is_file() or place.name.startswith("."):
                shutil.rmtree(place)
        for folder in (self.outcomes, self.set_apart, self.logs):
            for part in folder.glob(".*.part-*"):
                if not psutil.pid_exists(int(part.name.split("-")[-2])):
                    part.unlink(missing_ok=True)

    def sealed(self) -> dict[int, list[SealedSpan]]:
        """Every span with its versions that are there, ascending.

        Raises:
            DataError: One of them cannot be read.
        """
        found: dict[int, list[SealedSpan]] = {}
        for path in self.spans.glob(f"span-*/version-*/{MANIFEST}"):
            if _VERSION.fullmatch(path.parent.relative_to(self.spans).as_posix()):
                span = read_manifest(path)
                found.setdefault(span.span, []).append(span)
        return {n: sorted(found[n], key=lambda span: span.version) for n in sorted(found)}


def read_manifest(path: Path) -> SealedSpan:
    """Reads the manifest of a sealed span.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        return parse(SealedSpan, path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError.explain(
            str(path),
            f"cannot be read ({str(error).splitlines()[0]})",
            "expected what `fareline feedback build` wrote",
            "restore it, or remove the version's folder: the next build seals it again",
        ) from error
