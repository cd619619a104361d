"""The answer of `verify`: as JSON, and drawn for a reader."""

import dataclasses
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineage.answers.verify.findings import ERROR, NOTE, WARNING
from lineage.answers.verify.verify import Verification
from lineage.text.harmless import text
from lineage.text.tables import below

if TYPE_CHECKING:
    from rich.console import Console


_STYLES = {ERROR: "red", WARNING: "yellow", NOTE: "dim"}


_SHOWN_FINDINGS = 50


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


def draw_verification(console: "Console", found: Verification, root: Path | None = None) -> None:
    """Prints the findings, grouped by what is to be done; of many alike the first.

    Args:
        console: To print on.
        found: By the check.
        root: Folder of the workspace, which paths are shown without; None: whole paths.
    """
    shown: Counter = Counter()
    totals = Counter(finding.check for finding in found.findings)
    for finding in found.findings:
        shown[finding.check] += 1
        if shown[finding.check] > _SHOWN_FINDINGS:
            continue
        line = f"{finding.severity:8} {below(finding.id, root)}: {finding.what}"
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
