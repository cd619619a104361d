"""Answers as text and as JSON. Imports rich only when a table is asked for."""

import datetime
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lineage.runs import Run

if TYPE_CHECKING:
    from rich.table import Table


def runs_as_json(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """One object per run."""
    return [
        {
            "run_id": run.run_id,
            "pipeline": run.pipeline,
            "started": _utc(run.started).isoformat(),
            "seconds": round(run.seconds, 3),
            "status": run.status,
            "nodes": [
                {"name": n.node, "state": n.state, "seconds": round(n.seconds, 3)}
                for n in run.nodes
            ],
        }
        for run in runs
    ]


def runs_as_table(runs: Sequence[Run]) -> "Table":
    """A table, one line per run."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("run", "pipeline", "started (UTC)", "status"):
        table.add_column(name, no_wrap=True)
    for name in ("executed", "cached", "failed", "seconds"):
        table.add_column(name, justify="right")
    for run in runs:
        count = Counter(node.state for node in run.nodes)
        table.add_row(
            run.run_id,
            run.pipeline,
            f"{_utc(run.started):%Y-%m-%d %H:%M:%S}",
            run.status,
            *(str(count[state]) for state in ("executed", "cached", "failed")),
            f"{run.seconds:.1f}",
        )
    return table


def _utc(milliseconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
