"""Plans a prune: the payloads to delete if only the newest runs of each pipeline are kept.

The artifacts that kept runs read or wrote, including cached ones, are kept with everything
upstream. So are pinned artifacts and the next baseline. A run that pushed a model is kept like the
newest runs, also when its version has left the destination, unless the caller allows its removal.
The outputs of an execution are kept or deleted together, because TFX's cache uses all of them or
none. Called by `cli.lineage.inputs`; `lineage.answers.prune.payloads` carries it out.
"""

import dataclasses
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from fareline.recorded import CHECKPOINTS_DIR, QUARANTINE_DIR
from fareline.recorded.data import sample_of
from lineage.answers.prune.payloads import Boundary
from lineage.facts.baselines import PIN, decision_in_force
from lineage.facts.payload import (
    MISSING,
    leftover,
    leftover_files,
    local_path,
    look_at,
    measure,
)
from lineage.facts.pushes import live_pushes
from lineage.facts.withdrawn import withdrawn_models
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph
from lineage.graph.trace import trace_upstream

ACTIVE_HOURS = 24  # an execution that is marked as running for longer was left so by a crash


@dataclasses.dataclass(frozen=True)
class Pruned:
    """One artifact to delete.

    Attributes:
        artifact: In the store.
        runs: The runs that made or used it.
        bytes: Size of its payload.
    """

    artifact: Artifact
    runs: tuple[str, ...]
    bytes: int


@dataclasses.dataclass(frozen=True)
class LeftFile:
    """Files of a failed or killed execution that no artifact refers to.

    Attributes:
        path: The file, or what a crash left of its removal.
        run: Run of the execution.
        bytes: Size of the file.
    """

    path: str
    run: str
    bytes: int


@dataclasses.dataclass
class Plan:
    """The plan of a prune.

    Attributes:
        kept_runs: Runs that are kept, the newest and those that pushed, oldest first.
        pruned_runs: All others, oldest first.
        pruned: Artifacts to mark as deleted, with their payloads, by id.
        unfinished: Artifacts that are marked as deleted and whose payload is there still, by id.
        quarantines: Files of pruned runs that failed at their rows, by execution.
        checkpoints: Checkpoints of pruned runs whose Trainer did not end, by execution.
        protected: Artifacts that are kept with all that they came from, and why.
        left: Artifacts of pruned runs that are not touched, and why.
    """

    kept_runs: list[str]
    pruned_runs: list[str]
    pruned: list[Pruned] = dataclasses.field(default_factory=list)
    unfinished: list[Pruned] = dataclasses.field(default_factory=list)
    quarantines: list[LeftFile] = dataclasses.field(default_factory=list)
    checkpoints: list[LeftFile] = dataclasses.field(default_factory=list)
    protected: dict[Artifact, str] = dataclasses.field(default_factory=dict)
    left: dict[Artifact, str] = dataclasses.field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Bytes that the deletion frees."""
        files = [*self.quarantines, *self.checkpoints]
        return sum(e.bytes for e in [*self.pruned, *self.unfinished, *files])

    @property
    def uris(self) -> list[str]:
        """All URIs to remove from the disk, each once."""
        payloads = [entry.artifact.uri for entry in [*self.unfinished, *self.pruned]]
        files = [*self.quarantines, *self.checkpoints]
        return list(dict.fromkeys([*payloads, *(file.path for file in files)]))


def plan_prune(
    graph: Graph,
    keep: int,
    boundary: Boundary,
    pins: Collection[Artifact],
    now: int,
    withdrawn: bool = False,
) -> Plan:
    """Finds the payloads to delete.

    Args:
        graph: Lineage graph of the whole store, which is read.
        keep: Number of runs to keep of each pipeline, the newest.
        boundary: Where payloads may be removed.
        pins: Artifacts to keep beside those that `fareline baseline pin` named.
        now: Milliseconds since 1970.
        withdrawn: Whether a pushed model may be deleted after its version has left the destination.
    """
    graph.read_all()
    run_of = {execution.id: execution.place.run_id for execution in graph.all_executions()}
    runs_of = {a: _runs_of(graph, a, run_of) for a in graph.all_artifacts()}
    pushed = _pushed(graph, withdrawn)
    kept_runs = _kept_runs(graph, keep, now)
    for artifact in pushed:
        kept_runs.update(e.place.run_id for e in graph.producers(artifact) if e.place.run_id)
    plan = Plan(
        [run for run in graph.places.run_contexts() if run in kept_runs],
        [run for run in graph.places.run_contexts() if run not in kept_runs],
    )
    plan.quarantines = _left_files(graph, kept_runs, boundary, QUARANTINE_DIR, "{}.jsonl")
    plan.checkpoints = _left_files(graph, kept_runs, boundary, CHECKPOINTS_DIR, "{}-*.npz")
    plan.protected = _protected(graph, pins, pushed)
    kept = _kept_artifacts(graph, kept_runs, plan.protected)
    untouched = [a for a in runs_of if a in kept or not runs_of[a]]
    shared = _Places([a for a in untouched if a.state != "deleted"])
    for artifact, runs in runs_of.items():
        if artifact in kept:
            continue
        deleted = artifact.state == "deleted"
        there = leftover(artifact.uri)
        if deleted and not there:
            continue
        reason = "no run made or used it" if not runs else boundary.refuses(artifact.uri)
        if reason is None and (other := shared.sharing(artifact)):
            reason = f"its payload is that of {other.key}, which is kept"
        if reason is None:
            entry = Pruned(artifact, runs, measure(there))
            (plan.unfinished if deleted else plan.pruned).append(entry)
        elif not deleted:
            plan.left[artifact] = reason
    return plan


def _left_files(
    graph: Graph, kept_runs: Collection[str], boundary: Boundary, folder: str, pattern: str
) -> list[LeftFile]:
    """Files of executions of pruned runs; `{}` in the pattern stands for the execution's id."""
    found: dict[str, LeftFile] = {}
    for execution in graph.all_executions():
        node, run = execution.place.node, execution.place.run_id
        if not run or run in kept_runs or Path(node).name != node:
            continue
        for root in boundary.roots:
            for path in leftover_files(root / node / folder, pattern.format(execution.id)):
                real = str(path.resolve())  # a root is there as it was given, and without links
                if (there := leftover(str(path))) and not boundary.refuses(str(path)):
                    found.setdefault(real, LeftFile(str(path), run, measure(there)))
    return list(found.values())


def _kept_runs(graph: Graph, keep: int, now: int) -> set[str]:
    executions: dict[str, list[Execution]] = {}
    for execution in graph.all_executions():
        executions.setdefault(execution.place.run_id, []).append(execution)
    by_pipeline: dict[str, list[str]] = {}
    kept = set()
    for run in graph.places.run_contexts():
        members = executions.get(run, [])
        pipeline = next((e.place.pipeline for e in members if e.place.pipeline), "")
        by_pipeline.setdefault(pipeline, []).append(run)
        if any(is_active(execution, now) for execution in members):
            kept.add(run)
    return kept.union(*(runs[-keep:] for runs in by_pipeline.values()))


def is_active(execution: Execution, now: int) -> bool:
    """Whether an execution is marked as running and not for so long that it cannot be."""
    return execution.state == "running" and now - execution.updated < ACTIVE_HOURS * 3_600_000


def _pushed(graph: Graph, withdrawn: bool) -> dict[Artifact, str]:
    """What was pushed, with where it is or was."""
    found = {artifact: f"live at {base}" for base, artifact in live_pushes(graph).items()}
    for artifact in graph.artifacts_of_type("PushedModel"):
        destination = str(artifact.properties.get("pushed_destination") or "")
        if not artifact.properties.get("pushed") or artifact in found:
            continue
        if look_at(destination).status != MISSING:
            found[artifact] = f"published at {destination}"
        elif not withdrawn:
            found[artifact] = f"was published at {destination}"
    return found


def _protected(
    graph: Graph, pins: Collection[Artifact], pushed: Mapping[Artifact, str]
) -> dict[Artifact, str]:
    """Artifacts that are never to go, with the reason."""
    protected = dict.fromkeys(pins, "pinned by --pin")
    for pipeline in graph.places.pipelines():
        decision = decision_in_force(graph.store, pipeline)
        if decision is not None and decision.action == PIN:
            for artifact in graph.artifacts([decision.model_id]):
                protected.setdefault(artifact, f"pinned as the baseline of {pipeline}")
    for artifact, why in pushed.items():
        protected.setdefault(artifact, why)
    for pipeline, artifacts in _baselines(graph).items():
        for artifact in artifacts:
            protected.setdefault(artifact, f"latest blessed model of {pipeline}, the next baseline")
    return {a: protected[a] for a in sorted(protected, key=lambda a: a.id)}


def _baselines(graph: Graph) -> dict[str, list[Artifact]]:
    """The model that the resolver takes next in each pipeline, and its blessings."""
    withdrawn = withdrawn_models(graph)
    blessings: dict[int, list[Artifact]] = {}
    for blessing in graph.artifacts_of_type("ModelBlessing"):
        if blessing.properties.get("blessed") == 1 and blessing.state == "live":
            model_id = blessing.properties.get("current_model_id")
            if isinstance(model_id, int):
                blessings.setdefault(model_id, []).append(blessing)
    found = {}
    for model in graph.artifacts_of_type("Model"):  # ascending, so that the latest stays
        is_trusted = model.id not in withdrawn and sample_of(model) is None
        if model.state == "live" and model.id in blessings and is_trusted:
            for pipeline in {e.place.pipeline for e in graph.producers(model)}:
                found[pipeline] = [model, *blessings[model.id]]
    return found


def _kept_artifacts(
    graph: Graph, kept_runs: Collection[str], protected: Iterable[Artifact]
) -> set[Artifact]:
    # An execution without a run is another tool's; what it touched is not ours to judge.
    executions = [
        e for e in graph.all_executions() if not e.place.run_id or e.place.run_id in kept_runs
    ]
    links = graph.links_of_executions(e.id for e in executions)
    starts = [*graph.artifacts(link.artifact_id for link in links), *protected]
    trace = trace_upstream(graph, dict.fromkeys(starts))
    kept = {a for a in trace.artifacts() if a not in trace.not_followed} | set(starts)
    links = graph.links_of_executions(e.id for e in trace.executions())
    return kept.union(graph.artifacts(link.artifact_id for link in links if link.is_output))


def _runs_of(graph: Graph, artifact: Artifact, run_of: Mapping[int, str]) -> tuple[str, ...]:
    links = graph.links_of_artifacts([artifact.id])
    return tuple(dict.fromkeys(run_of[k.execution_id] for k in links if k.execution_id in run_of))


class _Places:
    """Where payloads are, to find those that lie within each other."""

    def __init__(self, artifacts: Sequence[Artifact]):
        self._at: dict[str, Artifact] = {}
        self._above: dict[str, Artifact] = {}
        for artifact in artifacts:
            path = _normal_path(artifact.uri)
            if path is not None:
                self._at.setdefault(str(path), artifact)
                for parent in path.parents:
                    self._above.setdefault(str(parent), artifact)

    def sharing(self, artifact: Artifact) -> Artifact | None:
        """An artifact whose payload is the same, or above or below this one's."""
        path = _normal_path(artifact.uri)
        if path is None:
            return None
        if str(path) in self._above:
            return self._above[str(path)]
        return next((self._at[str(p)] for p in (path, *path.parents) if str(p) in self._at), None)


def _normal_path(uri: str) -> Path | None:
    path = local_path(uri)
    return None if path is None else Path(os.path.normpath(path))
