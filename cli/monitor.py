"""`fareline monitor`: compares windows of the live model's predictions with its evaluation."""

import re
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    EXIT_FOUND,
    ConfigOption,
    JsonOption,
    OpenOption,
    SetOption,
    WorkspaceOption,
    as_of_option,
    dry_run_option,
    output_option,
    read_as_of,
)
from fareline.errors import UserMistake
from fareline.files import write_text
from lineage.text.times import clock, iso
from monitoring.live.decision import AGE, NOTHING, RECORD
from monitoring.live.report import ALARM, QUIET

if TYPE_CHECKING:
    from monitoring.live.decision import Decision
    from runners.watching.watching import Monitored

_UNITS_MS = {"h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_MOST_TOLD = 12  # alarms
_BLIND = "Without labels of both values a change of concept cannot be seen."


def monitor(
    window: Annotated[
        str | None,
        typer.Option(
            "--window",
            metavar="LENGTH",
            help="Length of a window: 6h, 1d, 1w.",
            show_default="monitoring.window_hours",
        ),
    ] = None,
    as_of: Annotated[
        str | None, as_of_option("later predictions and outcomes are ignored.")
    ] = None,
    output: Annotated[Path | None, output_option("FILE", "Page to write.", "none")] = None,
    open_browser: OpenOption = False,
    dry_run: Annotated[bool, dry_run_option("Record nothing in ML Metadata.")] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare logged predictions with the evaluation, by slice. Exit code 3: an alarm."""
    window_ms = None if window is None else _parse_window(window)
    until_ms = read_as_of(as_of, "its windows are not over yet")
    from pipeline.settings.load import load_settings
    from runners.watching.watching import monitor as watch_live_model

    settings = load_settings(config, overrides or ())
    found = watch_live_model(workspace.resolve(), settings, window_ms, until_ms, dry_run)
    content = _as_json(found)
    if output is not None or open_browser:
        _write_page(
            output or found.report.with_suffix(".html"), settings.name, content, open_browser
        )
    answer(as_json, content, lambda console: _draw(console, content))
    if _is_news(found):
        raise typer.Exit(EXIT_FOUND)


def _write_page(path: Path, name: str, content: Mapping[str, Any], opens: bool) -> None:
    from report.run.page import monitoring_page

    page = monitoring_page(name, content, _blind(content))
    write_text(path, page, hint="name another place with -o")
    if opens:
        webbrowser.open(path.resolve().as_uri())


def _is_news(found: "Monitored") -> bool:
    """Whether somebody is to look: too few rows are no good news; `record` is none by policy."""
    if found.decision.action in (NOTHING, RECORD):
        return found.watched.state not in (QUIET, ALARM)
    return True


def _parse_window(text: str) -> int:
    """Milliseconds.

    Raises:
        UserMistake: It is not a length of time.
    """
    match = re.fullmatch(r"([1-9]\d{0,3})([hdw])", text.strip())
    if match is None:
        raise UserMistake.explain(
            f"--window {text}",
            "is not a length of time",
            "expected a whole number of hours, days or weeks",
            "write 6h, 1d or 1w",
        )
    return int(match[1]) * _UNITS_MS[match[2]]


def _as_json(found: "Monitored") -> dict[str, Any]:
    """Keys: version, state, alarms, decision, reference, windows, broken_lines, report, …"""
    content = found.watched.to_dict()
    return {
        "version": found.live.version.number,
        "state": found.watched.state,
        "alarms": [{**vars(alarm), "start": iso(alarm.start_ms)} for alarm in found.watched.alarms],
        "decision": decision_as_json(found.decision),
        "reference": content["reference"],
        "windows": content["windows"],
        "broken_lines": found.broken,
        "report": str(found.report),
        "execution": found.execution,
    }


def decision_as_json(decision: "Decision") -> dict[str, Any]:
    """Keys: action, causes, held_until."""
    until = decision.held_until_ms
    return {
        "action": decision.action,
        "causes": [vars(cause) for cause in decision.causes],
        "held_until": None if until is None else iso(until),
    }


def _draw(console, content: Mapping[str, Any]) -> None:
    from lineage.text.harmless import plain
    from lineage.text.tables import Column, print_table

    def say(line: str) -> None:
        console.print(plain(line), markup=False, highlight=False, soft_wrap=True)

    columns = [
        *("window", Column("rows", right=True), "state", Column("labels", 2)),
        *(Column("AUC expected", 3), Column("AUC by labels", 1), Column("findings", right=True)),
    ]
    rows = []
    for window in content["windows"][-10:]:
        whole = window["slices"][0]
        labels = f"{window['labelled']:.0%}" + ("" if window["mature"] else " so far")
        findings = sum(len(each["findings"]) for each in window["slices"])
        figures = [_figure(whole["estimate"]), _figure(whole["truth"])]
        cells = [f"{whole['rows']:,}", whole["state"], labels, *figures, f"{findings}"]
        rows.append([clock(window["start_ms"]), *cells])
    print_table(console, columns, rows)
    for alarm in content["alarms"][:_MOST_TOLD]:
        where = "" if alarm["slice"] == "overall" else f"{alarm['slice']}: "
        say(f"{alarm['kind']}: {where}{alarm['subject']}: {alarm['said']}")
    if (more := len(content["alarms"]) - _MOST_TOLD) > 0:
        say(f"and {more:,} more in the report")
    if content["broken_lines"]:
        say(f"{content['broken_lines']:,} lines of the log cannot be read")
    for cause in content["decision"]["causes"]:
        if cause["kind"] == AGE:
            say(f"{AGE}: {cause['said']}")
    say(f"Version {content['version']}: {content['state']}. {_blind(content)}".strip())
    say(_decided(content["decision"]))
    say(f"Report: {content['report']}")
    if content["execution"]:
        say(f"Recorded as {content['execution']}.")


def _decided(decision: Mapping[str, Any]) -> str:
    held = decision["held_until"]
    until = f"; no other action until {held}, by monitoring.policy.cooldown_hours" if held else ""
    return f"Decision: {decision['action'].replace('_', ' ')}{until}."


def _blind(content: Mapping[str, Any]) -> str:
    """What cannot be seen, where no window has mature labels."""
    return _BLIND if no_health_claimed(content["windows"]) else ""


def no_health_claimed(windows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the answer has to say that a change of concept cannot be seen."""
    return not any(window["slices"][0]["truth"] for window in windows[-3:])


def _figure(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return "-"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
