"""A model to Vertex AI: files, registry, endpoint, in steps that the next push can go on from.

1. The files go to the bucket, below their digest, and our own server, if it is to run there, is
started here with them and asked. 2. The registry gets a version, marked pending.
3. It is deployed with its share of the requests. 4. It is marked done. 5. Evaluation and lineage
are written. The next push finishes a pending version of the same files, and undoes one of others,
wherever it was begun.
Named by its dotted path by `pipeline.components.vertex.pusher`, since Google's clients are imported
here alone.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fareline.recorded.vertex import OnVertex
from runners.platforms.jobs import RefusedRequestError
from runners.platforms.vertex.bucket import Upload, upload
from runners.platforms.vertex.container import require_answers
from runners.platforms.vertex.endpoint import Deployment, Endpoint
from runners.platforms.vertex.lease import Holder, Lease, leased
from runners.platforms.vertex.operations import wait_for_left
from runners.platforms.vertex.registry import (
    CANDIDATE,
    DONE,
    LIVE,
    PENDING,
    WITHHELD,
    ModelVersion,
    Registry,
)
from runners.platforms.vertex.shown.story import Story
from runners.platforms.vertex.shown.writing import show
from runners.platforms.vertex.target import Target
from runners.platforms.vertex.traffic import live_version, share_with
from runners.platforms.vertex.undoing.begun import Begun
from runners.platforms.vertex.undoing.pending import undo_elsewhere, undo_pending

_LABEL_LENGTH = 63


class WithheldVersion(RefusedRequestError):
    """The model was rolled back from on Vertex; a person brings it back, a push does not."""


@dataclasses.dataclass(frozen=True)
class Pushed:
    """The result of a push.

    Attributes:
        record: The endpoint afterwards.
        created: Whether the registry has a new version; else it had these files already.
        not_shown: Why Vertex shows no evaluation or lineage of it; empty if it does.
        not_undone: What earlier pushes have left that could not be undone, and why; or empty.
    """

    record: OnVertex
    created: bool
    not_shown: str = ""
    not_undone: str = ""


def push_model(
    target: Mapping[str, Any],
    model_dir: str,
    sha256: str,
    facts: Mapping[str, str],
    says: str,
    story: Mapping[str, Any],
) -> Pushed:
    """Pushes a SavedModel.

    Args:
        target: The setting `push.vertex`, with the ids of model and endpoint.
        model_dir: Folder of this machine, WORKSPACE/artifacts/NODE/KEY/ID; or of the bucket.
        sha256: SHA-256 of its files.
        facts: Labels, such as the run and the digest of the data.
        says: A line on what it is, with its metrics.
        story: What Vertex shows beside it: fields of `runners.platforms.vertex.shown.story.Story`.

    Raises:
        WithheldVersion: The model was rolled back from.
        PlatformError, UnreachableError, RefusedRequestError: One line.
    """
    place = Target.read(target)
    registry, endpoint = Registry(place), Endpoint(place)
    holder, begun = Holder.of_artifact(model_dir), Begun(model_dir)
    left = undo_elsewhere(place, begun, holder)
    with leased(place, holder) as lease:
        wait_for_left(place, lease)
        begun.note(place)
        left += undo_pending(place, lease, keep=sha256)
        version = _find(registry, sha256)
        created = version is None
        if version is None:
            uri = _send_files(place, model_dir, sha256)
            if place.settings.server == "fareline":
                require_answers(uri)
            labels = {name: as_label(value) for name, value in facts.items()}
            version = registry.upload(uri, sha256, labels, says, lease)
        elif version.state == WITHHELD:
            raise _withheld(place, version)
        endpoint.make(lease)
        if version.state == PENDING or _absent(endpoint, version.number):
            if version.begun_on != place.settings.endpoint:
                version = registry.mark(version, version.state, place.settings.endpoint)
            deploy(endpoint, version.number, place.settings.traffic, lease)
        record = finish(place, registry, endpoint, version, lease)
        not_shown = show(place, version.number, Story.read(story, sha256), lease)
        begun.forget(place)
        return Pushed(record, created, not_shown, "; ".join(left))


def deploy(endpoint: Endpoint, version: int, percent: int, lease: Lease) -> None:
    """Deploys a version with its share, or gives it its share if it is there already."""
    there = {each.version: each.percent for each in endpoint.deployments()}
    wanted = share_with(there, version, percent)
    if version not in there:
        endpoint.deploy(version, wanted, lease)
    elif wanted != there:
        endpoint.send(wanted)


def finish(
    place: Target, registry: Registry, endpoint: Endpoint, version: ModelVersion, lease: Lease
) -> OnVertex:
    """Marks a version as done, names the live one, undeploys unneeded ones; returns the record."""
    is_elsewhere = version.begun_on != place.settings.endpoint
    registry.mark(version, DONE, version.begun_on if is_elsewhere else "")
    there = endpoint.deployments()
    traffic = {each.version: each.percent for each in there}
    live = live_version(traffic)
    if live is not None:
        registry.name(live, LIVE)
    newest = max((number for number, percent in traffic.items() if percent), default=live)
    if newest != live:
        registry.name(newest, CANDIDATE)
    else:
        registry.unname(CANDIDATE)
    for each in superfluous(there):
        endpoint.undeploy(each.id, lease)
    after = {each.version: each.percent for each in endpoint.deployments()}
    return OnVertex(
        place.as_json(),
        version.number,
        {str(number): percent for number, percent in after.items()},
        version.artifact_uri,
    )


def superfluous(there: list[Deployment]) -> list[Deployment]:
    """The versions that can be undeployed, since they get no requests.

    Not so the newest of these while a single version serves: going to it takes no minutes.
    """
    idle = [each for each in there if not each.percent]
    serving = {each.version for each in there if each.percent}
    if len(serving) > 1:
        return idle
    kept = max((e for e in idle if e.version not in serving), key=lambda e: e.version, default=None)
    return [each for each in idle if each is not kept]


def as_label(value: str) -> str:
    """A text as Vertex takes it in a label."""
    text = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in value.lower())
    return text[:_LABEL_LENGTH]


def _find(registry: Registry, sha256: str) -> ModelVersion | None:
    """The version with these files, the newest of several."""
    found = [each for each in registry.versions() if each.state and each.holds(sha256)]
    return found[-1] if found else None


def _absent(endpoint: Endpoint, version: int) -> bool:
    return all(each.version != version for each in endpoint.deployments())


def _send_files(place: Target, model_dir: str, sha256: str) -> str:
    """Returns the folder of the bucket with the files; what is there already is not sent again."""
    if model_dir.startswith("gs://"):
        return model_dir
    uri = f"{place.folder}/{sha256[:16]}"
    found = [
        Path(folder) / name for folder, _, names in os.walk(model_dir) for name in sorted(names)
    ]
    upload([Upload(path, f"{uri}/{path.relative_to(model_dir).as_posix()}") for path in found])
    return uri


def _withheld(place: Target, version: ModelVersion) -> WithheldVersion:
    return WithheldVersion.explain(
        f"version {version.number} of {place.base}",
        "somebody rolled back from this model",
        "expected another model",
        f"`fareline promote --destination vertex --to {version.number}` brings it back",
    )
