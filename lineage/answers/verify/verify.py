"""Checks that a store and the disk agree, and finds leftovers of a crash.

Called by `cli.lineage.inputs`. Writes no files; findings have advice.
"""

import dataclasses
import datetime
from collections.abc import Sequence

from lineage.answers.verify.findings import ERROR, NOTE, SEVERITIES, WARNING, Finding
from lineage.answers.verify.payloads import (
    Checker,
    ServingFolder,
    check_published,
    check_pushes,
    check_sources,
)
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph

_BEYOND = 1_000  # ids above the highest one that are asked for events too
_BATCH = 5_000


@dataclasses.dataclass(frozen=True)
class Verification:
    """The checks and findings of `verify`.

    Attributes:
        findings: Errors first, then by id in the store.
        artifacts: Looked at.
        executions: Looked at.
        events: Between them; those that are no lineage are left out.
        hashed: Files and folders whose SHA-256 was compared.
        not_looked_at: Artifacts that are remote, or whose URI is relative.
    """

    findings: tuple[Finding, ...]
    artifacts: int
    executions: int
    events: int
    hashed: int
    not_looked_at: int

    def count(self, severity: str) -> int:
        """Number of findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)


def verify(
    graph: Graph,
    now: int,
    hashing: bool = True,
    stale_hours: float = 24,
    folders: Sequence[ServingFolder] = (),
) -> Verification:
    """Checks a whole store.

    Args:
        graph: Graph of the store, which is read completely.
        now: Milliseconds since 1970.
        hashing: Whether contents are compared where a digest is recorded.
        stale_hours: Age in hours from which an execution marked as running counts as dead; 0 if no
            execution can be running.
        folders: Serving folders whose versions are to be in the store.
    """
    graph.read_all()
    graph.all_executions()  # reads all their places at once, not one after the other
    checker = Checker(hashing)
    findings: list[Finding] = []
    for artifact in graph.all_artifacts():
        findings += checker.check_artifact(artifact)
        findings += _check_state(graph, artifact, now, stale_hours)
    findings += check_sources(graph, checker)
    findings += check_pushes(graph, checker)
    findings += check_published(graph, folders)
    findings += _check_running(graph, now, stale_hours)
    findings += _check_events(graph)
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Verification(
        tuple(findings),
        len(graph.all_artifacts()),
        len(graph.all_executions()),
        len(graph.links_of_executions(e.id for e in graph.all_executions())),
        checker.hashed,
        checker.not_looked_at,
    )


def _check_state(graph: Graph, artifact: Artifact, now: int, stale_hours: float) -> list[Finding]:
    if artifact.state == "pending":
        makers = graph.producers(artifact)
        if any(_is_fresh(maker, now, stale_hours) for maker in makers):
            return []
        what = "is PENDING, and nothing is running that would complete it"
        do = "no action: TFX does not use it; `lineage prune` removes it with its run"
        return [Finding(WARNING, "artifact_pending", artifact.key, what, do)]
    if artifact.state == "marked_for_deletion":
        what = "is MARKED_FOR_DELETION, which no part of TFX carries out"
        do = "`lineage prune` removes it with its run"
        return [Finding(WARNING, "artifact_marked", artifact.key, what, do)]
    return []


def _is_fresh(execution: Execution, now: int, stale_hours: float) -> bool:
    return execution.state == "running" and now - execution.updated < stale_hours * 3_600_000


def _check_running(graph: Graph, now: int, stale_hours: float) -> list[Finding]:
    """Executions that a crash left as running, and those that may really run."""
    running = [e for e in graph.all_executions() if e.state == "running"]
    if not running:
        return []
    newest: dict[str, str] = {}
    first_of: dict[str, Execution] = {}
    for execution in graph.all_executions():
        first_of.setdefault(execution.place.run_id, execution)
    for run in graph.places.run_contexts():
        if run in first_of:
            newest[first_of[run].place.pipeline] = run
    do = "nothing was lost but its work; the next `fareline run` here marks it as failed"
    findings = []
    for execution in running:
        since = f"is marked as running since {_time(execution.created)}"
        ended = graph.places.record(execution.place.run_id).ended
        newer = newest.get(execution.place.pipeline, "")
        if ended is not None:
            because = f"its run ended {_time(ended)}"
        elif newer and newer != execution.place.run_id:
            because = f"{newer} of the same pipeline was started since"
        elif not _is_fresh(execution, now, stale_hours):
            because = f"it has not changed for {_hours(now - execution.updated)}"
            if not stale_hours:
                because = "no run is at work here"
        else:
            what = f"{since}, by a run that may be at work"
            do_note = "no action while the run is active"
            findings.append(Finding(NOTE, "running", execution.key, what, do_note))
            continue
        what = f"{since}, and a crash left it so: {because}"
        findings.append(Finding(ERROR, "abandoned", execution.key, what, do))
    return findings


def _check_events(graph: Graph) -> list[Finding]:
    """Events that point to no artifact or execution.

    ML Metadata declares no foreign keys: rows deleted by hand, or a copy of some of the tables,
    leave such events, and no reader complains. Those with one end are among the links that were
    read; for those with none, ids that the store lacks are asked for.
    """
    artifacts = {artifact.id for artifact in graph.all_artifacts()}
    executions = {execution.id for execution in graph.all_executions()}
    found = {
        (link.artifact_id, link.execution_id)
        for link in (*graph.links_of_executions(executions), *graph.links_of_artifacts(artifacts))
        if link.artifact_id not in artifacts or link.execution_id not in executions
    }
    for ids, ask in (
        (artifacts, graph.store.get_events_by_artifact_ids),
        (executions, graph.store.get_events_by_execution_ids),
    ):
        lacking = sorted(set(range(1, max(ids, default=0) + _BEYOND)) - ids)
        for start in range(0, len(lacking), _BATCH):
            for event in ask(lacking[start : start + _BATCH]):
                found.add((event.artifact_id, event.execution_id))
    findings = []
    names = {a.id: a.key for a in graph.all_artifacts()}
    names_of_executions = {e.id: e.key for e in graph.all_executions()}
    for artifact_id, execution_id in sorted(found):
        lost = []
        if artifact_id not in artifacts:
            lost.append(f"artifact {artifact_id}")
        if execution_id not in executions:
            lost.append(f"execution {execution_id}")
        known = names.get(artifact_id) or names_of_executions.get(execution_id) or "event"
        what = f"an event links it with {' and '.join(lost)}, of which the store has nothing"
        if known == "event":
            what = f"an event links {' and '.join(lost)}, and the store has neither"
        do = "restore the store from a backup; rows were deleted by hand or copied in part"
        findings.append(Finding(ERROR, "orphan_event", known, what, do))
    return findings


def _time(milliseconds: int) -> str:
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _hours(milliseconds: int) -> str:
    hours = milliseconds / 3_600_000
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours"
