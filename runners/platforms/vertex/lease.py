"""One at a time: who changes a model on Vertex AI holds an object of the bucket meanwhile.

An object that must not exist yet is made by one of all that ask, wherever they run. It names its
owner, so that the next command of the same workspace takes over at once what a killed one has left,
and the operation of Vertex that is under way, which is waited for before anything else is done. A
lock of the kernel tells a killed command of the workspace from one that is at work.
What another owner has left is taken over when it is older than any push takes, by the time of the
service.
"""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from fareline.files import write_text
from runners.platforms.jobs import PlatformError
from runners.platforms.vertex.bucket import bucket_advice, connect_bucket, storage_address
from runners.platforms.vertex.errors import api_errors, explained
from runners.platforms.vertex.target import Target

_DEAD_SECONDS = 2 * 3600.0
_WAIT_SECONDS = 600.0
_LOOK_SECONDS = 5.0
_FOLDER = ".vertex-leases"
_NOBODY = "nobody"  # its holder has ended, and an operation is under way


@dataclasses.dataclass
class Lease:
    """The object, while it is held.

    Attributes:
        operation: Name of the operation that is under way, perhaps of a former holder; or empty.
    """

    blob: Any
    owner: str
    operation: str = ""

    def note(self, operation: str) -> None:
        """Writes down which operation of Vertex is under way."""
        _write(self.blob, self.owner, operation, self.blob.generation)
        self.operation = operation


class AtWorkHereError(PlatformError):
    """Another process of the same workspace is at work there."""


class Holder:
    """Who holds leases: a workspace, whose processes take turns, or a job of a cluster.

    Args:
        artifacts_dir: Folder of the workspace's artifacts; None: a job, whose artifacts are in a
            bucket.
    """

    def __init__(self, artifacts_dir: Path | None):
        self._folder = artifacts_dir and artifacts_dir.absolute() / _FOLDER

    @classmethod
    def of_artifact(cls, uri: str) -> "Holder":
        """From the folder of an artifact, `ARTIFACTS/NODE/KEY/ID`, or its address in a bucket."""
        return cls(None if "://" in uri else Path(uri).absolute().parents[2])

    @contextlib.contextmanager
    def alone(self, target: Target, wait_seconds: float) -> Iterator[str]:
        """Keeps other processes of the workspace away from a model; yields the owner's name.

        Raises:
            AtWorkHereError: One was at work there all the time.
        """
        if self._folder is None:
            yield uuid.uuid4().hex
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self._folder / f"{target.key}.lock", thread_local=False)
        try:
            lock.acquire(timeout=max(wait_seconds, 0.0), poll_interval=_LOOK_SECONDS)
        except filelock.Timeout:
            raise _at_work(
                AtWorkHereError, target, "wait until the other command has ended"
            ) from None
        try:
            yield self._owner(self._folder)
        finally:
            lock.release()

    def _owner(self, folder: Path) -> str:
        """Names the workspace; containers share paths, and even the number of the machine."""
        file = folder / "workspace"
        with filelock.FileLock(f"{file}.lock"):
            if not file.exists():
                write_text(file, uuid.uuid4().hex)
            number = file.read_text(encoding="utf-8")
        return hashlib.sha256(f"{uuid.getnode()}:{folder}:{number}".encode()).hexdigest()[:16]


@contextlib.contextmanager
def leased(target: Target, holder: Holder, wait_seconds: float | None = None) -> Iterator[Lease]:
    """Holds the model until the block ends.

    Args:
        target: The model.
        holder: Who holds it.
        wait_seconds: How long another one is waited for; None: ten minutes.

    Raises:
        PlatformError: Another one held it all the time, or the bucket refuses.
    """
    uri, began = f"{target.folder}/.lease", time.monotonic()
    wait = _WAIT_SECONDS if wait_seconds is None else wait_seconds
    with holder.alone(target, wait) as owner:
        with explained(bucket_advice(target.settings.bucket), storage_address(), uri):
            lease = _take(target, owner, wait - (time.monotonic() - began))
        try:
            yield lease
        finally:
            # Whatever happened: what was started and has not ended is waited for by the next.
            with contextlib.suppress(Exception):
                if lease.operation:
                    _write(lease.blob, _NOBODY, lease.operation, lease.blob.generation)
                else:
                    lease.blob.delete(if_generation_match=lease.blob.generation)


def _take(target: Target, owner: str, wait_seconds: float) -> Lease:
    errors = api_errors()
    name = f"{target.folder.removeprefix(target.settings.bucket + '/')}/.lease"
    started = time.monotonic()
    then = None  # the time at the service when this started
    while True:
        blob = connect_bucket(target.settings.bucket, target.project).blob(name)
        try:
            _write(blob, owner, "", 0)
            return Lease(blob, owner)
        except errors.PreconditionFailed:
            pass
        with contextlib.suppress(errors.NotFound, errors.PreconditionFailed):
            blob.reload()
            held = _read(blob)
            waited = datetime.timedelta(seconds=time.monotonic() - started)
            is_ours = held["owner"] in (owner, _NOBODY)
            if not is_ours:
                then = then or _server_time(blob) - waited
            if is_ours or (then + waited - blob.updated).total_seconds() > _DEAD_SECONDS:
                _write(blob, owner, held["operation"], blob.generation)
                return Lease(blob, owner, held["operation"])
        if time.monotonic() - started > wait_seconds:
            ends = f"`gcloud storage rm {target.folder}/.lease` ends its turn"
            raise _at_work(PlatformError, target, f"wait; if it was killed, {ends}")
        time.sleep(_LOOK_SECONDS)


def _at_work(kind: type[PlatformError], target: Target, hint: str) -> PlatformError:
    found = "another push or change is at work there"
    return kind.explain(target.base, found, "expected it to end within ten minutes", hint)


def _server_time(lease: Any) -> datetime.datetime:
    """The time of Cloud Storage, which it writes with an object: clocks here may be hours off."""
    clock = lease.bucket.blob(f"{lease.name}-clock")
    clock.upload_from_string(b"")
    now = clock.updated
    with contextlib.suppress(api_errors().NotFound):  # another one that waits was faster
        clock.delete()
    return now


def _write(blob: Any, owner: str, operation: str, generation: int) -> None:
    content = json.dumps({"owner": owner, "operation": operation})
    blob.upload_from_string(
        content, content_type="application/json", if_generation_match=generation
    )


def _read(blob: Any) -> dict[str, str]:
    """What the holder wrote; empty if it cannot be read."""
    try:
        content = json.loads(blob.download_as_bytes())
        return {"owner": str(content["owner"]), "operation": str(content["operation"])}
    except (ValueError, KeyError, TypeError):
        return {"owner": "", "operation": ""}
