"""The workspace: where a local run keeps its metadata, artifacts, pushed models and logs."""

import contextlib
import dataclasses
import fcntl
import glob
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import filelock

from fareline.disk import with_room
from fareline.errors import TryLater, WorkspaceError
from fareline.files import write_text
from lineage.store.address import SQLITE_FILE, URI_FILE, store_of_workspace

_RESERVED_BYTES = 512 * 1024  # SQLite writes the pages that it changes twice


@dataclasses.dataclass(frozen=True)
class Workspace:
    """The folders of one workspace.

    Attributes:
        root: Absolute path.
    """

    root: Path

    @property
    def metadata_path(self) -> Path:
        """The SQLite store."""
        return self.root / SQLITE_FILE

    @property
    def store_location(self) -> str:
        """Where its runs are recorded: the URI of a server, or the path of the SQLite store."""
        return store_of_workspace(self.root)

    @property
    def _uri_path(self) -> Path:
        return self.root / URI_FILE

    @property
    def _unfinished_path(self) -> Path:
        return self.root / ".unfinished-runs"

    @property
    def _lock_path(self) -> Path:
        return self.root / ".lock"

    @property
    def _steps_path(self) -> Path:
        """Held by every step while it works."""
        return self.root / ".lock-steps"

    @property
    def _owner_path(self) -> Path:
        return self.root / ".lock-owner"

    @property
    def store_lock_path(self) -> Path:
        """Held whenever a step uses an SQLite store."""
        return self.root / ".lock-store"

    def steps_dir(self, run_id: str) -> Path:
        """The frozen plan of a run of single steps, and the result of each step."""
        return self.root / "runs" / run_id

    @property
    def _reserve_path(self) -> Path:
        return self.root / ".reserve"

    @property
    def artifacts_dir(self) -> Path:
        """The pipeline root."""
        return self.root / "artifacts"

    @property
    def prediction_log_dir(self) -> Path:
        """Rows and answers that `serve` and `predict` log."""
        return self.root / "serving_logs"

    @property
    def feedback_dir(self) -> Path:
        """Outcomes, and the spans that are made of them."""
        return self.root / "feedback"

    @property
    def monitoring_dir(self) -> Path:
        """Records and reports of `monitor`."""
        return self.root / "monitoring"

    def alarms_path(self, name: str) -> Path:
        """The last answer of `monitor` of a pipeline, in brief: how many alarms of each kind."""
        return self.monitoring_dir / f"latest-{file_name_of(name)}.json"

    @property
    def logs_dir(self) -> Path:
        """One file per run."""
        return self.root / "logs"

    def report_path(self, run_id: str) -> Path:
        """The page of a run."""
        return self.root / "reports" / f"{file_name_of(run_id)}.html"

    def serving_dir(self, name: str) -> Path:
        """The model base path, as TensorFlow Serving understands it."""
        return self.root / "serving" / name

    @contextlib.contextmanager
    def locked(self, with_reserve: bool = False) -> Iterator[None]:
        """Creates the workspace and holds it for one run.

        The lock is the kernel's, so that a killed run leaves none behind.

        Args:
            with_reserve: Whether a little disk space is kept in reserve: by runs only.

        Raises:
            WorkspaceError: If it cannot be written, or another run holds it.
        """
        self._require_writable()
        lock, owner = filelock.FileLock(self._lock_path, timeout=0), self._owner_path
        try:
            lock.acquire()
        except filelock.Timeout:
            raise WorkspaceError.explain(
                str(self.root),
                f"another run is using it (process {self._owner()})",
                "expected a workspace of its own for each run at a time",
                "wait for it to end, or name another --workspace",
            ) from None
        try:
            owner.write_text(str(os.getpid()))
            if with_reserve:
                self._reserve()
            yield
        finally:
            self.give_back_reserve()
            owner.unlink(missing_ok=True)
            lock.release()

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Creates the workspace and holds it for a step of a run, beside other steps.

        Raises:
            WorkspaceError: The workspace cannot be written.
            TryLater: A whole run holds it.
        """
        self._require_writable()
        with self._steps_path.open("a") as steps, self._lock_path.open("a") as lock:
            fcntl.flock(steps, fcntl.LOCK_SH)  # only `is_idle` holds it otherwise, for a moment
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise TryLater.explain(
                    str(self.root),
                    f"a whole run is using it (process {self._owner()})",
                    "expected steps of runs alone",
                    "wait for it to end, or name another --workspace",
                ) from error
            yield

    def _owner(self) -> str:
        return self._owner_path.read_text().strip() if self._owner_path.is_file() else "unknown"

    def _reserve(self) -> None:
        """Keeps a little room, for what failed for want of room to be recorded all the same."""
        try:
            self._reserve_path.write_bytes(bytes(_RESERVED_BYTES))
        except OSError as error:
            self.give_back_reserve()
            raise WorkspaceError.explain(
                str(self.root),
                f"cannot be written ({error.strerror})"
                f"{with_room(error, self.root, _RESERVED_BYTES)}",
                "expected room for a run",
                "make room there, or name another --workspace",
            ) from error

    def give_back_reserve(self) -> None:
        """Frees the reserved disk space, if it is still reserved."""
        self._reserve_path.unlink(missing_ok=True)

    def is_idle(self) -> bool:
        """Whether certainly no run uses the workspace; unknown for a store on a server."""
        if self._uri_path.is_file():
            return False
        try:
            with self._lock_path.open() as lock:
                # Shared and let go at once, for a run that starts now not to be kept from it.
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if self._steps_path.is_file():
                with self._steps_path.open() as steps:
                    fcntl.flock(steps, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def require_store(self, uri: str | None) -> None:
        """Refuses a server, or None for its own file, that is not the store of this workspace.

        Ids start at 1 in every store and name the folders of the artifacts: a second store would
        write over what the first one knows.

        Raises:
            WorkspaceError: Runs of this workspace are recorded elsewhere.
        """
        if not (self._uri_path.is_file() or self.metadata_path.is_file()):
            return
        if self.store_location != (uri or str(self.metadata_path)):
            raise WorkspaceError.explain(
                str(self.root),
                f"its runs are recorded in {self.store_location}",
                f"expected one store for each workspace, and metadata.store is {uri or 'null'}",
                "set metadata.store back, or name another --workspace",
            )

    def remember_store(self, uri: str) -> None:
        """Takes a server for the store of this workspace, for good."""
        write_text(self._uri_path, uri + "\n")

    def note_run(self, run_id: str) -> list[str]:
        """Writes down that a run starts; returns it and those before it that were killed."""
        path = self._unfinished_path
        runs = [*(path.read_text().split() if path.is_file() else ()), run_id]
        write_text(path, "".join(f"{run}\n" for run in runs))
        return runs

    def forget_runs(self) -> None:
        """Writes down that nothing is left running."""
        self._unfinished_path.unlink(missing_ok=True)

    def _require_writable(self) -> None:
        if glob.escape(str(self.root)) != str(self.root):
            raise WorkspaceError.explain(
                str(self.root),
                "its path holds one of * ? [",
                "expected a path that TFX does not read as a pattern",
                "name another --workspace",
            )
        try:
            for folder in (self.root, self.artifacts_dir, self.logs_dir):
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=folder) as probe:
                    probe.write(bytes(4096))  # a full disk takes names, but no bytes
                    probe.flush()
        except OSError as error:
            raise WorkspaceError.explain(
                str(self.root),
                f"cannot be written ({error.strerror})"
                f"{with_room(error, self.root, _RESERVED_BYTES)}",
                "expected a folder to write to",
                "name another --workspace",
            ) from error


def file_name_of(run_id: str) -> str:
    """A run's id as a name of a file: stock TFX's have colons, and any store may have slashes."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", run_id).lstrip(".")[:200] or "run"
