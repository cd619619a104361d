"""The files of a serving folder: what is a version, the lock, a copy that appears in one rename.

The lower half of `serving.versions.publish`, which everyone else calls.

Source: TensorFlow Serving's file_system_storage_path_source.cc, which takes every child whose name
is a number for a version and ignores all others; so remains and the lock carry names with a dot.
"""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator

import filelock

from fareline.digests import sha256_of_folder
from fareline.disk import bytes_of, with_room
from fareline.errors import FarelineError
from fareline.files import sync_folder
from serving.versions.cards import remove_card
from serving.versions.notes import remove_note, settle_notes

SAVED_MODEL_FILE = "saved_model.pb"
_INCOMING_PREFIX = ".incoming-"
_OUTGOING_PREFIX = ".outgoing-"
_PART = ".part-"  # of a file that `fareline.files` was writing
_LOCK_FILE = ".publish.lock"
_LOCK_SECONDS = 600


class PublishError(FarelineError, OSError):
    """The model could not be published; the serving folder is as it was before."""


def list_versions(base: str) -> list[int]:
    """Lists the complete versions under `base`, oldest first; empty if there is no such folder."""
    return [
        number
        for number in numbered_folders(base)
        if os.path.isfile(os.path.join(base, str(number), SAVED_MODEL_FILE))
    ]


def numbered_folders(base: str) -> list[int]:
    """Returns every number that names a child of `base`, complete version or not, ascending."""
    try:
        return version_numbers(os.listdir(base))
    except FileNotFoundError:
        return []


def version_numbers(names: Iterable[str]) -> list[int]:
    """Returns the numbers among names of children of a serving folder, ascending."""
    # Not "007": the path of a version is built from its number.
    return sorted(
        int(name) for name in names if name.isascii() and name.isdigit() and str(int(name)) == name
    )


@contextlib.contextmanager
def hold(base: str, what: str, source: str | None = None) -> Iterator[None]:
    """Holds `base`, which is made if missing, and removes what interrupted holders left.

    The lock is the kernel's, so that a killed publisher leaves none behind.

    Args:
        base: The serving folder.
        what: Planned action, for the message if the disk fails.
        source: Folder to copy there; its size is in the message if the disk is full.

    Raises:
        PublishError: Another publisher held it for ten minutes, or the disk failed.
    """
    try:
        os.makedirs(base, exist_ok=True)
        with filelock.FileLock(os.path.join(base, _LOCK_FILE), timeout=_LOCK_SECONDS):
            _sweep(base)
            yield
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
            f"{what} failed ({err}){with_room(err, base, bytes_of(source) if source else None)}",
            "expected a writable folder with room for the model",
            "check the disk and the permissions, then push again; no version was added",
        ) from err


def remove_version(base: str, number: int) -> None:
    """Removes a version in one step for readers of the folder; the caller holds the lock."""
    remove_note(base, number)
    outgoing = os.path.join(base, f"{_OUTGOING_PREFIX}{number}-{uuid.uuid4().hex[:8]}")
    os.rename(os.path.join(base, str(number)), outgoing)
    remove_card(os.path.join(base, str(number)))
    sync_folder(base)
    shutil.rmtree(outgoing, ignore_errors=True)


def _sweep(base: str) -> None:
    """Removes what interrupted holders left; the caller holds the lock, so none is at work."""
    for name in os.listdir(base):
        if name.startswith((_INCOMING_PREFIX, _OUTGOING_PREFIX)):
            shutil.rmtree(os.path.join(base, name), ignore_errors=True)
        elif name.startswith(".") and _PART in name:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(base, name))
    settle_notes(base)


def copy_in(model_dir: str, base: str, number: int, digest: str) -> str:
    """Copies to a hidden sibling and renames it to the version.

    Args:
        model_dir: The SavedModel.
        base: The serving folder.
        number: The version to become.
        digest: Earlier result of `sha256_of_folder(model_dir)`; the copy must have the same.

    Returns:
        The folder of the new version.

    Raises:
        PublishError: The model changed while it was copied.
        OSError: The disk is full or fails. In either case no file is left behind.
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
    sync_folder(base)
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
        sync_folder(folder)
