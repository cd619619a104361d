"""The answer of `prune`: as JSON, and drawn for a reader."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineage.answers.prune.prune import Plan, Pruned
from lineage.text.harmless import text
from lineage.text.tables import Column, below, print_line, print_table

if TYPE_CHECKING:
    from rich.console import Console


_SHOWN_PRUNED = 40


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
        "checkpoints": [dataclasses.asdict(file) for file in plan.checkpoints],
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
    console: "Console",
    plan: Plan,
    done: bool,
    failed: Sequence[tuple[str, str]],
    root: Path | None = None,
) -> None:
    """Prints the payloads to delete, or the deleted ones, and the kept ones with reasons.

    Args:
        console: To print on.
        plan: Plan of the prune.
        done: Whether the payloads were deleted.
        failed: Payloads that could not be removed, with the reason.
        root: Folder of the workspace, which paths are shown without; None: whole paths.
    """
    entries = [*plan.unfinished, *plan.pruned]
    if entries:
        rows = []
        for entry in entries[:_SHOWN_PRUNED]:
            first = entry.runs[0] if entry.runs else ""
            runs = f"{first} and {len(entry.runs) - 1} more" if len(entry.runs) > 1 else first
            place = below(entry.artifact.uri, root)
            rows.append((entry.artifact.key, runs, f"{entry.bytes:,}", place))
        columns = (Column("bytes", right=True), Column("payload", is_path=True))
        print_table(console, ("artifact", Column("runs", 1), *columns), rows)
    if len(entries) > _SHOWN_PRUNED:
        console.print(text(f"… and {len(entries) - _SHOWN_PRUNED:,} more (--json lists all)"))
    protected = [*plan.protected.items()]
    for artifact, why in protected[-_SHOWN_PRUNED:]:
        where = why.replace(f"{root}/", "") if root else why
        said = f"kept with everything upstream: {artifact.key}, {where}"
        print_line(console, text(said, limit=None))
    if len(protected) > _SHOWN_PRUNED:
        console.print(text(f"… and {len(protected) - _SHOWN_PRUNED:,} more (--json lists all)"))
    for why, count in Counter(plan.left.values()).items():
        console.print(text(f"left: {count:,} of the runs to prune: {why}"))
    for uri, why in failed:
        print_line(console, text(f"could not be removed: {uri}: {why}", "red", limit=None))
    runs = f"runs kept: {len(plan.kept_runs):,}, older ones: {len(plan.pruned_runs):,}"
    went = "removed" if done else "to remove"
    total = f"{runs}; artifacts {went}: {len(plan.pruned):,}, bytes: {plan.bytes:,}"
    if plan.unfinished:
        total += f"; payloads that an earlier prune left: {len(plan.unfinished):,}"
    if plan.quarantines:
        total += f"; files of quarantined rows: {len(plan.quarantines):,}"
    if plan.checkpoints:
        total += f"; checkpoints: {len(plan.checkpoints):,}"
    console.print(text(total, "bold"))
    if not done and plan.uris:
        console.print(text("No payload was deleted; --yes deletes them."))
