"""`fareline feedback add`: outcomes of predictions are handed in."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answer import answer
from cli.options import DEFAULT_WORKSPACE, ConfigOption, JsonOption, SetOption, WorkspaceOption
from fareline.errors import DataError, UserMistake

if TYPE_CHECKING:
    from monitoring.feedback.outcomes import Added


def add(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="JSON lines or CSV of outcomes.")
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read JSON lines from stdin instead.")
    ] = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add outcomes. Bad lines are set apart, each with its line number and the reason."""
    if stdin == (file is not None):
        found = "a file and --stdin were named" if stdin else "no file was named"
        raise UserMistake.explain(
            "feedback add", found, "expected a file or --stdin", "name one of both"
        )
    from pipeline.settings.load import load_settings
    from runners.feedback.handing_in import hand_in

    settings = load_settings(config, overrides or ())
    added = hand_in(workspace.resolve(), settings, file, sys.stdin.buffer)
    if not added.kept and not added.refused and not added.is_again:
        raise DataError.explain(
            str(file or "stdin"), "holds no record", "expected one in each line", "check the file"
        )
    content = _as_json(added)
    answer(as_json, content, lambda console: _draw(console, content, added.first))
    raise typer.Exit(0 if added.kept or added.is_again else UserMistake.exit_code)


def _as_json(added: "Added") -> dict[str, Any]:
    """Keys: kept, again, file, refused, reasons, set_apart."""
    return {
        "kept": added.kept,
        "again": added.is_again,
        "file": str(added.file) if added.file else None,
        "refused": sum(added.refused.values()),
        "reasons": dict(added.refused),
        "set_apart": str(added.set_apart) if added.set_apart else None,
    }


def _draw(console, content: Mapping[str, Any], first: tuple[str, ...]) -> None:
    words = f"{content['kept']:,} outcome{'s' * (content['kept'] != 1)} kept"
    if content["again"]:
        words = "nothing new: the same outcomes were added before"
    lines = [words + (f": {content['file']}" * bool(content["file"]))]
    if content["refused"]:
        reasons = ", ".join(f"{count:,} {name}" for name, count in content["reasons"].items())
        lines.append(f"{content['refused']:,} set apart ({reasons}): {content['set_apart']}")
        lines += [f"  {line}" for line in first]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
