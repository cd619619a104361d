"""The outcome of a run in about ten lines: verdict, three metrics, changes, results.

Called by `fareline run`; with `--verbose` it calls `runners.outcome.summary`. The page has it all.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from fareline.files import from_here
from lineage.answers.why.view import few_examples_lines, reference_lines
from lineage.text.harmless import plain
from pipeline.settings.settings import Settings
from runners.outcome.anomalies import anomalies_table
from runners.outcome.drift import show_drift
from runners.outcome.summary import (
    FAILED,
    PUSHED,
    REFUSED,
    Outcome,
    bounds_of,
    data_line,
    in_workspace,
    next_step,
    number,
    print_failures,
)
from runners.outcome.tuning import tuning_line

_FIGURES = 3
_REASONS = 5
_PATHS = 2  # of what changed, of a group
_NO_FIGURES = ("example_count", "label_mean")  # of the data, not of the model
_OF_ITSELF = ("metrics", "blessings", "pushed")  # follow from what else has changed


def print_brief(console: Console, outcome: Outcome, settings: Settings | None) -> None:
    """Prints it.

    Args:
        console: Console to print on.
        outcome: Outcome of the run.
        settings: For the thresholds; None where a specification was run.
    """

    def say(line: str, style: str = "") -> None:
        console.print(Text(plain(line, limit=None), style), highlight=False, soft_wrap=True)

    if outcome.is_unchanged:
        for line in _unchanged(outcome):
            say(line)
        return
    if outcome.data:
        say(data_line(outcome.data))
    _print_findings(console, outcome)
    if tuned := tuning_line(outcome.tuning, outcome.nodes):
        say(tuned)
    if outcome.warm_start:
        say(outcome.warm_start.line)
    for line in _figures(outcome, settings):
        say(line)
    for line in _beside_the_figures(outcome.why):
        say(line)
    print_failures(console, outcome)
    for line, style in _verdict(outcome):
        say(line, style)
    for line in _caution(outcome):
        say(line, "yellow")
    if outcome.page:
        say(f"Report: {from_here(outcome.page.path)}")
        say(f"Explorer: fareline lineage ui {in_workspace(outcome)}")
    if outcome.status != PUSHED:
        say(f"Log: {from_here(outcome.log_path)}")
    say(f"{outcome.run_id} took {outcome.wall_seconds:.0f} s{_changed(outcome)}.")
    say(next_step(outcome))


def _unchanged(outcome: Outcome) -> Iterator[str]:
    """Two lines: that nothing has changed and what holds still, and where to read on."""
    page = outcome.page
    since = f" since {page.same_as}" if page and page.same_as else ""
    ended = f"pushed to {from_here(outcome.pushed_to)}" if outcome.pushed_to else outcome.status
    yield f"Nothing changed{since}, and nothing was executed: {ended}"
    report = f" Report: {from_here(page.path)}" if page else ""
    yield f"{outcome.run_id} took {outcome.wall_seconds:.0f} s.{report}"


def _print_findings(console: Console, outcome: Outcome) -> None:
    """Anomalies and drift, except for what the failure of DataGate says itself."""
    stopped = any(node.name == "DataGate" and node.error for node in outcome.nodes)
    shown = [a for a in outcome.anomalies if not (stopped and a["action"] == "stop")]
    if shown:
        console.print(anomalies_table(shown, console.width))
    if outcome.drift and outcome.drift["drifted"]:
        for part in show_drift(outcome.drift, console.width):
            console.print(part, soft_wrap=True, highlight=False)


def _figures(outcome: Outcome, settings: Settings | None) -> Iterator[str]:
    """The metrics with a threshold first, each beside the baseline's."""
    names = [name for name in outcome.metrics if name not in _NO_FIGURES]
    names = sorted(names, key=lambda name: not bounds_of(name, settings))[:_FIGURES]
    width = max(map(len, names), default=0)
    baseline = outcome.page.baseline if outcome.page else {}
    for name in names:
        beside = [bounds_of(name, settings)]
        if (before := baseline.get(name)) is not None:
            beside.append(f"{number(name, before)} of {outcome.baseline or 'the baseline'}")
        said = "; ".join(filter(None, beside))
        value = number(name, outcome.metrics[name])
        yield f"{name:<{width}}  {value}" + (f"  ({said})" if said else "")


def _beside_the_figures(why: Mapping[str, Any] | None) -> Iterator[str]:
    """The worst slice, and what another model reaches on the same split, where that was asked."""
    verdict = why["evaluator"]["verdict"] if why else None
    if not verdict:
        return
    if verdict["worst"]:
        worst, main = verdict["worst"][0], verdict["main_metric"]
        value = worst["metrics"].get(main)
        said = "undefined" if value is None else number(main, value)
        examples = worst["metrics"].get("example_count") or 0
        yield f"Worst slice: {main} {said} on {worst['name']} ({examples:,.0f} examples)"
    yield from reference_lines(verdict)


def _verdict(outcome: Outcome) -> Iterator[tuple[str, str]]:
    if outcome.status == FAILED:
        yield "No model was pushed: the run failed.", ""
    elif outcome.status == PUSHED:
        against = f"compared with {outcome.baseline}" if outcome.baseline else "the first one"
        yield f"Pushed to {from_here(outcome.pushed_to)} ({against})", "bold green"
    elif outcome.status == REFUSED:
        yield "Refused: no model was pushed.", "bold yellow"
        for reason in outcome.reasons[:_REASONS]:
            yield f"  ✗ {reason}", ""
        if (more := len(outcome.reasons) - _REASONS) > 0:
            yield f"  and {more} more; --verbose prints all", ""
    else:
        yield outcome.completed_line, ""


def _caution(outcome: Outcome) -> Iterator[str]:
    """That a model was blessed on very few examples."""
    verdict = outcome.why["evaluator"]["verdict"] if outcome.why else None
    if verdict and outcome.why["evaluator"]["blessed"]:
        yield from few_examples_lines(verdict)


def _changed(outcome: Outcome) -> str:
    """What is different from the run before, in words that end the line."""
    page = outcome.page
    if page is None or page.previous is None:
        return ""
    groups = [
        f"{group} ({', '.join(paths)}{', …' if len(changes) > _PATHS else ''})"
        for group, changes in page.changes.items()
        if group not in _OF_ITSELF and (paths := [path for path, _, _ in changes[:_PATHS]])
    ]
    return f"; changed since {page.previous}: {', '.join(groups) or 'nothing'}"
