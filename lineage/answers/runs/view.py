"""The runs of a store as JSON and as a table. Imports rich only when a table is asked for.

Called by cli.lineage.runs.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fareline.recorded.data import spans_in_words, spans_of
from lineage.facts.runs import Run, run_as_json
from lineage.graph.elements import Artifact
from lineage.text.harmless import text
from lineage.text.tables import Column, fitted
from lineage.text.times import clock, duration

if TYPE_CHECKING:
    from rich.text import Text

_STYLES = {"failed": "red", "running": "cyan", "unfinished": "yellow", "complete": ""}
_NONE = "-"
_NAME_LIMIT = 60
_COLUMNS = (
    *(Column("run"), Column("pipeline", 9), Column("started (UTC)", 6), Column("took", 5, True)),
    *(Column("status", 1), Column("executed", 7, True), Column("cached", 7, True)),
    *(Column("failed", 8, True), Column("span", 6), Column("model", 3), Column("blessed", 2)),
    Column("pushed", 1),
)


def runs_as_json(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One object per run; see `run_as_json`."""
    return [run_as_json(run) for run in runs]


def runs_as_table(runs: Sequence[Run], width: int) -> "Text":
    """Aligned columns, one line per run if the width allows.

    Args:
        runs: In order.
        width: Width of the terminal.
    """
    return fitted(_COLUMNS, [*map(_row, runs)], width)


def _row(run: Run) -> list["Text"]:
    count = Counter(node.state for node in run.nodes)
    return [
        text(run.run_id, limit=_NAME_LIMIT),
        text(_pipeline(run), limit=_NAME_LIMIT),
        text(clock(run.started)),
        text(duration(run.seconds)),
        text(run.status, _STYLES[run.status]),
        *(text(count[state]) for state in ("executed", "cached", "failed")),
        text(_data(run), limit=_NAME_LIMIT),
        text(", ".join(model.key for model in run.models) or _NONE, limit=_NAME_LIMIT),
        text(_blessed(run), "yellow" if run.refused_by else "", _NAME_LIMIT),
        text(_pushed(run), limit=_NAME_LIMIT),
    ]


def _pipeline(run: Run) -> str:
    """Its name, with `training` and `part`; the data pipeline has a name of its own."""
    training = run.graph == "training"
    kinds = [*(["training"] if training else []), *(["part"] if run.is_part else [])]
    return f"{run.pipeline} ({', '.join(kinds)})" if kinds else run.pipeline


def _data(run: Run) -> str:
    spans = ", ".join(dict.fromkeys(map(_span, run.examples))) or _NONE
    return spans if run.sample is None else f"{spans} (sample of {run.sample:,})"


def _span(examples: Artifact) -> str:
    """The span, and the version if it is not 0; of several spans the first and the last."""
    if len(spans_of(examples)) > 1:
        return spans_in_words(examples)
    span, version = examples.properties.get("span"), examples.properties.get("version")
    if span is None:
        return "?"
    return f"{span} v{version}" if version not in (None, 0, "0") else str(span)


def _blessed(run: Run) -> str:
    if run.blessed is None:
        return _NONE
    return "yes" if run.blessed else f"no: {', '.join(run.refused_by)}"


def _pushed(run: Run) -> str:
    shown = []
    for push in run.pushed:
        where = " (live)" if push.live else f" (live as {push.live_as})" if push.live_as else ""
        shown.append(f"{push.version or 'yes'}{where}")
    return ", ".join(shown) or _NONE
