"""`fareline feedback log`: request logs of TensorFlow Serving are taken up."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.answer import answer
from cli.options import DEFAULT_WORKSPACE, ConfigOption, JsonOption, SetOption, WorkspaceOption
from fareline import collector
from fareline.errors import UserMistake


def log(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="TFRecord files of its request logging.")
    ],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add the requests that TensorFlow Serving itself has logged to the prediction log."""
    from pipeline.settings.load import load_settings
    from runners.publishing.live_model import quieten_tensorflow

    settings = load_settings(config, overrides or ())
    quieten_tensorflow()
    with collector.paused():
        from runners.feedback.taking_up import take_up_files

    taken = take_up_files(workspace.resolve(), settings, files)
    content = [
        {"file": str(file), "rows": each.rows, "skipped": dict(each.skipped)}
        for file, each in taken.items()
    ]
    answer(as_json, content, lambda console: _draw(console, content))
    raise typer.Exit(0 if any(each["rows"] for each in content) else UserMistake.exit_code)


def _draw(console, content: list[Mapping[str, Any]]) -> None:
    for each in content:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in each["skipped"].items())
        line = f"{each['file']}: {each['rows']:,} rows" + (f"; left out: {reasons}" * bool(reasons))
        console.print(line, markup=False, highlight=False, soft_wrap=True)
