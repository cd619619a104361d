"""The folder that a model server watches: `<base>/<version>/saved_model.pb`.

A version appears in one rename, complete, or not at all; versions only grow; the highest is live.
Called by `pipeline.components.pusher` (publish, remove_old), `runners.local.publication` (is it the
newest), `runners.publishing.rollback` (bring_back) and `serving.server.live` (list, latest). Must
not import TFX or TensorFlow: a file copy needs neither.
"""

import dataclasses
import os
import time

from fareline.digests import sha256_of_folder
from serving.versions.cards import copy_card
from serving.versions.decisions import (
    Decisions,
    Withheld,
    model_digest,
    read_decisions,
    write_decisions,
)
from serving.versions.files import (
    SAVED_MODEL_FILE,
    PublishError,
    copy_in,
    hold,
    list_versions,
    numbered_folders,
    remove_version,
)
from serving.versions.notes import DECISIONS_FILE, Note, Pushing, remove_note, write_note

FEWEST_KEPT = 2  # the live version, and the one before it, which servers answer with until then


class WithheldError(PublishError):
    """The model was rolled back from; a person brings it back, a push does not.

    Attributes:
        version: The version that was rolled back from; None after pickling.
    """

    version: int | None = None


@dataclasses.dataclass(frozen=True)
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


@dataclasses.dataclass(frozen=True)
class Return:
    """An older, or a newer, version that is to be the live one again.

    Attributes:
        number: The version whose content comes back.
        source: Folder of that content: the version's own, or a copy of it.
        digest: `sha256_of_folder` of the content as it was recorded.
        live: The version that is live now, as the decision knew it.
        withhold: The decision against the live one; None if it may come back by a push.
        pushing: Origin for the note beside the version; None: no note.
    """

    number: int
    source: str
    digest: str
    live: int
    withhold: Withheld | None = None
    pushing: Pushing | None = None


def latest_version(base: str) -> int | None:
    """Returns the largest complete version under `base`, None without one."""
    return max(list_versions(base), default=None)


def is_newest(model_dir: str, base: str) -> bool:
    """Whether the newest version under `base` holds the same files as `model_dir`."""
    return _newest_with(sha256_of_folder(model_dir), base) is not None


def publish(
    model_dir: str, base: str, *, version: int | None = None, pushing: Pushing | None = None
) -> Version:
    """Publishes a SavedModel as the next version under `base`, in one atomic step.

    The model is copied beside the versions, written through to the disk, and renamed; a reader
    of `base` sees all of it or nothing. Publishers take turns. What an interrupted one left
    behind is removed by the next. If the newest version holds the same files, nothing is copied,
    whatever `version` says: a model server need not load the same model again.

    Args:
        model_dir: Local folder with `saved_model.pb`.
        base: Local serving folder of this model; made if missing.
        version: Number to publish under. By default the time in seconds, or one more than the
            largest existing version where that is not larger.
        pushing: Origin for a note beside the version, which `forget_note` removes as soon as
            the version is recorded. None: the version will not be recorded.

    Returns:
        The new version, or the newest existing one with `created=False` if its content is equal.

    Raises:
        WithheldError: The model was rolled back from.
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
    with hold(base, f"copying {model_dir}", model_dir):
        digest = sha256_of_folder(model_dir)
        newest = _newest_with(digest, base)
        if newest is not None:
            return Version(newest, os.path.join(base, str(newest)), created=False)
        _refuse_withheld(model_dir, base)
        number = _next_number(base, version)
        if pushing is not None:
            write_note(base, Note(number, digest, pushing))
        try:
            return Version(number, copy_in(model_dir, base, number, digest), created=True)
        except BaseException:
            remove_note(base, number)
            raise


def bring_back(base: str, wanted: Return) -> Version:
    """Publishes the content of a version again, as the next version, and notes why.

    A model server takes the highest number, without being told anything: so what is to be live
    again gets a new one. The version that it is a copy of is pinned from now on.

    Args:
        base: Local serving folder.
        wanted: Version to restore.

    Returns:
        The new version.

    Raises:
        PublishError: The live version is another one by now, the content is not the one that was
            recorded, or the disk failed. The folder is unchanged.
    """
    with hold(base, f"copying {wanted.source}", wanted.source):
        if latest_version(base) != wanted.live:
            raise PublishError.explain(
                base,
                f"version {latest_version(base)} is live by now, not {wanted.live}",
                "expected no other publisher at the same time",
                "look at `fareline models`, and decide again",
            )
        before = read_decisions(base)
        kept = [each for each in before.withheld if each.digest != model_digest(wanted.source)]
        if wanted.withhold is not None:
            kept = [each for each in kept if each.digest != wanted.withhold.digest]
            kept.append(wanted.withhold)
        number = _next_number(base, None)
        if wanted.pushing is not None:
            write_note(base, _note_with_decisions(base, number, wanted))
        # Before the version: a push that comes after a kill in between must find it.
        write_decisions(base, Decisions(tuple(kept), before.pinned | {wanted.number}))
        try:
            path = copy_in(wanted.source, base, number, wanted.digest)
            copy_card(os.path.join(base, str(wanted.number)), path)
        except BaseException:
            write_decisions(base, before)
            remove_note(base, number)
            raise
        return Version(number, path, created=True)


def remove_old(base: str, keep: int) -> list[int]:
    """Removes the oldest versions beyond the newest `keep`, the oldest first.

    Never the live one, nor the one before it, which servers answer with until they have loaded the
    live one; nor one that was rolled back to. Each is gone in one rename, so that a server never
    sees half of it.

    Args:
        base: Local serving folder.
        keep: Number of versions to keep; at least 2.

    Returns:
        The versions that were removed.

    Raises:
        PublishError: The disk failed.
    """
    with hold(base, "removing old versions"):
        pinned = read_decisions(base).pinned
        removed = []
        for number in list_versions(base)[: -max(keep, FEWEST_KEPT)]:
            if number not in pinned:
                remove_version(base, number)
                removed.append(number)
        return removed


def forget_note(base: str, version: int) -> None:
    """Removes the note of a version that is recorded by now, or that no record will know.

    Raises:
        PublishError: The disk failed.
    """
    with hold(base, "removing a note"):
        remove_note(base, version)


def _note_with_decisions(base: str, number: int, wanted: Return) -> Note:
    path = os.path.join(base, DECISIONS_FILE)
    before = None
    if os.path.exists(path):
        with open(path, encoding="utf-8") as reader:
            before = reader.read()
    return Note(number, wanted.digest, wanted.pushing, before, decided=True)


def _refuse_withheld(model_dir: str, base: str) -> None:
    found = read_decisions(base).find_withheld(model_dir)
    if found is not None:
        error = WithheldError.explain(
            f"version {found.version}",
            f"{found.by} rolled back from this model on {found.when[:10]}: {found.reason}",
            "expected another model",
            f"`fareline promote --to {found.version}` brings it back",
        )
        error.version = found.version
        raise error


def _newest_with(digest: str, base: str) -> int | None:
    """Returns the newest version if its files have this digest, else None."""
    newest = latest_version(base)
    if newest is None or sha256_of_folder(os.path.join(base, str(newest))) != digest:
        return None
    return newest


def _next_number(base: str, wanted: int | None) -> int:
    """Picks a number above all existing ones, so that a server which takes the largest moves on."""
    largest = max(numbered_folders(base), default=0)
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
