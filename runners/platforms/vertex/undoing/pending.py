"""Removes versions whose push was never finished, from the endpoint on which it was begun."""

import contextlib

from fareline.errors import FarelineError
from runners.platforms.jobs import NotThereError, RefusedRequestError
from runners.platforms.vertex.endpoint import Endpoint
from runners.platforms.vertex.lease import AtWorkHereError, Holder, Lease, leased
from runners.platforms.vertex.operations import wait_for_left
from runners.platforms.vertex.registry import LIVE, PENDING, ModelVersion, Registry
from runners.platforms.vertex.target import Target
from runners.platforms.vertex.traffic import WHOLE, live_version
from runners.platforms.vertex.undoing.begun import Begun


def undo_elsewhere(place: Target, begun: Begun, holder: Holder) -> list[str]:
    """Undoes what pushes of this workspace have left at other models; none waits for another push.

    Args:
        place: Where the next push goes; not touched.
        begun: Notes of the workspace.
        holder: Who holds the leases meanwhile.

    Returns:
        A line for each place where something may be left.
    """
    lines = []
    for other in begun.others(place):
        try:
            with leased(other, holder, wait_seconds=0.0) as lease:
                wait_for_left(other, lease)
                left = undo_pending(other, lease)
        except AtWorkHereError:  # that push goes on, and was not interrupted
            continue
        except FarelineError as error:
            file = begun.file_of(other)
            left = [f"{_not_undone(other.base, error)} If the place is gone, remove {file}."]
        if not left:
            begun.forget(other)
        lines += left
    return lines


def undo_pending(place: Target, lease: Lease, keep: str = "") -> list[str]:
    """Undoes all that was begun and not finished at a model.

    Args:
        place: Model, and the endpoint that pushes go to now.
        lease: Held.
        keep: Digest of files whose version is to be finished; it leaves a former endpoint alone.

    Returns:
        A line for each version that is left, as where a former endpoint cannot be reached.

    Raises:
        PlatformError, UnreachableError, RefusedRequestError: One line, on the endpoint of now.
    """
    registry, lines = Registry(place), []
    versions = registry.versions()
    live = next((each.number for each in versions if LIVE in each.aliases), None)
    for version in versions:
        if version.state != PENDING and not version.begun_on:
            continue
        on = version.begun_on or place.settings.endpoint
        is_here = on == place.settings.endpoint
        if is_here and version.holds(keep):
            continue
        try:
            if version.state == PENDING or not is_here:
                _take_off(Endpoint(place.on(on), shared=True), version.number, live, lease)
            if version.state != PENDING:
                registry.mark(version, version.state)
            elif not version.holds(keep):
                _delete(registry, version, lease)
        except FarelineError as error:
            if is_here and not isinstance(error, _StillDeployed):
                raise
            lines.append(_not_undone(f"version {version.number} of {place.base} on {on}", error))
    return lines


class _StillDeployed(RefusedRequestError):
    """A version cannot be deleted, as it is deployed where no push of ours has put it."""


def _delete(registry: Registry, version: ModelVersion, lease: Lease) -> None:
    try:
        with contextlib.suppress(NotThereError):
            registry.delete(version.number, lease)
    except RefusedRequestError as error:
        raise _StillDeployed(str(error)) from error


def _take_off(endpoint: Endpoint, number: int, live: int | None, lease: Lease) -> None:
    """Undeploys a version, and sends its requests back to the live one."""
    there = endpoint.deployments()
    traffic = {each.version: each.percent for each in there}
    others = {n: percent for n, percent in traffic.items() if n != number}
    # Else another model gets the other requests, and Vertex refuses to end ours.
    if traffic.get(number) and others and sum(traffic.values()) == WHOLE:
        best = live_version(others) or (live if live in others else max(others))
        endpoint.send({**dict.fromkeys(traffic, 0), best: WHOLE})
    for each in there:
        if each.version == number:
            endpoint.undeploy(each.id, lease)


def _not_undone(where: str, error: FarelineError) -> str:
    return f"an interrupted push is not undone, {where}: {error}"
