"""The answer of `lineage impact`: as JSON, and drawn for a reader with the verdict first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineage.answers.impact.impact import AffectedModel, Impact
from lineage.facts.models import ModelFacts
from lineage.facts.relations import BASELINE, EVALUATED, ITSELF
from lineage.text.harmless import plain, text
from lineage.text.tables import Column, below, fitted, print_line
from lineage.text.times import clock, iso

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_SHOWN_STARTS = 5


def verdict(impact: Impact, root: Path | None = None) -> str:
    """One line: how many models learned from the source, and where a live one is.

    Args:
        impact: Result to show.
        root: See `draw_impact`.
    """
    count = len(impact.learned)
    asked = plain(below(impact.origin.text, root))
    itself = any(model.relation == ITSELF for model in impact.learned)
    words = f"learned from {asked}" if not itself else f"are {asked} or learned from it"
    if itself and count == 1:
        words = f"is {asked}, none learned from it"
    first = f"{_counted(count, 'model')} {words}"
    if not count:
        first = f"no model learned from {asked}"
    places = sorted({plain(below(place, root)) for model in impact.live for place in model.live_at})
    if places:
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        live = len(impact.live)
        second = f"{live} {'is' if live == 1 else 'are'} live at {places[0]}{more}"
    else:
        second = "none of them is live" if count else "none is live"
    rest = Counter(model.relation for model in impact.models if not model.learned)
    judged = [f"{rest[EVALUATED]} only evaluated on this data"] if rest[EVALUATED] else []
    judged += [f"{rest[BASELINE]} only compared with such models"] if rest[BASELINE] else []
    return "; ".join([first, second, *judged])


def shown_models(impact: Impact) -> list[AffectedModel]:
    """The models that a table lists: those far along the chain of baselines are only counted."""
    return [model for model in impact.models if not model.is_far]


def impact_as_json(impact: Impact, facts: Mapping[int, ModelFacts]) -> dict[str, Any]:
    """One object; keys are stable.

    `asked`, `matched_by`, `notes`, `starts`, `verdict`, `live` (whether a live model
    learned from it),
    `counts`, `models` (each with `relation`, `relations`, `distance`, `learned`, `blessings`,
    `pushes`, `runs`, `live`), `reached` (artifact type to number), `unfinished` (executions).
    """
    relations = Counter(model.relation for model in impact.models)
    return {
        "asked": impact.origin.text,
        "matched_by": impact.origin.matched_by,
        "notes": list(impact.origin.notes),
        "starts": [{"id": a.key, "type": a.type, "uri": a.uri} for a in impact.origin.starts],
        "verdict": verdict(impact),
        "live": bool(impact.live),
        "counts": {
            "learned": len(impact.learned),
            "live": len(impact.live),
            "evaluated": relations[EVALUATED],
            "baseline": relations[BASELINE],
        },
        "models": [_model_as_json(model, facts[model.model.id]) for model in impact.models],
        "reached": dict(impact.reached),
        "unfinished": [{"id": e.key, "state": e.state} for e in impact.unfinished],
    }


def draw_impact(
    console: "Console",
    impact: Impact,
    facts: Mapping[int, ModelFacts],
    root: Path | None = None,
) -> None:
    """Prints the verdict, what was meant, the models, and what else was reached.

    Args:
        console: To print on.
        impact: Result to show.
        facts: Facts of the models to list, by id; more of `shown_models` are counted.
        root: Folder of the workspace, which paths are shown without; None: whole paths.
    """
    print_line(console, text(verdict(impact, root), "bold", limit=None))
    starts = [artifact.key for artifact in impact.origin.starts]
    more = f" and {len(starts) - _SHOWN_STARTS} more" if len(starts) > _SHOWN_STARTS else ""
    meant = f"matched by {impact.origin.matched_by}: {', '.join(starts[:_SHOWN_STARTS])}{more}"
    for line in (meant, *(f"note: {note}" for note in impact.origin.notes)):
        print_line(console, text(line, limit=None))
    shown = shown_models(impact)
    listed = [model for model in shown if model.model.id in facts]
    if listed:
        console.print(_table(listed, facts, console.width, root))
    if len(shown) > len(listed):
        rest = _counted(len(shown) - len(listed), "model")
        console.print(text(f"and {rest} more: --all shows them"))
    if far := [model for model in impact.models if model.is_far]:
        line = f"{_counted(len(far), 'model')} further along the chain of baselines (see --json)"
        console.print(text(line))
    if impact.unfinished:
        named = [f"{e.key} ({e.state})" for e in impact.unfinished[:_SHOWN_STARTS]]
        rest = len(impact.unfinished) - len(named)
        more = f" and {rest} more" if rest else ""
        line = f"read it and have no outputs: {', '.join(named)}{more}"
        print_line(console, text(line, limit=None))
    if impact.reached:
        counts = ", ".join(f"{count} {name}" for name, count in impact.reached.items())
        print_line(console, text(f"also derived from it: {counts}", limit=None))


def _model_as_json(model: AffectedModel, facts: ModelFacts) -> dict[str, Any]:
    return {
        "model": facts.model.key,
        "uri": facts.model.uri,
        "pipeline": facts.pipeline,
        "run": facts.run_id or None,
        "runs": facts.runs,
        "created": iso(facts.model.created),
        "relation": model.relation,
        "relations": list(model.relations),
        "distance": model.distance,
        "learned": model.learned,
        "live": bool(model.live_at),
        "blessed": facts.blessed,
        "was_blessed": facts.was_blessed,
        "later_verdicts": [{"by": b.execution.key, "blessed": b.blessed} for b in facts.later],
        "blessings": [
            {"id": b.artifact.key, "by": b.execution.key, "blessed": b.blessed}
            for b in facts.blessings
        ],
        "pushes": [
            {
                "id": push.artifact.key,
                "by": push.execution.key,
                "run": push.execution.place.run_id or None,
                "destination": push.destination,
                "version": push.version,
                "pushed": iso(push.artifact.created),
                "live": push.live,
            }
            for push in facts.pushes
        ],
    }


def _table(
    models: Sequence[AffectedModel],
    all_facts: Mapping[int, ModelFacts],
    width: int,
    root: Path | None,
) -> "Text":
    columns = (
        *(Column("model"), Column("relation"), Column("run", 3), Column("created (UTC)", 5)),
        *(Column("blessed", 2), Column("pushed", 4, is_path=True), Column("live", 1)),
    )
    rows = []
    for model in models:
        facts = all_facts[model.model.id]
        more = f" and {len(facts.runs) - 1} more" if len(facts.runs) > 1 else ""
        latest = facts.pushes[-1] if facts.pushes else None
        cells = (
            facts.model.key,
            model.relation,
            f"{plain(facts.run_id) or 'not recorded'}{more}",
            clock(facts.model.created),
            facts.blessed_words,
            below(f"{plain(latest.destination)}/{plain(latest.version)}", root) if latest else "no",
            "LIVE" if model.live_at else "no",
        )
        rows.append([*map(text, cells)])
    return fitted(columns, rows, width)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
