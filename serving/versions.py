"""The folder that a model server watches: `<base>/<version>/saved_model.pb`.

A version appears in one rename, complete, or not at all; versions only grow. Called by
`pipeline.components.pusher` (publish), `runners.publication` (is it the newest) and
`serving.server` (list, latest). Must not import TFX or TensorFlow: a file copy needs neither.

Source: TensorFlow Serving's file_system_storage_path_source.cc, which takes every child whose name
is a number for a version and ignores all others; so remains and the lock carry names with a dot.
"""

import os
import shutil
import time
import uuid
from dataclasses import dataclass

import filelock

from fareline.digests import sha256_of_folder
from fareline.errors import FarelineError

SAVED_MODEL_FILE = "saved_model.pb"
_INCOMING_PREFIX = ".incoming-"
_LOCK_FILE = ".publish.lock"
_LOCK_SECONDS = 600


class PublishError(FarelineError, OSError):
    """The model could not be published; the serving folder is as it was before."""


@dataclass(frozen=True)
class Version:
    """One version in a serving folder.

    Attributes:
        number: The version, the name of its folder; seconds since 1970 unless chosen otherwise.
        path: The folder that holds `saved_model.pb`.
        created: False if the content was there already and nothing was copied.
    """

    number: int
    path: str
    created: bool


def list_versions(base: str) -> list[int]:
    """Lists the complete versions under `base`, oldest first; empty if there is no such folder."""
    return [
        number
        for number in _numbered_folders(base)
        if os.path.isfile(os.path.join(base, str(number), SAVED_MODEL_FILE))
    ]


def latest_version(base: str) -> int | None:
    """Returns the largest complete version under `base`, None if there is none."""
    return max(list_versions(base), default=None)


def is_newest(model_dir: str, base: str) -> bool:
    """Whether the newest version under `base` holds the same files as `model_dir`."""
    return _newest_with(sha256_of_folder(model_dir), base) is not None


def publish(model_dir: str, base: str, *, version: int | None = None) -> Version:
    """Publishes a SavedModel as the next version under `base`, in one atomic step.

    The model is copied beside the versions, written through to the disk, and renamed; whoever
    watches `base` sees all of it or nothing. Publishers take turns. What an interrupted one left
    behind is removed by the next. If the newest version holds the same files, nothing is copied,
    whatever `version` says: a model server need not load the same model again.

    Args:
        model_dir: Local folder with `saved_model.pb`.
        base: Local serving folder of this model; made if missing.
        version: Number to publish under. By default the time in seconds, or one more than the
            largest existing version where that is not larger.

    Returns:
        The new version, or the newest existing one with `created=False` if its content is equal.

    Raises:
        PublishError: There is no SavedModel in `model_dir`, `version` is not larger than the
            existing ones, another publisher held the folder for ten minutes, or the disk failed.
    """
    if not os.path.isfile(os.path.join(model_dir, SAVED_MODEL_FILE)):
        raise PublishError.explain(
            model_dir,
            f"holds no {SAVED_MODEL_FILE}" if os.path.isdir(model_dir) else "no such folder",
            "expected a SavedModel",
            "pass the folder that tf.saved_model.save wrote",
        )
    try:
        os.makedirs(base, exist_ok=True)
        with filelock.FileLock(os.path.join(base, _LOCK_FILE), timeout=_LOCK_SECONDS):
            _sweep(base)
            digest = sha256_of_folder(model_dir)
            newest = _newest_with(digest, base)
            if newest is not None:
                return Version(newest, os.path.join(base, str(newest)), created=False)
            number = _next_number(base, version)
            return Version(number, _copy_in(model_dir, base, number, digest), created=True)
    except filelock.Timeout as err:
        raise PublishError.explain(
            base,
            f"another publisher has held it for {_LOCK_SECONDS} s",
            "expected a publish to end sooner",
            f"see which process has {_LOCK_FILE} open",
        ) from err
    except PublishError:
        raise
    except OSError as err:
        raise PublishError.explain(
            base,
            f"copying {model_dir} failed ({err})",
            "expected a writable folder with room for the model",
            "check the disk and the permissions, then push again; no version was added",
        ) from err


def _newest_with(digest: str, base: str) -> int | None:
    """Returns the newest version if its files have this digest, else None."""
    newest = latest_version(base)
    if newest is None or sha256_of_folder(os.path.join(base, str(newest))) != digest:
        return None
    return newest


def _numbered_folders(base: str) -> list[int]:
    """Returns every number that names a child of `base`, complete version or not, ascending."""
    try:
        names = os.listdir(base)
    except FileNotFoundError:
        return []
    # Not "007": the path of a version is built from its number.
    return sorted(
        int(name) for name in names if name.isascii() and name.isdigit() and str(int(name)) == name
    )


def _next_number(base: str, wanted: int | None) -> int:
    """Picks a number above all existing ones, so that a server which takes the largest moves on."""
    largest = max(_numbered_folders(base), default=0)
    if wanted is None:
        return max(int(time.time()), largest + 1)
    if wanted <= largest:
        raise PublishError.explain(
            base,
            f"version {wanted} was asked for and {largest} exists",
            "expected a larger number, since a server takes the largest",
            "leave the version out, or choose a larger one",
        )
    return wanted


def _sweep(base: str) -> None:
    """Removes what interrupted publishers left; the caller holds the lock, so none is at work."""
    for name in os.listdir(base):
        if name.startswith(_INCOMING_PREFIX):
            shutil.rmtree(os.path.join(base, name), ignore_errors=True)


def _copy_in(model_dir: str, base: str, number: int, digest: str) -> str:
    """Copies to a hidden sibling and renames it to the version.

    Args:
        model_dir: The SavedModel.
        base: The serving folder.
        number: The version to become.
        digest: What `sha256_of_folder(model_dir)` said before; the copy must agree.

    Returns:
        The folder of the new version.

    Raises:
        PublishError: The model changed while it was copied.
        OSError: The disk is full or the like. Nothing is left behind in either case.
    """
    # Not tempfile.mkdtemp: its mode 0700 would shut out a server that runs as another user.
    incoming = os.path.join(base, f"{_INCOMING_PREFIX}{number}-{uuid.uuid4().hex[:8]}")
    target = os.path.join(base, str(number))
    try:
        _copy_tree(model_dir, incoming)
        if sha256_of_folder(incoming) != digest:
            raise PublishError.explain(
                model_dir,
                "its files changed while they were copied",
                "expected a finished model",
                "push again when the export has ended",
            )
        os.rename(incoming, target)
    except BaseException:
        shutil.rmtree(incoming, ignore_errors=True)
        raise
    _sync_folder(base)
    return target


def _copy_tree(source: str, target: str) -> None:
    """Copies files and folders and writes them through to the disk; links become what they name."""
    for folder, _, names in os.walk(source, followlinks=True):
        copy = os.path.normpath(os.path.join(target, os.path.relpath(folder, source)))
        os.mkdir(copy)
        for name in names:
            with (
                open(os.path.join(folder, name), "rb") as reader,
                open(os.path.join(copy, name), "wb") as writer,
            ):
                shutil.copyfileobj(reader, writer)
                writer.flush()
                os.fsync(writer.fileno())
    for folder, _, _ in os.walk(target):
        _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Writes a folder's entries through to the disk, so that a rename outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
