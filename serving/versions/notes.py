"""Notes beside the versions: who is about to add one, kept until a store has recorded it.

A version appears in one rename, and is recorded after that: a process that is killed in between
leaves a version that no record knows. The note is written before the rename, so that the next
command can record what the killed one could not (`runners.publishing.interrupted`). Written and
removed under the lock of the folder, by `serving.versions.publish`.
"""

import contextlib
import dataclasses
import json
import os

from fareline.files import sync_folder, written_beside

# Model servers ignore what is not a number.
_PREFIX, _ENDING = ".pushing-", ".json"
DECISIONS_FILE = ".decisions.json"


@dataclasses.dataclass(frozen=True)
class Pushing:
    """The origin of a version, for the store's record.

    Attributes:
        by: `Pusher`, or the type of the execution of a rollback or promote.
        pushed_model: URI of the artifact that holds a copy of the version.
        model: URI of the Model; empty by hand.
    """

    by: str
    pushed_model: str
    model: str = ""


@dataclasses.dataclass(frozen=True)
class Note:
    """A version that was about to be added.

    Attributes:
        version: Its number.
        sha256: `fareline.digests.sha256_of_folder` of it.
        pushing: Origin of the version.
        decisions: Earlier content of `.decisions.json`: it stays if no version was added.
            None: there was no such file, or nothing was decided.
        decided: Whether something was decided together with the version.
    """

    version: int
    sha256: str
    pushing: Pushing
    decisions: str | None = None
    decided: bool = False


def write_note(base: str, note: Note) -> None:
    """Writes a note through to the disk; the caller holds the folder."""
    with written_beside(_path(base, note.version)) as part:
        part.write_text(json.dumps(dataclasses.asdict(note), indent=1), encoding="utf-8")
    sync_folder(base)


def read_notes(base: str) -> list[Note]:
    """Reads the notes of a folder, by version; unreadable notes are left out."""
    notes = []
    for version in sorted(_noted(base)):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            with open(_path(base, version), encoding="utf-8") as reader:
                content = json.load(reader)
            content["pushing"] = Pushing(**content["pushing"])
            notes.append(Note(**content))
    return notes


def remove_note(base: str, version: int) -> None:
    """Removes the note of a version, if there is one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_path(base, version))


def settle_notes(base: str) -> None:
    """Undoes what was decided together with versions that never came; the caller holds the folder.

    So a rollback that was killed before its version was there has not happened.
    """
    there = {note.version: note for note in read_notes(base)}
    for version in sorted(_noted(base), reverse=True):
        if os.path.isdir(os.path.join(base, str(version))):
            continue
        note = there.get(version)
        if note is not None and note.decided:
            _restore(base, note.decisions)
        remove_note(base, version)


def _restore(base: str, decisions: str | None) -> None:
    path = os.path.join(base, DECISIONS_FILE)
    if decisions is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    else:
        with written_beside(path) as part:
            part.write_text(decisions, encoding="utf-8")
    sync_folder(base)


def _noted(base: str) -> list[int]:
    try:
        names = os.listdir(base)
    except (FileNotFoundError, NotADirectoryError):
        return []
    numbers = [
        name[len(_PREFIX) : -len(_ENDING)]
        for name in names
        if name.startswith(_PREFIX) and name.endswith(_ENDING)
    ]
    return [int(number) for number in numbers if number.isascii() and number.isdigit()]


def _path(base: str, version: int) -> str:
    return os.path.join(base, f"{_PREFIX}{version}{_ENDING}")
