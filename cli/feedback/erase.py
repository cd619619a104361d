"""`fareline feedback erase`: all that is about an entity goes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    ConfigOption,
    JsonOption,
    ReasonOption,
    SetOption,
    WorkspaceOption,
)
from fareline.errors import UserMistake

if TYPE_CHECKING:
    from runners.feedback.erasure import Erasure


def erase(
    entity: Annotated[
        str, typer.Argument(metavar="ENTITY", help="A value of the column feedback.entity.")
    ],
    reason: ReasonOption = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase an entity from the log, the outcomes and, by new versions, the sealed spans."""
    said = " ".join(reason.split())
    if not said:
        raise UserMistake.explain(
            "feedback erase", "without a reason", "expected --reason TEXT", "say in a few words why"
        )
    from pipeline.settings.load import load_settings
    from runners.feedback.erasure import erase_entity

    settings = load_settings(config, overrides or ())
    done = erase_entity(workspace.resolve(), settings, entity, said)
    content = _as_json(done)
    answer(as_json, content, lambda console: _draw(console, content))


def _as_json(done: "Erasure") -> dict[str, Any]:
    """Keys: predictions, lines, outcomes, sealed, removed, read_by, open_files."""

    def named(spans) -> list[dict[str, int]]:
        return [{"span": span.span, "version": span.version} for span in spans]

    erased = done.erased
    return {
        "predictions": erased.predictions,
        "lines": erased.lines,
        "outcomes": erased.outcomes,
        "sealed": named(erased.sealed),
        "removed": named(erased.replaced),
        "read_by": list(done.read_by),
        "open_files": done.open_files,
    }


def _draw(console, content: Mapping[str, Any]) -> None:
    lines = [
        f"{content['predictions']:,} predictions: {content['lines']:,} lines of the log and "
        f"{content['outcomes']:,} outcomes were deleted"
    ]
    for words, spans in (("sealed", content["sealed"]), ("removed", content["removed"])):
        lines += [f"span {each['span']}, version {each['version']}: {words}" for each in spans]
    if content["read_by"]:
        lines.append(f"was read by {', '.join(content['read_by'])}: see `fareline lineage impact`")
    if content["open_files"]:
        lines.append(
            f"{content['open_files']} files of the log are open and were not searched; they close "
            "within the hour: erase again then"
        )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
