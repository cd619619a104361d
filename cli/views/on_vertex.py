"""Answers about an endpoint of Vertex AI: what was changed, and what is deployed."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.answer import answer
from fareline.recorded.vertex import SCHEME, SHORT
from lineage.text.harmless import plain
from lineage.text.times import clock
from runners.stores import open_graph, open_to_write

if TYPE_CHECKING:
    from runners.platforms.vertex.changes import Deployed, DoneOnVertex
    from runners.platforms.vertex.endpoint import Deployment
    from runners.platforms.vertex.requests_seen import Seen


def is_on_vertex(destination: str | None) -> bool:
    """Whether `--destination` means Vertex AI."""
    return destination is not None and (destination == SHORT or SCHEME in destination)


def change_vertex(folder: Path, wish: tuple, as_json: bool) -> None:
    """Changes an endpoint, and prints how.

    Args:
        folder: Workspace.
        wish: Fields of `runners.platforms.vertex.changes.WishOnVertex`.
        as_json: Whether as JSON.
    """
    from runners.platforms.vertex.changes import WishOnVertex, change_on_vertex, find_target
    from runners.workspace import Workspace

    asked = WishOnVertex(*wish)
    find_target(open_graph(folder, None), asked.destination)  # before a workspace is made
    workspace = Workspace(folder.resolve())
    with workspace.locked():
        done = change_on_vertex(open_to_write(folder, None), workspace, asked)
    answer(as_json, _as_json(done), lambda console: _draw(console, done))


def deployments_as_json(places: list["Deployed"]) -> list[dict[str, Any]]:
    """Each version with its machines and use.

    Keys: `endpoint` (its name in the API), `version`, `percent`, `machine_type`, `replicas`,
    `since`, `node_hours`, `predictions` (of the last 24 hours; null if they are not known), and
    `idle`: whether it gets no requests, or had none in that time.
    """
    return [
        {
            "endpoint": place.endpoint,
            "version": each.version,
            "percent": each.percent,
            "machine_type": each.machine_type,
            "replicas": each.replicas,
            "since": each.since.isoformat(timespec="seconds"),
            "node_hours": round(each.node_hours, 1),
            "predictions": place.seen.of(each.id),
            "idle": _is_idle(each, place.seen),
        }
        for place in places
        for each in place.deployments
    ]


def draw_deployments(console, places: list["Deployed"]) -> None:
    """Prints what is deployed, what it uses, and what is of no use."""
    for place in places:
        if place.seen.unknown_because and not place.deployments:
            line = f"Not known what is deployed on {place.endpoint}: {place.seen.unknown_because}"
            console.print(plain(line, None), markup=False, highlight=False, soft_wrap=True)
    asked = [place for place in places if place.deployments or not place.seen.unknown_because]
    places = [place for place in asked if place.deployments]
    if asked and not places:
        console.print("Vertex AI: no version is deployed, so there are no costs by the hour.")
    for place in places:
        which = f", on {place.endpoint}" if len(places) > 1 else ""
        line = f"Deployed on Vertex AI now{which}, billed by the hour, with or without requests:"
        console.print(plain(line, None), markup=False, highlight=False, soft_wrap=True)
        _draw_place(console, place)


def _draw_place(console, place: "Deployed") -> None:
    from runners.platforms.vertex.requests_seen import HOURS

    seen = place.seen
    for each in place.deployments:
        since = clock(int(each.since.timestamp() * 1000))
        line = (
            f"  version {each.version}: {each.percent} % of the requests, {each.replicas} of "
            f"{each.machine_type} since {since} (UTC), {each.node_hours:,.1f} node hours so far"
        )
        count = seen.of(each.id)
        line += "" if count is None else f", {count:,} predictions in {HOURS} hours"
        console.print(plain(line, None), markup=False, highlight=False, soft_wrap=True)
    for line in _warnings(place, HOURS):
        console.print(plain(line, None), markup=False, highlight=False, soft_wrap=True)


def _warnings(place: "Deployed", hours: int) -> Iterator[str]:
    """What costs and is not used, and what could not be asked."""
    found, seen = place.deployments, place.seen
    if place.former:
        yield (
            "This is a former endpoint: pushes go to another one. "
            "`fareline undeploy --all` ends both."
        )
    if idle := ", ".join(str(each.version) for each in found if not each.percent):
        yield f"Idle: version {idle} gets no requests; `fareline undeploy` ends it."
    serving = [each for each in found if each.percent]
    if serving and all(_is_idle(each, seen) for each in serving):
        yield (
            f"Idle: the endpoint had no requests in the last {hours} hours; "
            "`fareline undeploy --all` ends its costs."
        )
    if seen.unknown_because:
        yield f"Not known whether requests arrive: {seen.unknown_because}"


def _is_idle(each: "Deployment", seen: "Seen") -> bool:
    """Whether a version gets no requests; one of the last hour may only not be counted yet."""
    is_new = each.node_hours < each.replicas
    return not each.percent or (seen.of(each.id) == 0 and not is_new)


def _as_json(done: "DoneOnVertex") -> dict[str, Any]:
    """The answer that `cli.answers.models.ChangedOnVertex` describes."""
    return {
        "change": done.kind.rpartition(".")[2],
        "destination": done.destination,
        "from_version": done.from_version or None,
        "version": done.record.live,
        "traffic": dict(done.record.traffic),
        "left_alone": list(done.left_alone),
        "execution": done.execution or None,
        "pushed_model": done.pushed_model or None,
    }


def _draw(console, done: "DoneOnVertex") -> None:
    shares = [f"version {n}: {percent} %" for n, percent in done.record.traffic.items()]
    lines = [f"{done.destination}: {', '.join(shares) or 'no version is deployed any more'}."]
    if done.kind.endswith("rollback"):
        lines.append(
            f"The model of version {done.from_version} is withheld: no run pushes it again. "
            f"`fareline promote --destination vertex --to {done.from_version}` brings it back."
        )
    if any(not percent for percent in done.record.traffic.values()):
        lines.append(
            "A version without requests costs as much as one with: `fareline undeploy` ends it."
        )
    recorded = f"Recorded as {done.execution} ({done.pushed_model})."
    lines.append(recorded if done.execution else "There was no version to undeploy.")
    if done.left_alone:
        numbers = ", ".join(map(str, done.left_alone))
        lines.append(
            f"Left alone, because this store has not recorded it: version {numbers}. Use the "
            "workspace that pushed it; `fareline undeploy --to VERSION` ends one without requests."
        )
    for line in lines:
        console.print(plain(line, None), markup=False, highlight=False, soft_wrap=True)
