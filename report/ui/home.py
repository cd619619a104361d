"""The home: every run as a row of plain values, which the script of the page sorts and filters."""

import html
import threading
from collections.abc import Mapping
from typing import Any

from lineage.facts.failures import failure_of
from lineage.facts.pushes import live_pushes, was_there_already
from lineage.facts.runs import FAILED, RUNNING, UNFINISHED, Run, read_runs
from lineage.graph.graph import Graph
from report.overview import RunRow
from report.page import as_data, fill, page_head, read_web

_ICON = "<path d='M2 4h12M2 8h12M2 12h8' stroke='#5b7fe0' stroke-width='2'/>"
# Of runs that say nothing of their end, the newest may still be at work.
_MAYBE_AT_WORK = 20


class Rows:
    """The rows of a store. Ended runs are read once, unless another model has become live."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, Any]] = {}
        self._live: tuple[int, ...] = ()

    def read(self, graph: Graph, limit: int | None = None) -> list[dict[str, Any]]:
        """All rows, the latest first.

        Args:
            graph: Lineage graph of the store as it is now.
            limit: Largest number of runs; None: all.
        """
        names = [*reversed(graph.places.run_contexts())][:limit]
        live = tuple(artifact.id for artifact in live_pushes(graph).values())
        with self._lock:
            if live != self._live:
                self._known, self._live = {}, live
            rows = {name: self._known[name] for name in names if name in self._known}
            for run in read_runs(graph, [name for name in names if name not in rows]):
                rows[run.run_id] = row_of(RunRow.of(run), graph)
                if run.outcome or run.run_id not in names[:_MAYBE_AT_WORK]:
                    self._known[run.run_id] = rows[run.run_id]
        return [rows[name] for name in names]


def row_of(row: RunRow, graph: Graph) -> dict[str, Any]:
    """A row as the script of the page reads it."""
    run = row.run
    return {
        "id": run.run_id,
        "pipeline": run.pipeline,
        "started": run.started,
        "seconds": round(run.seconds, 1),
        "outcome": row.outcome,
        "at_work": is_at_work(run),
        "said": _said(run, graph),
        "span": row.span,
        "model": row.model,
        "version": row.version,
        "pushed_again": was_there_already(push.artifact for push in run.pushed),
        "live": row.is_live,
        "metrics": _finite(row.metrics),
        "hyperparameters": _finite(row.hyperparameters),
    }


def is_at_work(run: Run) -> bool:
    """Whether a run may still change: it is running, or was killed, which the store cannot tell."""
    return run.status in (RUNNING, UNFINISHED)


def _said(run: Run, graph: Graph) -> str:
    """How far a run is that is at work; what a failed one failed with; who refused the model."""
    if is_at_work(run):
        done = sum(node.state in ("executed", "cached") for node in run.nodes)
        now = [node.node for node in run.nodes if node.state == "running"]
        return f"{done} of {len(run.nodes) + len(run.missing)} nodes" + (
            f"; now {', '.join(now)}" if now else ""
        )
    if run.status == FAILED:
        ids = [node.execution_id for node in run.nodes if node.state == "failed"]
        for execution in graph.executions(ids):
            failure = failure_of(execution)
            return f"{execution.place.node}: {failure.error if failure else 'no reason was kept'}"
    return ", ".join(run.refused_by)


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no infinite numbers, and what is none of its types becomes text."""
    return {
        name: value
        if isinstance(value, str | bool | int) or (isinstance(value, float) and abs(value) < 1e308)
        else str(value)
        for name, value in values.items()
    }


def home_page(name: str, content: Mapping[str, Any]) -> str:
    """The page, with the rows that are known by now.

    Args:
        name: Name of the workspace, or of the store.
        content: Content of `/runs.json`.
    """
    styles = [read_web("report.ui", "home.css")]
    scripts = [read_web("report.ui", "home.js")]
    return fill(
        read_web("report.ui", "home.html"),
        {
            "head": page_head(f"Runs · {name}", _ICON, styles, scripts, served=True),
            "scripts": "".join(f"<script>{script}</script>\n" for script in scripts),
            "name": html.escape(name),
            "content": as_data(content),
        },
    )
