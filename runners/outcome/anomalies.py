"""The anomalies of a run and the decisions about them, as recorded by DataPolicy, for a reader.

Called by `runners.outcome.summary`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from fareline.recorded.gate import decisions_of as recorded_decisions
from lineage.graph.elements import Artifact
from lineage.text.harmless import text
from lineage.text.tables import Column, fitted

_STYLES = {"stop": "bold red", "warn": "yellow", "ignore": "dim"}
_COLUMNS = (
    *(Column("column"), Column("found"), Column("expected", 2), Column("example", 3)),
    *(Column("rows", 1, right=True), Column("decision")),
)


def decisions_of(decision: Artifact | None) -> list[dict[str, Any]]:
    """The decisions that an artifact records, as plain JSON values."""
    return [each.to_json() for each in recorded_decisions(decision)] if decision else []


def anomalies_table(decisions: Sequence[Mapping[str, Any]], width: int) -> Text:
    """A row for each anomaly: those that stop the run first.

    Args:
        decisions: Decisions, as DataPolicy recorded them.
        width: Width of the terminal.
    """
    lines = []
    order = list(_STYLES)
    for each in sorted(decisions, key=lambda each: order.index(each["action"])):
        rows = "" if each["rows"] is None else f"{each['rows']:,}"
        words = ": ".join(part for part in (each["action"], each["reason"]) if part)
        cells = (each["column"], each["found"], each["expected"], each["example"] or "", rows)
        lines.append([*map(text, cells), text(words, _STYLES[each["action"]])])
    return Text("Anomalies\n", "italic") + fitted(_COLUMNS, lines, width)
