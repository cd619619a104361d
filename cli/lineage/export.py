"""`fareline lineage export`: a part of the store, or all of it, for other programs."""

import enum
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    ShowAllOption,
    StoreOption,
    WorkspaceOption,
    format_option,
    id_argument,
    output_option,
)
from fareline.errors import UserMistake
from fareline.files import require_place, write_bytes
from runners.stores import open_graph

if TYPE_CHECKING:
    from lineage.graph.graph import Graph


class Format(str, enum.Enum):
    """Formats of an export."""

    HTML = "html"
    DOT = "dot"
    MERMAID = "mermaid"
    JSON = "json"
    OPENLINEAGE = "openlineage"


def export(
    target: Annotated[
        str | None,
        id_argument(
            "Run, pipeline, artifact or execution; the last two with everything upstream and "
            "downstream.",
            show_default="the last run",
        ),
    ] = None,
    kind: Annotated[Format, format_option()] = Format.JSON,
    output: Annotated[
        Path | None,
        output_option("FILE", "File to write.", "stdout"),
    ] = None,
    everything: ShowAllOption = False,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Export a run, a pipeline, or everything connected to an id, in a standard format.

    The same store gives the same bytes. JSON has every record of the store; docs/records.md
    documents it. OpenLineage is JSON lines with two events per execution. With -o, --json
    describes the written file.
    """
    if as_json and output is None and kind is not Format.JSON:
        raise UserMistake.explain(
            "--json",
            f"given with {kind.value} on stdout",
            "expected nothing but JSON there",
            "name a file with -o",
        )
    if everything and target:
        raise UserMistake.explain(
            target, "given with --all", "expected one of them", "leave one of them out"
        )
    if output:
        _check_place(output)
    content = _render(kind, open_graph(workspace, store), target, everything).encode("utf-8")
    if output:
        write_bytes(output, content, hint="name another place")
        written = {"format": kind.value, "output": str(output), "bytes": len(content)}
        if as_json:
            answer(True, written, lambda console: None)
        else:
            typer.echo(f"{output}: {len(content):,} bytes", err=True)
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()


def _render(kind: Format, graph: "Graph", target: str | None, everything: bool) -> str:
    """The text of a format. Each module is imported when it is asked for: one takes half a second.

    The page of the explorer always has the whole store in it, and opens on what was asked for.
    """
    from lineage.ids import find

    if kind is Format.HTML:
        from report.explorer.page import explorer_page

        return explorer_page(graph, find(graph, target) if target else None)
    from lineage.exports.scope import around, whole_store

    scope = whole_store(graph) if everything else around(graph, *filter(None, [target]))
    if kind is Format.DOT:
        from lineage.exports.dot import to_dot

        return to_dot(scope)
    if kind is Format.MERMAID:
        from lineage.exports.mermaid import to_mermaid, too_large

        text = to_mermaid(scope)
        if warning := too_large(text):
            typer.echo(f"mermaid: viewers will refuse this graph: {warning}", err=True)
        return text
    if kind is Format.OPENLINEAGE:
        from lineage.exports.openlineage import to_openlineage

        return to_openlineage(scope)
    from lineage.exports.dump import to_json

    return to_json(scope)


def _check_place(output: Path) -> None:
    """Refuses what cannot be written, before anything is read.

    Raises:
        UserMistake: There is no such folder, or something there is no file.
    """
    if not os.path.isdir(output):
        require_place(output, "name another place")
    if output.exists() and not output.is_file():
        hint = "name a file in it" if output.is_dir() else "leave -o out and redirect stdout"
        raise UserMistake.explain(str(output), "is not a file", "expected one to replace", hint)
