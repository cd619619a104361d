"""The answer of `fareline status`: as JSON, and as a few lines.

Called by `cli.status`.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fareline.recorded.drift import drifted_of
from lineage.answers.models.versions import PushedVersion
from lineage.facts.runs import RUNNING, Run, run_as_json
from lineage.graph.elements import Artifact
from lineage.text.harmless import text
from lineage.text.tables import below
from lineage.text.times import duration
from runners.publishing.published import Destination

if TYPE_CHECKING:
    from rich.console import Console

_RECORD = "record"  # the policy of a measure that is to alarm nobody


def status_as_json(
    places: Iterable[Destination], last: Run | None, drift: Artifact | None
) -> dict[str, Any]:
    """One object; keys are stable.

    `live`: of each destination with a live version `destination`, `version`, `model` (null where
    nothing is recorded); `last_run`: as in `runs`, or null; `running`: `node` and `seconds` of each
    of its nodes at work; `alarms`: `against`, `column`, `policy` and `said` of each measure that
    has drifted in it, but those that are only recorded.
    """
    nodes = last.nodes if last else ()
    found = drifted_of(drift) if drift else ()
    return {
        "live": [
            {
                "destination": place.base,
                "version": place.live.number,
                "model": _model(place.live.recorded),
            }
            for place in places
            if place.live
        ],
        "last_run": run_as_json(last) if last else None,
        "running": [
            {"node": node.node, "seconds": round(node.seconds, 3)}
            for node in nodes
            if node.state == RUNNING
        ],
        "alarms": [dataclasses.asdict(each) for each in found if each.policy != _RECORD],
    }


def _model(recorded: PushedVersion | None) -> str | None:
    return recorded.model.model.key if recorded and recorded.model else None


def draw_status(console: "Console", status: dict[str, Any], root: Path | None = None) -> None:
    """Prints a line for each.

    Args:
        console: To print on.
        status: Answer of `status_as_json`.
        root: Folder of the workspace, which paths are shown without; None: whole paths.
    """
    for place in status["live"] or [None]:
        said = "none" if place is None else f"{place['version']} ({place['model'] or 'unrecorded'})"
        where = f" in {below(place['destination'], root)}" if place else ""
        console.print(text(f"live      {said}{where}", limit=None))
    run = status["last_run"]
    said = "none"
    if run is not None:
        came = f", {run['outcome']}" if run["outcome"] else ""
        said = f"{run['run_id']} {run['status']}{came} after {duration(run['seconds'])}"
        said += f" (sample of {run['sample']:,} rows)" if run["sample"] is not None else ""
    console.print(text(f"last run  {said}"))
    running = [f"{node['node']} ({duration(node['seconds'])})" for node in status["running"]]
    console.print(text(f"running   {', '.join(running) or 'nothing'}"))
    alarms = [f"{alarm['column']}: {alarm['said']}" for alarm in status["alarms"]]
    for alarm in alarms or ["none"]:
        console.print(text(f"alarm     {alarm}", limit=None))
