"""The anomalies of a run and what became of them, as DataPolicy recorded it, for a reader.

Called by `runners.outcome.summary`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from fareline.recorded.gate import decisions_of as recorded_decisions
from lineage.graph.elements import Artifact
from lineage.text.harmless import plain

_STYLES = {"stop": "bold red", "warn": "yellow", "ignore": "dim"}
_COLUMNS = ("column", "found", "expected", "example", "rows", "decision")


def decisions_of(decision: Artifact | None) -> list[dict[str, Any]]:
    """The decisions that an artifact records, as plain JSON values."""
    return [each.to_json() for each in recorded_decisions(decision)] if decision else []


def anomalies_table(decisions: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each anomaly: those that stop the run first."""
    table = Table(title="Anomalies", title_justify="left", box=None)
    for name in _COLUMNS:
        table.add_column(name, justify="right" if name == "rows" else "left")
    order = list(_STYLES)
    for each in sorted(decisions, key=lambda each: order.index(each["action"])):
        rows = "" if each["rows"] is None else f"{each['rows']:,}"
        words = ": ".join(part for part in (each["action"], each["reason"]) if part)
        cells = (each["column"], each["found"], each["expected"], each["example"] or "", rows)
        table.add_row(
            *(Text(plain(cell)) for cell in cells), Text(plain(words), _STYLES[each["action"]])
        )
    return table
