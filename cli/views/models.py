"""The answer of `fareline models`: as JSON, and as a list of versions per destination.

Called by `cli.models`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.views.on_vertex import deployments_as_json
from fareline.recorded import REASON, USER
from lineage.answers.models.models import ModelRow
from lineage.answers.models.view import models_as_json as rows_as_json
from lineage.facts.models import all_blessed
from lineage.text.flat import number
from lineage.text.harmless import text
from lineage.text.tables import Column, below, fitted, print_line
from lineage.text.times import clock, iso
from runners.publishing.published import Destination, Published

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from runners.platforms.vertex.changes import Deployed

_BLESSED = {True: "yes", False: "no", None: "-"}


def models_as_json(
    rows: Sequence[ModelRow],
    sorted_by: str,
    places: Sequence[Destination],
    deployed: "list[Deployed] | None",
) -> dict[str, Any]:
    """One object; keys are stable.

    `sorted_by`, `metrics` and `models`: see `lineage.answers.models.view.models_as_json`.

    `destinations`, each with `destination`, `live` (number or null) and `versions`, the newest
    first, each with `version`, `state` (`live`, `there`, `gone`, or null if it cannot be read),
    `recorded`, `model`, `run`, `pushed` (when), `metrics`, `blessed` and `verdicts` (by node)
    under which it was pushed, `later_verdicts` (each `by` and `blessed`),
    `spans`, `copy_of`, `by` and `reason` (of a rollback or promote), `withheld` (null or `version`,
    `reason`, `by`, `when`), `pinned`, `traffic` (percent of requests on Vertex AI, as last
    recorded; null if it is not deployed there). `deployed`: see
    `cli.views.on_vertex.deployments_as_json`, and `predictions_unknown_because` (null if they are
    known); only where that was asked.
    """
    content = rows_as_json(rows, sorted_by) | {
        "destinations": [
            {
                "destination": place.base,
                "live": place.live.number if place.live else None,
                "versions": [_version_as_json(version) for version in place.versions],
            }
            for place in places
        ]
    }
    if deployed is None:
        return content
    because = [each.seen.unknown_because for each in deployed if each.seen.unknown_because]
    return content | {
        "deployed": deployments_as_json(deployed),
        "predictions_unknown_because": because[0] if because else None,
    }


def draw_destinations(
    console: "Console", places: Sequence[Destination], root: Path | None = None
) -> None:
    """Prints the versions at each destination, and below them what a person has decided.

    Args:
        console: To print on.
        places: Where models are published.
        root: Folder of the workspace, which paths are shown without; None: whole paths.
    """
    if not places:
        console.print("No version was ever pushed.")
    for place in places:
        console.print(text(below(place.base, root), limit=None), soft_wrap=True)
        console.print(_table(place, console.width))
        for version in place.versions:
            for line in _notes(version):
                print_line(console, text(f"  {version.number}: {line}", limit=None))


def _table(place: Destination, width: int) -> "Text":
    columns = [
        *(Column("version"), Column(""), Column("model", 1)),
        *(Column("pushed (UTC)", 3), Column("blessed", 2)),
    ]
    lines = []
    for version in place.versions:
        row = _version_as_json(version)
        created = version.recorded.artifact.created if version.recorded else None
        cells = [
            str(version.number),
            {"live": "LIVE", "gone": "gone"}.get(row["state"], "")
            or ("" if row["recorded"] else "unknown"),
            row["model"] or "-",
            clock(created) if created else "-",
            _BLESSED[row["blessed"]],
        ]
        lines.append([*map(text, cells)])
    return fitted(columns, lines, width)


def _notes(version: Published) -> list[str]:
    """What the table has no column for, one sentence each."""
    row = _version_as_json(version)
    notes = []
    if row["copy_of"] is not None:
        said = f": {row['reason']}" if row["reason"] else ""
        notes.append(f"copy of {row['copy_of']}, {row['change']} by {row['by']}{said}")
    elif row["withheld"]:
        who, why = row["withheld"]["by"], row["withheld"]["reason"]
        notes.append(f"withheld, {who} rolled back from it: {why}")
    latest = {each["by"].partition("@")[0]: each for each in row["later_verdicts"]}
    for later in latest.values():
        word = {True: "blessed", False: "refused"}.get(later["blessed"], "judged")
        notes.append(f"later {word} by {later['by']}")
    if row["traffic"] is not None:
        notes.append(f"deployed, {row['traffic']} % of the requests")
    if not row["recorded"]:
        notes.append("in the folder, but not recorded")
    return notes


def _version_as_json(version: Published) -> dict[str, Any]:
    record = version.recorded
    model = record.model if record else None
    push = version.push
    by_hand = record.execution if record and record.copy_of is not None else None
    decided = version.withheld
    state = "there" if version.there else None if version.there is None else "gone"
    return {
        "version": version.number,
        "state": "live" if version.live else state,
        "recorded": record is not None,
        "model": model.model.key if model else None,
        "run": (model.facts.run_id or None) if model else None,
        "pushed": iso(record.artifact.created) if record else None,
        "metrics": {n: number(v) for n, v in model.metrics.items()} or None if model else None,
        "blessed": all_blessed(push.judged) if push else None,
        "verdicts": {b.execution.place.node: b.blessed for b in push.judged} if push else {},
        "later_verdicts": [
            {"by": b.execution.key, "blessed": b.blessed} for b in push.later(model.facts.blessings)
        ]
        if push
        else [],
        "spans": model.spans if model else None,
        "copy_of": record.copy_of if record else None,
        "change": by_hand.place.node if by_hand else None,
        "by": by_hand.properties.get(USER) if by_hand else None,
        "reason": (by_hand.properties.get(REASON) or None) if by_hand else None,
        "withheld": {
            "version": decided.version,
            "reason": decided.reason,
            "by": decided.by,
            "when": decided.when,
        }
        if decided
        else None,
        "pinned": version.pinned,
        "traffic": version.percent,
    }
