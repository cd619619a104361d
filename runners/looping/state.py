"""State of a loop between its passes, in files of the workspace.

A file is written beside its place and then renamed, so that a killed loop leaves the old one or the
new one. What the next start finds under way is done again.
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from fareline.errors import WorkspaceError
from fareline.files import write_json


@dataclasses.dataclass
class State:
    """State of a loop.

    Attributes:
        data: Digest of the source's files that the last run has read; empty before the first look.
        cron_ms: Up to when the schedule is done with.
        acted_ms: When a retraining or a rollback began last.
        under_way: Unfinished decision: `action`, `causes`, `execution`, `data`,
            `requests`, `cron_ms`.
        told: Alarms that hooks have received, so that each is sent once.
        spare: The last report, if no record points at it: it gives way to the next.
    """

    data: str = ""
    cron_ms: int = 0
    acted_ms: int | None = None
    under_way: dict[str, Any] | None = None
    told: list[str] = dataclasses.field(default_factory=list)
    spare: str = ""


@dataclasses.dataclass(frozen=True)
class LoopFolder:
    """Where a loop keeps what it has to remember.

    Attributes:
        root: Root of the workspace.
    """

    root: Path

    @property
    def path(self) -> Path:
        """The folder."""
        return self.root / "loop"

    @property
    def requests(self) -> Path:
        """Requests that were taken and are not done with, a file each."""
        return self.path / "requests"

    @property
    def outbox(self) -> Path:
        """Events that are not delivered yet, one file each."""
        return self.path / "outbox"

    @property
    def evidence(self) -> Path:
        """Why something was decided, a file each."""
        return self.path / "evidence"

    @property
    def log(self) -> Path:
        """Messages of the command that was started last."""
        return self.path / "last.log"

    @property
    def _state(self) -> Path:
        return self.path / "state.json"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folders and holds them for one loop.

        Raises:
            WorkspaceError: Another loop holds them, or they cannot be made.
        """
        try:
            for folder in (self.requests, self.outbox, self.evidence):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError.explain(
                str(self.path),
                f"cannot be made ({error.strerror})",
                "expected a folder to write to",
                "name another --workspace",
            ) from error
        lock = filelock.FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise WorkspaceError.explain(
                str(self.root),
                "another loop is keeping its model",
                "expected one loop for each workspace",
                "stop that one first, or name another --workspace",
            ) from None
        try:
            yield
        finally:
            lock.release()

    def read(self) -> State:
        """The last saved state.

        Raises:
            WorkspaceError: The file is not what a loop has written.
        """
        if not self._state.is_file():
            return State()
        try:
            return State(**json.loads(self._state.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise WorkspaceError.explain(
                str(self._state),
                f"cannot be read ({' '.join(str(error).split())})",
                "expected what a loop has written",
                "remove it; the loop then begins anew",
            ) from error

    def write(self, state: State) -> None:
        """Remembers."""
        write_json(self._state, dataclasses.asdict(state), indent=1)
