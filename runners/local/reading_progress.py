"""Number of rows that ExampleGen has read so far, for the live table.

Its workers note how far they are in small files on this machine. Called by `runners.local.run`.
Imports no TFX.
"""

from pathlib import Path

_NOTES = "ExampleGen/.system/executor_execution/*/**/example_gen/progress/*"


def rows_so_far(artifacts_dir: Path) -> int:
    """Rows of the present read; 0 without one, or without a report."""
    total = 0
    for note in artifacts_dir.glob(_NOTES):
        try:
            total += int(note.read_text() or 0)
        except (OSError, ValueError):  # just being written, or cleared away at the end
            continue
    return total


def describe_reading(artifacts_dir: Path, seconds: float) -> str:
    """Rows so far and rate, such as `1,204,224 rows, 86,000/s`; empty before the first.

    Args:
        artifacts_dir: The pipeline root.
        seconds: Since the node began.
    """
    rows = rows_so_far(artifacts_dir)
    if not rows or seconds <= 0:
        return ""
    return f"{rows:,} rows, {rows / seconds:,.0f}/s"
