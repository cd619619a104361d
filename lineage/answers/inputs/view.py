"""The answer of `inputs`, drawn for a reader."""

from typing import TYPE_CHECKING

from lineage.answers.inputs.inputs import Inputs, parameter_text
from lineage.text.harmless import never_cut, text

if TYPE_CHECKING:
    from rich.console import Console


_WORDS = {
    "there": "there",
    "missing": "missing",
    "not_looked_at": "not looked at",
    "not_recorded": "not recorded",
    "same": "same",
    "differs": "differs",
    "touched": "same number and bytes, other times of change",
}


def draw_inputs(console: "Console", found: Inputs) -> None:
    """Prints what an execution read, and whether it is still so."""
    from rich.table import Table

    console.print(text(f"{found.execution.key}  {found.execution.state}", style="bold"))
    if found.reader != found.execution:
        console.print(text(f"  took over what {found.reader.key} made; that one read:"))
    if found.inputs:
        table = Table("input", "id", "payload", "bytes", "SHA-256", "URI", box=None)
        never_cut(table)
        for entry in found.inputs:
            words = _WORDS[entry.payload.status], _WORDS[entry.checksum]
            size = f"{entry.payload.bytes:,}" if entry.payload.bytes else ""
            cells = (entry.key, entry.artifact.key, words[0], size, words[1], entry.artifact.uri)
            table.add_row(*(text(cell) for cell in cells), style="red" if entry.changed else "")
        console.print(table)
    if found.files:
        table = Table("file", "bytes", "SHA-256", "now", box=None)
        never_cut(table)
        for file in found.files:
            cells = (file.path, f"{file.bytes:,}", file.sha256[:12], _WORDS[file.status])
            changed = file.status in ("differs", "missing")
            table.add_row(*(text(cell) for cell in cells), style="red" if changed else "")
        console.print(table)
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
    verdict = "something differs or is gone" if found.changed else "all is as it was"
    console.print(text(verdict, style="red" if found.changed else "green"))
