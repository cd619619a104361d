"""Changes by a person on an endpoint of Vertex AI: promote, rollback, undeploy.

The service changes first, and the store records it. A command that was killed in between is
finished by the next, which sees on the endpoint that it was done. Called by `cli.views.on_vertex`.
"""

import contextlib
import dataclasses
from collections.abc import Collection

from ml_metadata.metadata_store import metadata_store

from fareline.errors import FarelineError, UserMistake
from fareline.recorded import DESTINATION, PROMOTE, ROLLBACK, TO_VERSION, UNDEPLOY
from fareline.recorded.vertex import SHORT, OnVertex, on_vertex
from lineage.answers.models.versions import pushed_versions
from lineage.facts.changes_by_hand import (
    Change,
    begin_change,
    complete_change_on_vertex,
    fail_change,
)
from lineage.facts.pushes import PUSHED_MODEL, targets_of_unfinished, traffic_of
from lineage.graph.elements import Execution
from lineage.graph.graph import Graph
from runners.platforms.vertex.endpoint import Deployment, Endpoint
from runners.platforms.vertex.lease import Holder, Lease, leased
from runners.platforms.vertex.operations import wait_for_left
from runners.platforms.vertex.push import as_label, deploy, finish
from runners.platforms.vertex.registry import DONE, WITHHELD, ModelVersion, Registry
from runners.platforms.vertex.requests_seen import Seen, requests_seen
from runners.platforms.vertex.target import Target
from runners.platforms.vertex.traffic import WHOLE, live_version
from runners.provenance import login_name
from runners.workspace import Workspace

_LISTED = "`fareline models` lists the versions"


@dataclasses.dataclass(frozen=True)
class WishOnVertex:
    """A requested change.

    Attributes:
        kind: `fareline.rollback`, `fareline.promote` or `fareline.undeploy`.
        to: The version; None: the one that the command is for.
        reason: In the words of the user.
        destination: `vertex`, or `vertex://PROJECT/REGION/MODEL` where there are several.
        everything: Whether `undeploy` ends what gets requests, too.
    """

    kind: str
    to: int | None = None
    reason: str = ""
    destination: str = SHORT
    everything: bool = False


@dataclasses.dataclass(frozen=True)
class DoneOnVertex:
    """The result of a change.

    Attributes:
        kind: Kind, as in the wish.
        destination: `vertex://PROJECT/REGION/MODEL`.
        from_version: Earlier version with most of the requests; 0 without one.
        record: The endpoint since then.
        execution, pushed_model: Printable ids; empty if there was nothing to do.
        left_alone: Versions that the change was not made with, as this store has no record of them.
    """

    kind: str
    destination: str
    from_version: int
    record: OnVertex
    execution: str = ""
    pushed_model: str = ""
    left_alone: tuple[int, ...] = ()


def find_target(graph: Graph, destination: str) -> tuple[str, Target]:
    """The place on Vertex AI that a store knows.

    Raises:
        UserMistake: There is no destination on Vertex AI, or there are several.
    """
    bases = [b for b in sorted(traffic_of(graph)) if destination in (SHORT, b)]
    if not bases and any(destination in (SHORT, target.base) for target in _begun(graph)):
        raise UserMistake.explain(
            destination,
            "a push has begun there, and no run has recorded its result",
            "expected a push that ended well",
            "`fareline run` finishes it; `fareline models --vertex` lists what is deployed",
        )
    if len(bases) != 1:
        raise UserMistake.explain(
            destination,
            f"models were pushed to {', '.join(bases)}" if bases else "no model was pushed there",
            "expected one place on Vertex AI",
            "name the whole address of one" if bases else "`push.destinations: [folder, vertex]`",
        )
    return bases[0], _targets(graph, bases[0])[0]


def _targets(graph: Graph, base: str) -> list[Target]:
    """The endpoint of the last record, and those that other pushes were for, one each."""
    records = [a for a in graph.artifacts_of_type(PUSHED_MODEL) if on_vertex(a) is not None]
    newest = sorted(records, key=lambda each: -each.id)
    found: dict[str, Target] = {}
    for target in [*(Target.read(on_vertex(each).target) for each in newest), *_begun(graph)]:
        if target.base == base:
            found.setdefault(target.endpoint, target)
    return [*found.values()]


def _begun(graph: Graph) -> list[Target]:
    """Where pushes went that were killed, or failed, before a run could record them."""
    found = []
    for content in targets_of_unfinished(graph):
        with contextlib.suppress(ValueError):  # of another version of Fareline
            found.append(Target.read(content))
    return found


@dataclasses.dataclass(frozen=True)
class Deployed:
    """What is deployed on one endpoint now.

    Attributes:
        endpoint: Name of the endpoint in the API.
        former: Whether the settings name another endpoint of the model by now.
        deployments: Deployed versions.
        seen: Their predictions of the last day; without deployments also why these are not known.
    """

    endpoint: str
    former: bool
    deployments: list[Deployment]
    seen: Seen


def deployed(graph: Graph) -> list[Deployed]:
    """Asks Vertex what is deployed now, and Cloud Monitoring for its predictions, if any is.

    Returns:
        One entry for each endpoint that this store has pushed to, whether or not the push ended
        well; a former one only if it still has versions, which cost as before.

    Raises:
        UserMistake: No model was pushed to Vertex AI.
        PlatformError, UnreachableError: Vertex refuses, or does not answer, about the one endpoint
            that there is. Of several, the entry says so.
    """
    recorded = traffic_of(graph)
    bases = sorted({*recorded, *(t.base for t in _begun(graph))}) or [find_target(graph, SHORT)[0]]
    places = [(t, bool(n)) for base in bases for n, t in enumerate(_targets(graph, base))]
    answers = []
    for target, former in places:
        try:
            found = Endpoint(target, shared=former).deployments()
        except FarelineError as error:
            if len(places) == 1:
                raise
            if target.base not in recorded:  # perhaps settings that Vertex refuses
                continue
            answers.append(Deployed(target.endpoint, former, [], Seen({}, str(error))))
            continue
        if found or not former:
            seen = requests_seen(target) if found else Seen({})
            answers.append(Deployed(target.endpoint, former, found, seen))
    return answers


def require_known(known: Collection[int], number: int, base: str) -> None:
    """Refuses a version that no run of this workspace pushed.

    Raises:
        UserMistake: The store does not know it.
    """
    if number not in known:
        raise UserMistake.explain(
            f"version {number} of {base}",
            "is on Vertex, but not recorded in this store",
            "expected a version that a run of this workspace pushed",
            "repeat the run if it was killed, or use the workspace that pushed it",
        )


def change_on_vertex(
    store: metadata_store.MetadataStore, workspace: Workspace, wish: WishOnVertex
) -> DoneOnVertex:
    """Does it and records it; the caller holds the workspace.

    Raises:
        UserMistake: The change is not possible; the endpoint is as before.
        PlatformError, UnreachableError: Vertex refuses, or does not answer.
    """
    graph = Graph(store)
    base, target = find_target(graph, wish.destination)
    with leased(target, Holder(workspace.artifacts_dir)) as lease:
        wait_for_left(target, lease)
        work = _Work(graph, base, target, lease)
        for left in _unfinished(graph, base):
            done = work.settle(left)
            if done is not None and done.kind == wish.kind and wish.to in (None, done.record.live):
                return done
            if done is not None:
                work = _Work(Graph(store), base, target, lease)
        if wish.kind == UNDEPLOY:
            return work.undeploy(wish)
        return work.move(wish)


def _unfinished(graph: Graph, base: str) -> list[Execution]:
    kinds = (ROLLBACK, PROMOTE, UNDEPLOY)
    ids = sorted(e.id for kind in kinds for e in graph.store.get_executions_by_type(kind))
    found = [e for e in graph.executions(ids) if e.state not in ("executed", "failed")]
    return [e for e in found if e.properties.get(DESTINATION) == base]


class _Work:
    """One change, while the lease is held."""

    def __init__(self, graph: Graph, base: str, target: Target, lease: Lease):
        self._store, self._base, self._target, self._lease = graph.store, base, target, lease
        self._known = {each.number: each for each in pushed_versions(graph)[base]}
        self._recorded = traffic_of(graph)[base]
        self._registry, self._endpoint = Registry(target), Endpoint(target)
        self._versions = {each.number: each for each in self._registry.versions()}
        runs = set(map(as_label, graph.places.run_contexts()))
        # Those too whose push was killed before it was recorded: they cost as the others do.
        pushed = [n for n, version in self._versions.items() if version.labels.get("run") in runs]
        self._ours = {*self._known, *pushed}

    def settle(self, left: Execution) -> DoneOnVertex | None:
        """Finishes a change whose command was killed when Vertex had made it; else it has failed.

        `undeploy` goes on by itself from what is left.
        """
        to = int(left.properties.get(TO_VERSION) or 0)
        moved = self._traffic().get(to) == WHOLE and left.type != UNDEPLOY
        if not moved or to not in self._known:
            fail_change(self._store, left.id)
            return None
        before = int(left.properties.get("from_version") or 0)
        return self._complete(left.type, left.id, to, before)

    def move(self, wish: WishOnVertex) -> DoneOnVertex:
        """Sends all requests to one version."""
        traffic = self._traffic()
        live = live_version(traffic) or 0
        to, left_alone = self._choose(wish, traffic, live)
        require_known(self._known, to, self._base)
        serving = [number for number, percent in traffic.items() if percent and number != to]
        before = max(serving, default=live) if wish.kind == ROLLBACK else live
        execution = self._begin(wish, before, to)
        try:
            self._endpoint.make(self._lease)  # somebody may have deleted it
            deploy(self._endpoint, to, WHOLE, self._lease)
        except Exception:
            fail_change(self._store, execution)
            raise
        done = self._complete(wish.kind, execution, to, before)
        return dataclasses.replace(done, left_alone=left_alone)

    def undeploy(self, wish: WishOnVertex) -> DoneOnVertex:
        """Ends what gets no requests, one version, or everything that runs of this store pushed."""
        if wish.to is not None and wish.everything:
            raise UserMistake.explain(
                "undeploy",
                "found a version and all versions",
                "expected one of them",
                "leave one out",
            )
        there = self._endpoint.deployments()
        traffic = {each.version: each.percent for each in there}
        live = live_version(traffic) or 0
        if wish.to is not None:
            wanted = [each for each in there if each.version == wish.to]
            self._require_idle(wish.to, wanted)
        else:
            wanted = [each for each in there if wish.everything or not each.percent]
        strange = [n for n in sorted({each.version for each in wanted}) if n not in self._ours]
        left_alone = () if wish.to else tuple(strange)
        wanted = [each for each in wanted if each.version not in left_alone]
        former = self._on_former_endpoints() if wish.everything else []
        of = live if live in self._known else max(self._known)
        # Else a killed command ended something.
        if not wanted and not former and traffic == self._recorded:
            record = self._record(of)
            return DoneOnVertex(wish.kind, self._base, live, record, left_alone=left_alone)
        execution = self._begin(wish, live, of)
        try:
            self._end(self._endpoint, there, wanted)
            for endpoint, left in former:
                ours = [each for each in left if each.version in self._ours]
                self._end(endpoint, left, ours)
        except Exception:
            fail_change(self._store, execution)
            raise
        done = self._complete(wish.kind, execution, of, live)
        return dataclasses.replace(done, left_alone=left_alone)

    def _on_former_endpoints(self) -> list[tuple[Endpoint, list[Deployment]]]:
        """What is left of this store on endpoints that other pushes were for."""
        targets = _targets(Graph(self._store), self._base)[1:]
        found = [Endpoint(target, shared=True) for target in targets]
        left = [(endpoint, endpoint.deployments()) for endpoint in found]
        return [(e, there) for e, there in left if any(d.version in self._ours for d in there)]

    def _end(self, endpoint: Endpoint, there: list[Deployment], wanted: list[Deployment]) -> None:
        """Undeploys versions, the one with most requests last; what stays gets the requests."""
        wanted = sorted(wanted, key=lambda each: each.percent)
        stays = {each.version: each.percent for each in there if each not in wanted}
        # Else another model gets the other requests, and Vertex refuses to end ours.
        if sum(each.percent for each in there) == WHOLE and any(each.percent for each in wanted):
            gets = live_version(stays) if stays else wanted[-1].version
            split = {each.version: WHOLE * int(each.version == gets) for each in there}
            endpoint.send(split if gets is not None else {})
        for each in wanted:
            endpoint.undeploy(each.id, self._lease)

    def _choose(
        self, wish: WishOnVertex, traffic: dict[int, int], live: int
    ) -> tuple[int, tuple[int, ...]]:
        """The version, and those that would have been meant if this store had recorded them."""
        number = live if wish.to is None else wish.to
        where = f"version {number} of {self._base}" if number or wish.to == 0 else self._base
        done = [n for n, version in self._versions.items() if version.state == DONE]
        newer_serves = any(percent and n > live for n, percent in traffic.items())
        if wish.to is not None:
            wanted = self._versions.get(wish.to)
            if wanted is None or wanted.state not in (DONE, WITHHELD):
                raise UserMistake.explain(
                    where, "is not there", "expected one that a run has pushed", _LISTED
                )
            if traffic.get(wish.to) == WHOLE:
                raise UserMistake.explain(
                    where, "gets all requests already", "expected another version", _LISTED
                )
            if wish.kind == ROLLBACK and wish.to > live:
                hint = f"`fareline promote --destination vertex --to {wish.to}` makes it live"
                raise UserMistake.explain(where, "is newer than the live", "expected older", hint)
            if wish.kind == ROLLBACK and wish.to == live and not newer_serves:
                raise UserMistake.explain(where, "is the live one", "expected older", _LISTED)
            if wish.kind == PROMOTE and wish.to < live:
                hint = f"`fareline rollback --destination vertex --to {wish.to} --reason …`"
                raise UserMistake.explain(where, "is older than the live", "expected newer", hint)
            return wish.to, ()
        if wish.kind == ROLLBACK and not live:
            raise UserMistake.explain(
                self._base,
                "no version gets requests",
                "expected a live version to go back from",
                "`fareline promote --destination vertex --to VERSION` makes one live",
            )
        if wish.kind == ROLLBACK:
            found = [live] if newer_serves else [n for n in done if n < live]
        else:
            found = [n for n in done if n > live]
            if live and traffic[live] != WHOLE and not newer_serves:
                found.append(live)  # somebody has split the requests by hand
        # Of the candidate of another store, the way back is to a version that may be of one too.
        known = found if newer_serves and wish.kind == ROLLBACK else self._known
        to = max((n for n in found if n in known), default=None)
        strange = tuple(sorted(n for n in found if n not in known and n > (to or 0)))
        if to is None:
            direction = "older" if wish.kind == ROLLBACK else "newer"
            what = "is live" if live else "no version gets requests"
            other = ", ".join(map(str, strange))
            raise UserMistake.explain(
                where,
                f"{what}, and there is nothing {direction}"
                + (f" that this store has recorded, as {other} is not" if other else ""),
                "expected a version that was not rolled back",
                _LISTED,
            )
        return to, strange

    def _complete(self, kind: str, execution: int, to: int, before: int) -> DoneOnVertex:
        """Writes down on Vertex and in the store what the endpoint does by now."""
        if kind == ROLLBACK:
            self._withhold(to, before)
        if kind == UNDEPLOY:
            record = self._record(to)
        else:
            version = self._versions[to]
            record = finish(self._target, self._registry, self._endpoint, version, self._lease)
        of = self._known[to].artifact
        pushed = complete_change_on_vertex(self._store, execution, of, record)
        node = kind.rpartition(".")[2]
        return DoneOnVertex(
            kind, self._base, before, record, f"{node}#{execution}", f"PushedModel:{pushed}"
        )

    def _withhold(self, to: int, before: int) -> None:
        """Marks the version that was left, so that no push brings it back, and ends it."""
        if before in self._versions and before != to:
            self._registry.mark(self._versions[before], WITHHELD)
        for each in self._endpoint.deployments():
            if each.version == before and before != to and not each.percent:
                self._endpoint.undeploy(each.id, self._lease)

    def _begin(self, wish: WishOnVertex, before: int, to: int) -> int:
        known = self._known[to]
        pipeline = known.model.facts.pipeline if known.model else ""
        change = Change(wish.kind, pipeline, self._base, before, to, wish.reason, login_name())
        model = known.model.model if known.model else None
        return begin_change(self._store, change, model, known.artifact)

    def _record(self, of: int) -> OnVertex:
        shares = {str(number): percent for number, percent in self._traffic().items()}
        version = self._versions.get(of, ModelVersion(of, {}, (), ""))
        return OnVertex(self._target.as_json(), of, shares, version.artifact_uri)

    def _traffic(self) -> dict[int, int]:
        return {each.version: each.percent for each in self._endpoint.deployments()}

    def _require_idle(self, number: int, found: list[Deployment]) -> None:
        where = f"version {number} of {self._base}"
        if not found:
            raise UserMistake.explain(
                where, "is not deployed", "expected one that is", "`fareline models --vertex`"
            )
        if found[0].percent:
            raise UserMistake.explain(
                where,
                f"gets {found[0].percent} % of the requests",
                "expected one that gets none",
                "promote or roll back to another first; `fareline undeploy --all` ends everything",
            )
