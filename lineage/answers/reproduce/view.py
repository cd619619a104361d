"""The answer of `lineage reproduce`, drawn. Called by `cli.lineage.inputs`."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fareline import recorded
from lineage.answers.reproduce.reproduce import MetricComparison, Recipe, commands
from lineage.text.harmless import text
from lineage.text.tables import print_line, print_table

if TYPE_CHECKING:
    from rich.console import Console

_NOW = {
    "same": "unchanged",
    "differs": "CHANGED since",
    "missing": "GONE",
    "not_looked_at": "not looked at",
}


def draw_recipe(
    console: "Console", recipe: Recipe, overrides: list[str], warning: str | None
) -> None:
    """Prints how a model was made, and the commands that make it again."""
    maker = f", made by {recipe.trainer.key}" if recipe.trainer else ""
    console.print(text(f"{recipe.model.key}{maker}", "bold"))
    commit = recipe.text(recorded.GIT_COMMIT)
    if commit:
        dirty = " with changes" if recipe.record.properties.get(recorded.GIT_DIRTY) == 1 else ""
        console.print(text(f"  code      commit {commit}{dirty}"))
    fingerprint = recipe.text(recorded.CODE_FINGERPRINT)
    if fingerprint:
        same = " (the present code)" if warning is None else ""
        console.print(text(f"            fingerprint {fingerprint[:12]}…{same}"))
    if warning:
        console.print(text(f"  warning   {warning}", "yellow"))
    if recipe.text(recorded.STACK):
        stack = f"{recipe.text(recorded.STACK)}, Python {recipe.text(recorded.PYTHON)}"
        console.print(text(f"  stack     {stack}"))
    if recipe.settings is not None:
        digest = (recipe.text(recorded.SETTINGS_SHA256) or "")[:12]
        named = recipe.text(recorded.SETTINGS_FILE)
        changes = "".join(f" --set {o}" for o in recipe.record.overrides or [])
        said = f"  settings  {named}{changes} (SHA-256 {digest}…)"
        print_line(console, text(said, limit=None))
    for file in recipe.files:
        line = f"{file.path}, {file.bytes:,} bytes, SHA-256 {file.sha256[:12]}…"
        style = "" if file.status == "same" else "yellow"
        print_line(console, text(f"  data      {line}: {_NOW[file.status]}", style, limit=None))
    if recipe.metrics:
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in recipe.metrics.items())
        print_line(console, text(f"  metrics   {metrics}", limit=None))
    for words in recipe.not_recorded:
        console.print(text(f"  not recorded: {words}", "yellow"))
    if recipe.settings is None and recipe.trainer:
        words = ["fareline", "lineage", "inputs", recipe.trainer.key, *recipe.place]
        print_line(console, text(f"  its parameters and inputs: {shlex.join(words)}", limit=None))
    lines = commands(recipe, overrides)
    if lines:
        console.print()
    for line in lines:
        console.print(text(f"  {line}", limit=None), soft_wrap=True)  # to be copied


def draw_comparison(
    console: "Console", compared: Sequence[MetricComparison], tolerance: float
) -> None:
    """Prints the metrics of the model beside those of the one that was made again."""
    rows = []
    for metric in compared:
        cells = [metric.name, _number(metric.recorded), _number(metric.again)]
        both = metric.recorded is not None and metric.again is not None
        cells.append(f"{metric.again - metric.recorded:+.4f}" if both else "")
        cells.append("within" if metric.within else "OUTSIDE")
        rows.append([text(cell, "" if metric.within else "red") for cell in cells])
    print_table(console, ("metric", "recorded", "again", "difference", ""), rows)
    outside = sum(not metric.within for metric in compared)
    differ = f"by more than {tolerance:g}" if tolerance else "where runs repeat bit for bit"
    verdict = f"{outside} of {len(compared)} metrics differ {differ}"
    if not outside:
        equal = f"within {tolerance:g}" if tolerance else "equal to the last bit"
        verdict = f"all {len(compared)} metrics are {equal}"
    console.print(text(verdict, "red" if outside else "green"))


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
