"""Makes another pushed version live, by hand: rollback to an older one, promote to a newer one.

Model servers take the highest number, so the content of the wanted version is published again under
a new one. Files that differ from the pushed ones are refused, without any change. Called by
`cli.models`. Imports no TensorFlow.
"""

import contextlib
import dataclasses
import datetime
import os
import shutil
from pathlib import Path

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store

from fareline.digests import sha256_of_folder
from fareline.errors import FarelineError, UserMistake
from fareline.recorded import PROMOTE, ROLLBACK
from lineage.answers.models.versions import PushedVersion
from lineage.facts.changes_by_hand import Change, begin_change, complete_change, fail_change
from lineage.graph.graph import Graph
from runners.provenance import login_name
from runners.publishing.published import (
    Destination,
    Published,
    read_destinations,
    workspace_folders,
)
from runners.workspace import Workspace
from serving.versions.decisions import Withheld, model_digest
from serving.versions.notes import Pushing
from serving.versions.publish import PublishError, Return, Version, bring_back, forget_note

_LISTED = "`fareline models` lists the versions"
_NEAR = 3


class RollbackError(FarelineError, RuntimeError):
    """The version is live, and the store could not take it down."""


@dataclasses.dataclass(frozen=True)
class Wish:
    """A request for a rollback or promotion.

    Attributes:
        kind: `fareline.rollback` or `fareline.promote`.
        to: The version; None: the one before the live one, or the newest.
        reason: In the words of the user.
        destination: Folder above the versions; None: the only one that there is.
    """

    kind: str
    to: int | None
    reason: str
    destination: str | None = None


@dataclasses.dataclass(frozen=True)
class Done:
    """The result of a change.

    Attributes:
        change: Change, as it was recorded.
        version: The new version.
        wanted: The version that it is a copy of.
        execution: Printable id.
        pushed_model: Printable id.
    """

    change: Change
    version: Version
    wanted: PushedVersion
    execution: str
    pushed_model: str


def change_live_version(store: metadata_store.MetadataStore, workspace: Workspace, wish: Wish):
    """Makes another version live and records it; the caller holds the workspace.

    Args:
        store: Opened to write.
        workspace: Workspace of the models.
        wish: Request for a change.

    Returns:
        What was done.

    Raises:
        UserMistake: The change is not possible; the folder is as before.
        PublishError: The folder changed meanwhile, or the disk failed; no version was added.
        RollbackError: The version is live, and is not recorded.
    """
    folders = workspace_folders(workspace.root / "serving")
    place = choose_destination(read_destinations(Graph(store), folders), wish.destination)
    live = _require_live(place)
    wanted = choose_version(place, live, wish)
    source, digest = _sound_files(wanted.recorded, place)
    model = wanted.recorded.model
    change = Change(
        kind=wish.kind,
        pipeline=model.facts.pipeline if model else "",
        destination=place.base,
        from_version=live.number,
        to_version=wanted.number,
        reason=wish.reason,
        user=login_name(),
    )
    execution_id = begin_change(
        store, change, model.model if model else None, wanted.recorded.artifact
    )
    copy = workspace.artifacts_dir / change.node / "pushed_model" / str(execution_id)
    try:
        shutil.copytree(source, copy)
        withheld = _withhold(change, live, place) if wish.kind == ROLLBACK else None
        pushing = Pushing(change.kind, str(copy))
        back = Return(wanted.number, str(source), digest, live.number, withheld, pushing)
        version = bring_back(place.base, back)
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        fail_change(store, execution_id)
        raise
    try:
        artifact_id = complete_change(store, execution_id, Path(version.path), copy, digest)
    except errors.StatusError as error:
        raise RollbackError.explain(
            version.path,
            f"is live, and could not be recorded ({error})",
            "expected a store that can be written",
            "repair the store; then the next command, such as `fareline models`, "
            "records the version",
        ) from error
    with contextlib.suppress(PublishError):  # the next command removes it
        forget_note(place.base, version.number)
    return Done(
        change,
        version,
        wanted.recorded,
        f"{change.node}#{execution_id}",
        f"PushedModel:{artifact_id}",
    )


def choose_destination(places: list[Destination], wanted: str | None) -> Destination:
    """Finds the place that is meant.

    Raises:
        UserMistake: There is no destination, there are several, or it is not on this machine.
    """
    if wanted is not None and "://" not in wanted:
        wanted = os.path.abspath(wanted)
    found = [each for each in places if wanted is None or each.base == wanted]
    if len(found) != 1:
        listed = ", ".join(each.base for each in places)
        raise UserMistake.explain(
            wanted or "destination",
            f"models were pushed to {listed}" if places else "nothing was ever pushed",
            "expected one of them" if places else "expected a version that was pushed",
            "name it with --destination" if places else "`fareline run` pushes a blessed model",
        )
    if not found[0].is_local:
        raise UserMistake.explain(
            found[0].base,
            "is not on this machine",
            "expected a folder",
            "copy the version there under a new, higher number with the tools of that place",
        )
    return found[0]


def _require_live(place: Destination) -> Published:
    if place.live is None:
        raise UserMistake.explain(
            place.base,
            "holds no version" if os.path.isdir(place.base) else "the folder is gone",
            "expected the versions that were pushed there",
            "`fareline run` publishes the blessed model again",
        )
    return place.live


def choose_version(place: Destination, live: Published, wish: Wish) -> Published:
    """Finds the version that a run once pushed, and that is to be live again.

    Args:
        place: Destination of the versions.
        live: The version that is live there.
        wish: Request for a change.

    Raises:
        UserMistake: The version does not exist, or does not fit the command.
    """
    pushed = [v for v in place.versions if v.recorded and v.recorded.copy_of is None]
    if wish.to is not None:
        return _check_direction(_find(place, pushed, wish.to), live, wish)
    if wish.kind == PROMOTE:
        if not pushed or pushed[0].number <= live.origin:
            raise UserMistake.explain(
                f"version {live.number}",
                "holds the newest model that was pushed, and is live",
                "expected an older one to be live",
                "`fareline rollback` goes back to an older one",
            )
        return pushed[0]
    older = [v for v in pushed if v.number < live.origin and not v.withheld and _has_files(v)]
    if not older:
        raise UserMistake.explain(
            f"version {live.number}",
            "is live, and there is nothing older to go back to",
            "expected a version that was pushed before it and not rolled back since",
            f"{_LISTED}; --to names one",
        )
    return older[0]


def _find(place: Destination, pushed: list[Published], number: int) -> Published:
    """Finds a version by its number; of a copy the version that it is a copy of."""
    found = next((v for v in place.versions if v.number == number), None)
    if found is None:
        near = sorted(place.versions, key=lambda v: abs(v.number - number))[:_NEAR]
        named = ", ".join(str(v.number) for v in sorted(near, key=lambda v: v.number))
        raise UserMistake.explain(
            f"version {number}",
            f"is not known at {place.base}",
            "expected one that was pushed",
            f"near it: {named}; {_LISTED}",
        )
    origin = next((v for v in pushed if v.number == found.origin), None)
    if origin is None:
        raise UserMistake.explain(
            f"version {number}",
            "is in the folder, but not recorded",
            "expected a version that a run pushed",
            "only what Evaluator and InfraValidator have blessed is made live",
        )
    return origin


def _check_direction(found: Published, live: Published, wish: Wish) -> Published:
    """Refuses to roll back to what is newer, and to promote what is older."""
    where = f"version {wish.to}"
    if found.number == live.origin:
        raise UserMistake.explain(
            where, "is live already", "expected another version", f"{_LISTED}; nothing was done"
        )
    if wish.kind == ROLLBACK and found.number > live.origin:
        hint = f"`fareline promote --to {wish.to}` makes it live"
        raise UserMistake.explain(where, "is newer than the live one", "expected an older", hint)
    if wish.kind == PROMOTE and found.number < live.origin:
        hint = f"`fareline rollback --to {wish.to} --reason …` goes back to it, and says why"
        raise UserMistake.explain(where, "is older than the live one", "expected a newer", hint)
    return found


def _has_files(version: Published) -> bool:
    return bool(version.there) or os.path.isdir(version.recorded.artifact.uri)


def _sound_files(wanted: PushedVersion, place: Destination) -> tuple[Path, str]:
    """Returns the folder of a version's files and their digest, which is the recorded one.

    The version's own folder; or, if that is gone, the copy that the PushedModel keeps.

    Raises:
        UserMistake: They are gone, or not what was pushed.
    """
    version, copy = Path(place.base) / str(wanted.number), Path(wanted.artifact.uri)
    source = version if version.is_dir() else copy
    # Stores of before, and of stock TFX, have no digest; the copy speaks for it.
    digest = wanted.sha256 or (sha256_of_folder(copy) if copy.is_dir() else None)
    if not source.is_dir() or digest is None:
        raise UserMistake.explain(
            f"version {wanted.number}",
            f"its files are gone from {version} and from {copy}",
            "expected one of both",
            f"choose another: {_LISTED}",
        )
    if sha256_of_folder(source) != digest:
        raise UserMistake.explain(
            f"version {wanted.number}",
            f"the files in {source} are not those that were pushed",
            f"expected SHA-256 {digest[:12]}…",
            "find out who changed them; `fareline lineage verify` names all that differ",
        )
    return source, digest


def _withhold(change: Change, live: Published, place: Destination) -> Withheld:
    digest = model_digest(os.path.join(place.base, str(live.number)))
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return Withheld(digest, live.origin, change.reason, change.user, now)
