"""The drift that DriftMonitor recorded in a run, for a reader.

Called by `runners.outcome.summary`.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from fareline.recorded import DRIFTED, REFERENCE, REFERENCE_SPAN
from fareline.recorded.drift import drifted_of
from lineage.graph.elements import Artifact
from lineage.text.harmless import plain, text
from lineage.text.tables import Column, fitted

_STYLES = {"stop": "bold red", "retune": "yellow", "warn": "yellow", "record": "dim"}
_WORDS = {"previous": "previous data", "serving": "training data (requests)"}


def drift_of(drift: Artifact | None) -> dict[str, Any] | None:
    """The record of an artifact: `reference`, `reference_span`, `drifted`; None without one."""
    if drift is None:
        return None
    return {
        REFERENCE: drift.properties.get(REFERENCE) or None,
        REFERENCE_SPAN: drift.properties.get(REFERENCE_SPAN) or None,
        DRIFTED: [dataclasses.asdict(each) for each in drifted_of(drift)],
    }


def show_drift(drift: Mapping[str, Any], width: int) -> Iterator[RenderableType]:
    """One line, and a row of a table for each measure that has drifted, but those only recorded.

    Args:
        drift: From `drift_of`.
        width: Width of the terminal.
    """
    shown = [each for each in drift[DRIFTED] if each["policy"] != "record"]
    recorded = len(drift[DRIFTED]) - len(shown)
    if drift[REFERENCE] is None:
        said = "no earlier data to compare with"
    else:
        span = drift[REFERENCE_SPAN]
        before = f"span {span}" if span else "the previous data"
        columns = {each["column"] for each in shown if each["against"] == "previous"}
        number = f"{len(columns)} column{'s' * (len(columns) != 1)}" if columns else "none"
        said = f"{number} against {before} ({plain(drift[REFERENCE])})"
    if recorded:
        said += f"; {recorded} more only recorded"
    yield Text(f"Drift: {said}")
    if not shown:
        return
    columns = (Column("column"), Column("against", 1), Column("what has changed"), Column("policy"))
    lines = []
    for each in sorted(shown, key=lambda each: list(_STYLES).index(each["policy"])):
        cells = (each["column"], _WORDS[each["against"]], each["said"])
        lines.append([*map(text, cells), text(each["policy"], _STYLES[each["policy"]])])
    yield fitted(columns, lines, width)
