"""Versions whose push was killed before the version was recorded.

Each has a note beside it (`serving.versions.notes`). The next command that uses the workspace
records the version, which both validators had blessed, or undoes what belonged to one that never
came. Called by `runners.local.run`, `runners.replay.run` and the commands about versions. Imports
no TensorFlow.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from ml_metadata import errors

from fareline.digests import sha256_of_folder
from fareline.errors import FarelineError
from fareline.recorded import DESTINATION, PUSHER
from lineage.answers.verify.payloads import ServingFolder
from lineage.facts.changes_by_hand import complete_change, complete_push
from lineage.facts.pushes import destination_of, pushed_to, unfinished_pushes
from lineage.graph.elements import Execution
from lineage.graph.graph import Graph
from lineage.text.harmless import plain
from runners.publishing.published import workspace_folders
from runners.stores import open_to_write
from runners.workspace import Workspace
from serving.versions.files import hold, list_versions
from serving.versions.notes import Note, read_notes
from serving.versions.publish import forget_note


def settle_when_idle(workspace: Workspace, folders: Iterable[Path] = ()) -> list[str]:
    """Settles what killed processes left in serving folders, unless a run is at work there.

    Args:
        workspace: Workspace of the models.
        folders: Serving folders beside those of the workspace.

    Returns:
        A line for each version that was recorded, or cannot be.
    """
    if not _noted(workspace, folders):
        return []
    try:
        with workspace.locked():
            return settle(workspace, folders)
    except FarelineError:  # in use, or not to be written: it is said by `lineage verify`
        return []


def settle(workspace: Workspace, folders: Iterable[Path] = ()) -> list[str]:
    """Settles interrupted pushes, for a caller that holds the workspace's lock."""
    noted = _noted(workspace, folders)
    if not noted:
        return []
    graph = Graph(open_to_write(workspace.root, None))
    known = set(map(pushed_to, graph.artifacts_of_type("PushedModel")))
    lines = []
    for base in noted:
        with hold(str(base), "settling an interrupted push"):  # removes the notes of no version
            notes = read_notes(str(base))
        for note in notes:
            if (str(base), note.version) not in known:
                line = _settle_version(workspace, graph, base, note)
                lines += [line] if line else []
            else:
                forget_note(str(base), note.version)
    return lines


def settle_own(workspace: Workspace, folders: Iterable[Path] = ()) -> None:
    """Removes the note of the version that this run has recorded; what fails is left to the next.

    The model is live, so nothing may fail any more.
    """
    with contextlib.suppress(FarelineError, errors.StatusError):
        settle(workspace, folders)


def folders_of_pushers(graph: Graph) -> list[Path]:
    """Folders that an unfinished Pusher was about to push to."""
    found = {destination_of(pusher) for pusher in unfinished_pushes(graph)}
    return sorted(found - {None})


def serving_folders(graph: Graph, workspace: Workspace) -> list[ServingFolder]:
    """The serving folders of this machine that a workspace pushes to, with what is there."""
    own = workspace_folders(workspace.root / "serving")
    pushed = (pushed_to(artifact) for artifact in graph.artifacts_of_type("PushedModel"))
    others = {Path(place[0]) for place in pushed if place and "://" not in place[0]}
    return [
        ServingFolder(str(base), list_versions(str(base)), base in own)
        for base in dict.fromkeys([*own, *folders_of_pushers(graph), *sorted(others)])
    ]


def _noted(workspace: Workspace, folders: Iterable[Path]) -> list[Path]:
    wanted = dict.fromkeys([*workspace_folders(workspace.root / "serving"), *folders])
    return [base for base in wanted if read_notes(str(base))]


def _settle_version(workspace: Workspace, graph: Graph, base: Path, note: Note) -> str | None:
    """Records a version; returns what was done, None if the store knows nothing of its push."""
    path = base / str(note.version)
    pusher = _pusher_of(graph, base, note)
    if pusher is None or not _is_ours(workspace, note):
        return None
    if sha256_of_folder(path) != note.sha256:
        return f"{path} is not what {plain(pusher.key)} pushed, and is not recorded"
    _copy_again(path, note.pushing.pushed_model)
    complete = complete_push if note.pushing.by == PUSHER else complete_change
    try:
        copy = note.pushing.pushed_model
        recorded = complete(graph.store, pusher.id, path, copy, note.sha256)
    except errors.StatusError:  # the store cannot be written now
        return None
    forget_note(str(base), note.version)
    return (
        f"{path} was published by {plain(pusher.key)}, which was stopped before it was recorded; "
        f"it is recorded now, as PushedModel:{recorded}"
    )


def _copy_again(version: Path, copy: str) -> None:
    """Makes the artifact's copy of a version again, if somebody has cleared it away."""
    if "://" not in copy and not os.path.isdir(copy):
        shutil.copytree(version, copy)


def _pusher_of(graph: Graph, base: Path, note: Note) -> Execution | None:
    """The execution that was stopped: the one whose artifact is named as the copy is, if any."""
    if note.pushing.by == PUSHER:
        models = graph.artifacts_at(note.pushing.model)
        readers = {e.id for model in models for e in graph.consumers(model)}
        found = [e for e in unfinished_pushes(graph) if e.id in readers]
    else:
        kind = note.pushing.by
        ids = sorted(e.id for e in graph.store.get_executions_by_type(kind))
        found = [e for e in graph.executions(ids) if e.state != "executed"]
        found = [e for e in found if e.properties.get(DESTINATION) == str(base)]
    # Local runs name the folder of an output by the execution's id.
    named = [e for e in found if str(e.id) == Path(note.pushing.pushed_model).name]
    return next(reversed(named or found), None)


def _is_ours(workspace: Workspace, note: Note) -> bool:
    """Whether no other process can work on it: we hold the workspace, and it has its own store."""
    copy = Path(note.pushing.pushed_model)
    return "://" not in workspace.store_location or workspace.artifacts_dir in copy.parents
