"""`fareline feedback build`: predictions and outcomes are joined, and spans sealed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    ConfigOption,
    JsonOption,
    SetOption,
    WorkspaceOption,
    as_of_option,
    read_as_of,
)
from lineage.text.times import iso

if TYPE_CHECKING:
    from fareline.recorded.feedback import SealedSpan
    from runners.feedback.sealing import Sealing


def build(
    as_of: Annotated[
        str | None,
        as_of_option("outcomes that arrived later are ignored."),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Determine the state of each logged prediction, and seal the spans that are complete."""
    as_of_ms = read_as_of(as_of, "a span would never include later outcomes")
    from pipeline.settings.load import load_settings
    from runners.feedback.sealing import seal

    settings = load_settings(config, overrides or ())
    sealing = seal(workspace.resolve(), settings, as_of_ms)
    content = _as_json(sealing, as_of_ms)
    answer(as_json, content, lambda console: _draw(console, content))


def _as_json(sealing: "Sealing", as_of_ms: int) -> dict[str, Any]:
    """Keys: as_of, states, in_span, outcomes, counted, broken, open_rows, pattern, notes, …"""
    built = sealing.built
    return {
        "as_of": iso(as_of_ms),
        "states": dict(built.joined.states),
        "in_span": dict(built.in_span),
        "outcomes": built.joined.outcomes,
        "counted": dict(built.joined.counted),
        "broken": dict(built.joined.broken),
        "open_rows": built.open_rows,
        "pattern": sealing.pattern,
        "notes": list(sealing.notes),
        "sealed": [_span_as_json(sealing, span) for span in built.sealed],
    }


def _span_as_json(sealing: "Sealing", span: "SealedSpan") -> dict[str, Any]:
    return {
        "span": span.span,
        "version": span.version,
        "predictions": span.predictions,
        "rows": span.rows,
        "after": iso(span.after_ms) if span.after_ms >= 0 else None,
        "until": iso(span.until_ms),
        "delays": [vars(delay) for delay in span.delays],
        "folder": str(sealing.folder.place(span.span, span.version)),
    }


def _draw(console, content: Mapping[str, Any]) -> None:
    from lineage.text.tables import print_table

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    fresh = [span for span in content["sealed"] if span["version"] == 1]
    names = ["state", "predictions", *(f"in span {span['span']}" for span in fresh)]
    rows = []
    for state, count in content["states"].items():
        inside = [f"{content['in_span'].get(state, 0):,}"] if fresh else []
        rows.append([state, f"{count:,}", *inside])
    print_table(console, names, rows)
    for name, count in content["counted"].items():
        say(f"{count:,} {name}")
    for file, count in content["broken"].items():
        say(f"  {file}: {count:,}")
    for span in content["sealed"]:
        say(
            f"span {span['span']}, version {span['version']}: {span['rows']:,} rows of "
            f"{span['predictions']:,} predictions until {span['until']}: {span['folder']}"
        )
        shares = [f"{d['of_predictions']:.0%} after {d['hours']:g} h" for d in span["delays"]]
        say(f"  outcomes had arrived of {', '.join(shares)}")
    if content["sealed"]:
        say(f"data.source.files: {content['pattern']}")
    elif content["open_rows"]:
        say(f"no span: none of {content['open_rows']:,} predictions has a label yet")
    else:
        say("no span: nothing has changed")
    for note in content["notes"]:
        say(f"note: {note}")
