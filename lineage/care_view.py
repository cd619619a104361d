"""The answers of `inputs`, `verify`, `prune` and `explain-cache`: as JSON, and drawn for a reader.

Called by `runners.lineage_commands.care`.
"""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lineage.caching import Explanation
from lineage.findings import ERROR, NOTE, WARNING
from lineage.inputs import Inputs, parameter_text
from lineage.prune import Plan, Pruned
from lineage.text import text
from lineage.verify import Verification

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STYLES = {ERROR: "red", WARNING: "yellow", NOTE: "dim"}
_WORDS = {
    "there": "there",
    "missing": "missing",
    "not_looked_at": "not looked at",
    "not_recorded": "not recorded",
    "same": "same",
    "differs": "differs",
    "touched": "same number and bytes, other times of change",
}
_SHOWN_FINDINGS = 50
_SHOWN_PRUNED = 40


def draw_inputs(console: "Console", found: Inputs) -> None:
    """Prints what an execution read, and whether it is still so."""
    from rich.table import Table

    console.print(text(f"{found.execution.key}  {found.execution.state}", style="bold"))
    if found.reader != found.execution:
        console.print(text(f"  took over what {found.reader.key} made; that one read:"))
    if found.inputs:
        table = Table("input", "id", "payload", "bytes", "SHA-256", "URI", box=None)
        _never_cut(table)
        for entry in found.inputs:
            words = _WORDS[entry.payload.status], _WORDS[entry.checksum]
            size = f"{entry.payload.bytes:,}" if entry.payload.bytes else ""
            cells = (entry.key, entry.artifact.key, words[0], size, words[1], entry.artifact.uri)
            table.add_row(*(text(cell) for cell in cells), style="red" if entry.changed else "")
        console.print(table)
    if found.files:
        table = Table("file", "bytes", "SHA-256", "now", box=None)
        _never_cut(table)
        for file in found.files:
            cells = (file.path, f"{file.bytes:,}", file.sha256[:12], _WORDS[file.status])
            changed = file.status in ("differs", "missing")
            table.add_row(*(text(cell) for cell in cells), style="red" if changed else "")
        console.print(table)
    if found.fingerprint:
        status = _WORDS[found.fingerprint.status]
        console.print(text(f"  files: {status}; no SHA-256 of them was recorded"))
        console.print(text(f"    recorded {found.fingerprint.recorded}"))
        if found.fingerprint.now not in ("", found.fingerprint.recorded):
            console.print(text(f"    now      {found.fingerprint.now}"))
    if not found.inputs and not found.files and not found.fingerprint:
        console.print(text("  no inputs are recorded"))
    for name, splits in found.splits.items():
        console.print(text(f"  splits of {name}: {', '.join(splits)}"))
    for name, value in found.parameters.items():
        console.print(text(f"  {name} = {parameter_text(value)}"))
    verdict = "something differs or is gone" if found.changed else "all is as it was"
    console.print(text(verdict, style="red" if found.changed else "green"))


def _never_cut(table: "Table") -> None:
    """In a narrow terminal ids and paths go on in the next line, for them to be copied whole."""
    for column in table.columns:
        column.overflow = "fold"


def verification_as_json(found: Verification) -> dict[str, Any]:
    """`findings` (`severity`, `check`, `id`, `what`, `do`), and counts of what was looked at."""
    return {
        "errors": found.count(ERROR),
        "warnings": found.count(WARNING),
        "notes": found.count(NOTE),
        "artifacts": found.artifacts,
        "executions": found.executions,
        "events": found.events,
        "hashed": found.hashed,
        "not_looked_at": found.not_looked_at,
        "findings": [dataclasses.asdict(finding) for finding in found.findings],
    }


def draw_verification(console: "Console", found: Verification) -> None:
    """Prints the findings, grouped by what is to be done; of many alike the first."""
    shown: Counter = Counter()
    totals = Counter(finding.check for finding in found.findings)
    for finding in found.findings:
        shown[finding.check] += 1
        if shown[finding.check] > _SHOWN_FINDINGS:
            continue
        line = f"{finding.severity:8} {finding.id}: {finding.what}"
        console.print(text(line, _STYLES[finding.severity], limit=None))
        if shown[finding.check] == min(totals[finding.check], _SHOWN_FINDINGS):
            rest = totals[finding.check] - _SHOWN_FINDINGS
            more = f"… and {rest:,} more alike (--json lists all). " if rest > 0 else ""
            console.print(text(f"         {more}To do: {finding.do}.", limit=None))
    looked = (
        f"{found.artifacts:,} artifacts, {found.executions:,} executions, {found.events:,} events; "
        f"{found.hashed:,} compared by SHA-256"
    )
    if found.not_looked_at:
        looked += f"; {found.not_looked_at:,} artifacts not looked at: remote, or a relative URI"
    console.print(text(looked))
    counts = [(found.count(s), s) for s in (ERROR, WARNING, NOTE)]
    words = ", ".join(f"{n} {name}{'' if n == 1 else 's'}" for n, name in counts)
    console.print(text(words, "red" if found.count(ERROR) else "green"))


def plan_as_json(plan: Plan, done: bool, failed: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """`done` says whether it was carried out; `failed` what is there still, and why."""
    return {
        "done": done,
        "bytes": plan.bytes,
        "kept_runs": plan.kept_runs,
        "pruned_runs": plan.pruned_runs,
        "artifacts": [_pruned_as_json(entry) for entry in plan.pruned],
        "unfinished": [_pruned_as_json(entry) for entry in plan.unfinished],
        "quarantines": [dataclasses.asdict(file) for file in plan.quarantines],
        "protected": [{"id": a.key, "why": why} for a, why in plan.protected.items()],
        "left": [{"id": a.key, "why": why} for a, why in plan.left.items()],
        "failed": [{"uri": uri, "why": why} for uri, why in failed],
    }


def _pruned_as_json(entry: Pruned) -> dict[str, Any]:
    artifact = entry.artifact
    return {
        "id": artifact.key,
        "runs": list(entry.runs),
        "uri": artifact.uri,
        "bytes": entry.bytes,
    }


def draw_plan(
    console: "Console", plan: Plan, done: bool, failed: Sequence[tuple[str, str]]
) -> None:
    """Prints what would go, or has gone, and what stays and why."""
    from rich.table import Table

    entries = [*plan.unfinished, *plan.pruned]
    if entries:
        table = Table("artifact", "runs", "bytes", "payload", box=None)
        _never_cut(table)
        for entry in entries[:_SHOWN_PRUNED]:
            first = entry.runs[0] if entry.runs else ""
            runs = f"{first} and {len(entry.runs) - 1} more" if len(entry.runs) > 1 else first
            cells = (entry.artifact.key, runs, f"{entry.bytes:,}", entry.artifact.uri)
            table.add_row(*(text(cell) for cell in cells))
        console.print(table)
    if len(entries) > _SHOWN_PRUNED:
        console.print(text(f"… and {len(entries) - _SHOWN_PRUNED:,} more (--json lists all)"))
    protected = [*plan.protected.items()]
    for artifact, why in protected[-_SHOWN_PRUNED:]:
        console.print(text(f"kept with all that it came from: {artifact.key}, {why}"))
    if len(protected) > _SHOWN_PRUNED:
        console.print(text(f"… and {len(protected) - _SHOWN_PRUNED:,} more (--json lists all)"))
    for why, count in Counter(plan.left.values()).items():
        console.print(text(f"left: {count:,} of the runs to prune: {why}"))
    for uri, why in failed:
        console.print(text(f"could not be removed: {uri}: {why}", "red"))
    runs = f"runs kept: {len(plan.kept_runs):,}, older ones: {len(plan.pruned_runs):,}"
    went = "removed" if done else "to remove"
    total = f"{runs}; artifacts {went}: {len(plan.pruned):,}, bytes: {plan.bytes:,}"
    if plan.unfinished:
        total += f"; payloads that an earlier prune left: {len(plan.unfinished):,}"
    if plan.quarantines:
        total += f"; files of quarantined rows: {len(plan.quarantines):,}"
    console.print(text(total, "bold"))
    if not done and plan.uris:
        console.print(text("Nothing was done; --yes does it."))


def explanations_as_json(chain: Sequence[Explanation]) -> dict[str, Any]:
    """The asked execution, and `chain`: the root causes first, the asked execution last."""
    asked = chain[-1]
    return {
        "execution": asked.execution.key,
        "state": asked.execution.state,
        "reason": asked.reason,
        "root_causes": [e.execution.key for e in root_causes(chain)],
        "chain": [_explanation_as_json(explanation) for explanation in chain],
    }


def root_causes(chain: Sequence[Explanation]) -> list[Explanation]:
    """Those explanations that are not only the consequence of another in the chain."""
    return [
        explanation
        for explanation in chain
        if not explanation.differences or any(not d.upstream for d in explanation.differences)
    ]


def _explanation_as_json(explanation: Explanation) -> dict[str, Any]:
    earlier = explanation.compared_with
    return {
        "execution": explanation.execution.key,
        "state": explanation.execution.state,
        "reason": explanation.reason,
        "text": explanation.text,
        "compared_with": earlier.key if earlier else None,
        "differences": [
            {
                "kind": difference.kind,
                "name": difference.name,
                "was": difference.was,
                "now": difference.now,
                "text": difference.text,
                "upstream": difference.upstream.key if difference.upstream else None,
            }
            for difference in explanation.differences
        ],
    }


def draw_explanations(console: "Console", chain: Sequence[Explanation]) -> None:
    """Prints the causes in order, the root first."""
    for number, explanation in enumerate(chain, 1):
        execution = explanation.execution
        step = f"{number}. " if len(chain) > 1 else ""
        style = "bold" if explanation is chain[-1] else ""
        against = explanation.compared_with
        compared = f" (compared with {against.key})" if against and explanation.differences else ""
        console.print(text(f"{step}{execution.key} {execution.state}{compared}", style))
        if not explanation.differences:
            console.print(text(f"   {explanation.text}", limit=None))
        for words in dict.fromkeys(difference.text for difference in explanation.differences):
            console.print(text(f"   {words}", limit=None))
