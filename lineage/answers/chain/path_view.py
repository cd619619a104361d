"""Paths for a reader, one line per step. Called by cli.lineage.path."""

from typing import TYPE_CHECKING

from lineage.answers.chain.paths import MOST, Paths
from lineage.text.harmless import text

if TYPE_CHECKING:
    from rich.console import Console


def draw_paths(console: "Console", found: Paths) -> None:
    """Prints how one element led to the other, or that no path exists."""
    first, last = text(found.first, "bold"), text(found.last, "bold")
    if found.both_in_one:
        console.print(first, "and", last, "are the same, or one is the run of the other.")
        return
    if not found.paths:
        console.print("No path: neither did", first, "lead to", last, "nor the other way round.")
        return
    if found.swapped:
        console.print("The other way round:")
    steps = len(found.paths[0])
    console.print(first, "led to", last, f"in {steps} step{'' if steps == 1 else 's'}:")
    for index, path in enumerate(found.paths):
        if index:
            console.print("or:")
        console.print(text(f"  {path[0].source.key}"), soft_wrap=True)
        for step in path:
            line = text(f"  → {step.target.key}")
            if step.keys:
                line.append_text(text(f" ({', '.join(step.keys)})", "dim"))
            if step.is_baseline:
                line.append(" baseline", "yellow")
            console.print(line, soft_wrap=True)
    if len(found.paths) == MOST:
        console.print(text(f"At most {MOST} of this length are shown.", "dim"))
