"""The answer of `lineage impact`: as JSON, and drawn for a reader with the verdict first."""

import datetime
from collections import Counter
from typing import TYPE_CHECKING, Any

from lineage.impact import AffectedModel, Impact
from lineage.relations import BASELINE, EVALUATED, ITSELF
from lineage.text import plain, text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_SHOWN_STARTS = 5


def verdict(impact: Impact) -> str:
    """One line: how many models learned from it, and where a live one is."""
    count = len(impact.learned)
    itself = any(model.relation == ITSELF for model in impact.learned)
    words = "learned from it" if not itself else "are it or learned from it"
    if itself and count == 1:
        words = "is it, none learned from it"
    first = f"{_counted(count, 'model')} {words}"
    if not count:
        first = "no model learned from it"
    places = sorted(
        {
            f"{plain(p.destination)}/{plain(p.version)}"
            for m in impact.live
            for p in m.facts.pushes
            if p.live
        }
    )
    if places:
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        live = len(impact.live)
        second = f"{live} {'is' if live == 1 else 'are'} live at {places[0]}{more}"
    else:
        second = "none of them is live" if count else "none is live"
    rest = Counter(model.relation for model in impact.models if not model.learned)
    judged = [f"{rest[EVALUATED]} only judged on it"] if rest[EVALUATED] else []
    judged += [f"{rest[BASELINE]} only compared with these"] if rest[BASELINE] else []
    return "; ".join([first, second, *judged])


def impact_as_json(impact: Impact) -> dict[str, Any]:
    """One object; keys are stable.

    `asked`, `matched_by`, `notes`, `starts`, `verdict`, `live` (a live model learned from it),
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
        "models": [_model_as_json(model) for model in impact.models],
        "reached": dict(impact.reached),
        "unfinished": [{"id": e.key, "state": e.state} for e in impact.unfinished],
    }


def draw_impact(console: "Console", impact: Impact) -> None:
    """Prints the verdict, what was meant, the models, and what else was reached."""
    console.print(text(verdict(impact), "bold", limit=None), soft_wrap=True)
    starts = [artifact.key for artifact in impact.origin.starts]
    more = f" and {len(starts) - _SHOWN_STARTS} more" if len(starts) > _SHOWN_STARTS else ""
    meant = f"matched by {impact.origin.matched_by}: {', '.join(starts[:_SHOWN_STARTS])}{more}"
    for line in (meant, *(f"note: {note}" for note in impact.origin.notes)):
        console.print(text(line, limit=None), soft_wrap=True)
    far = [m for m in impact.models if m.relation == BASELINE and (m.distance or 0) > 1]
    shown = [model for model in impact.models if model not in far]
    if shown:
        console.print(_table(shown))
    if far:
        line = f"{_counted(len(far), 'model')} further along the chain of baselines (see --json)"
        console.print(text(line))
    if impact.unfinished:
        named = [f"{e.key} ({e.state})" for e in impact.unfinished[:_SHOWN_STARTS]]
        rest = len(impact.unfinished) - len(named)
        more = f" and {rest} more" if rest else ""
        console.print(
            text(f"read it and put nothing out: {', '.join(named)}{more}", limit=None),
            soft_wrap=True,
        )
    if impact.reached:
        counts = ", ".join(f"{count} {name}" for name, count in impact.reached.items())
        console.print(text(f"also came of it: {counts}", limit=None), soft_wrap=True)


def _model_as_json(model: AffectedModel) -> dict[str, Any]:
    facts = model.facts
    return {
        "model": facts.model.key,
        "uri": facts.model.uri,
        "pipeline": facts.pipeline,
        "run": facts.run_id or None,
        "runs": facts.runs,
        "created": _utc(facts.model.created),
        "relation": model.relation,
        "relations": list(model.relations),
        "distance": model.distance,
        "learned": model.learned,
        "live": model.live,
        "blessed": facts.blessed,
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
                "pushed": _utc(push.artifact.created),
                "live": push.live,
            }
            for push in facts.pushes
        ],
    }


def _table(models: list[AffectedModel]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("model", "relation", "run", "created (UTC)", "blessed", "pushed", "live"):
        table.add_column(name, overflow="fold")
    for model in models:
        facts = model.facts
        also = f" (also {', '.join(model.relations[1:])})" if len(model.relations) > 1 else ""
        more = f" and {len(facts.runs) - 1} more" if len(facts.runs) > 1 else ""
        latest = facts.pushes[-1] if facts.pushes else None
        table.add_row(
            text(facts.model.key),
            text(f"{model.relation}{also}"),
            text(f"{plain(facts.run_id) or 'not recorded'}{more}"),
            text(_utc(facts.model.created)[:19].replace("T", " ")),
            text(_blessed_words(model)),
            text(f"{plain(latest.destination)}/{plain(latest.version)}" if latest else "no"),
            text("LIVE" if model.live else "no"),
        )
    return table


def _blessed_words(model: AffectedModel) -> str:
    words = {True: "yes", False: "no", None: "not recorded"}
    latest = {b.artifact.type: b for b in model.facts.blessings}
    if not latest:
        return "not judged"
    answers = {b.execution.place.node: words[b.blessed] for b in latest.values()}
    if len(set(answers.values())) == 1:
        return next(iter(answers.values()))
    return ", ".join(f"{plain(node)}: {answer}" for node, answer in answers.items())


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _utc(milliseconds: int) -> str:
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return moment.isoformat(timespec="seconds")
