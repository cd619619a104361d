"""The answer of `inputs`, drawn for a reader."""

from pathlib import Path
from typing import TYPE_CHECKING

from lineage.answers.inputs.inputs import Inputs, parameter_text
from lineage.text.harmless import text
from lineage.text.tables import Column, below, fitted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


_WORDS = {
    "there": "there",
    "missing": "missing",
    "not_looked_at": "not looked at",
    "not_recorded": "not recorded",
    "same": "same",
    "differs": "differs",
    "touched": "same number and bytes, other times of change",
}


def draw_inputs(console: "Console", found: Inputs, root: Path | None = None) -> None:
    """Prints the inputs of an execution, and whether they have changed.

    Args:
        console: To print on.
        found: Inputs to show.
        root: Folder of the workspace, which paths in it are shown without; None: whole paths.
    """
    console.print(text(f"{found.execution.key}  {found.execution.state}", style="bold"))
    if found.reader != found.execution:
        console.print(text(f"  reuses the outputs of {found.reader.key}, which read:"))
    if found.inputs:
        console.print(_artifacts(found, console.width, root))
    if found.files:
        console.print(_files(found, console.width))
    if found.fingerprint:
        status = _WORDS[found.fingerprint.status]
        console.print(text(f"  files: {status}; no SHA-256 of them was recorded"))
        console.print(text(f"    recorded {found.fingerprint.recorded}"))
        if found.fingerprint.now not in ("", found.fingerprint.recorded):
            console.print(text(f"    now      {found.fingerprint.now}"))
    if not found.inputs and not found.files and not found.fingerprint:
        console.print(text("  no inputs are recorded"))
    for name, splits in found.splits.items():
        console.print(text(f"  splits of {name}: {', '.join(splits)}"))
    for name, value in found.parameters.items():
        console.print(text(f"  {name} = {parameter_text(value)}"))
    verdict = "some inputs have changed or are missing" if found.changed else "no change"
    console.print(text(verdict, style="red" if found.changed else "green"))


def _artifacts(found: Inputs, width: int, root: Path | None) -> "Text":
    columns = (
        *(Column("input"), Column("id"), Column("payload", 1), Column("bytes", 3, True)),
        *(Column("SHA-256", 1), Column("place", 2, is_path=True)),
    )
    rows = []
    for entry in found.inputs:
        words = _WORDS[entry.payload.status], _WORDS[entry.checksum]
        size = f"{entry.payload.bytes:,}" if entry.payload.bytes else ""
        place = below(entry.artifact.uri, root)
        cells = (entry.key, entry.artifact.key, words[0], size, words[1], place)
        style = "red" if entry.changed else ""
        rows.append([text(cell, style) for cell in cells])
    return fitted(columns, rows, width)


def _files(found: Inputs, width: int) -> "Text":
    columns = (
        *(Column("file", is_path=True), Column("bytes", 2, True), Column("SHA-256", 1)),
        Column("now"),
    )
    rows = []
    for file in found.files:
        style = "red" if file.status in ("differs", "missing") else ""
        cells = (file.path, f"{file.bytes:,}", file.sha256[:12], _WORDS[file.status])
        rows.append([text(cell, style) for cell in cells])
    return fitted(columns, rows, width)
