"""`fareline data query`: examples of an Examples artifact by conditions on their features.

Registered in `cli.data`. Chooses the artifact in the metadata store, which
`data.example_query` reads. Imports what it needs inside the functions, so that other commands start
at once.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    StoreOption,
    WorkspaceOption,
    limit_option,
    run_option,
)
from fareline import collector
from fareline.errors import UserMistake
from runners.stores import open_graph

if TYPE_CHECKING:
    from lineage.graph.elements import Artifact
    from lineage.graph.graph import Graph


def query(
    condition: Annotated[
        str, typer.Argument(help="SQL, such as: payment_type = 'Cash' and trip_miles > 10")
    ],
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="NAME", help="Split to search.", show_default="all"),
    ] = None,
    run: Annotated[
        str | None,
        run_option("Run whose Examples are searched.", "the latest with some"),
    ] = None,
    artifact: Annotated[
        str | None,
        typer.Option("--artifact", metavar="ID", help="Examples to search, such as Examples:12."),
    ] = None,
    limit: Annotated[int, limit_option(0, "Number of examples to show per split.")] = 5,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count and show the examples that meet a condition on their features."""
    from data.example_query import ExampleQuery
    from lineage.facts.splits import files_of_splits
    from runners.publishing.live_model import quieten_tensorflow

    if run is not None and artifact is not None:
        raise UserMistake.explain(
            "--run and --artifact", "were given both", "expected one of them", "leave one out"
        )
    graph = open_graph(workspace, store)
    asked = _choose(graph, run, artifact)
    folders = [files_of_splits(examples, split, "--split") for examples in asked]
    query = ExampleQuery(condition)
    quieten_tensorflow()
    with collector.paused():
        import tensorflow  # noqa: F401 - which reads the examples
    content = {
        "condition": condition,
        "artifacts": [
            _ask(graph, query, examples, found, limit)
            for examples, found in zip(asked, folders, strict=True)
        ],
    }
    answer(as_json, content, lambda console: _draw(console, content))


def _choose(graph: "Graph", run: str | None, artifact: str | None) -> "Sequence[Artifact]":
    """The Examples that were asked for: one artifact, or what a run took in."""
    from lineage.facts.runs import list_runs, read_runs
    from lineage.ids import find_artifact, find_run

    if artifact is not None:
        found = find_artifact(graph, artifact)
        if found.type != "Examples":
            raise UserMistake.explain(
                found.key, f"is a {found.type}", "expected Examples", "`fareline lineage show RUN`"
            )
        return [found]
    if run is not None:
        [known] = read_runs(graph, [find_run(graph, run)])
        if not known.examples:
            raise UserMistake.explain(
                known.run_id, "has no Examples", "expected a run that read data", "name another"
            )
        return known.examples
    for known in list_runs(graph):
        if known.examples:
            return known.examples
    raise UserMistake.explain(
        "the store", "has no Examples", "expected a run that read data", "run `fareline run` first"
    )


def _ask(
    graph: "Graph", query: Any, examples: "Artifact", splits: Mapping[str, list[str]], limit: int
) -> dict[str, Any]:
    """Keys: artifact, made_by, uri, spans, splits, features; each split has count, of, examples."""
    from fareline.recorded.data import spans_in_words

    found = query.ask(splits, limit)
    return {
        "artifact": examples.key,
        "made_by": next((execution.key for execution in graph.producers(examples)), None),
        "uri": examples.uri,
        "spans": spans_in_words(examples),
        "splits": {
            name: {
                "count": split.count,
                "of": split.of,
                "examples": [
                    {feature: _plain(value) for feature, value in row.items()}
                    for row in split.first
                ],
            }
            for name, split in found.items()
        },
    }


def _plain(value: Any) -> Any:
    """As JSON can have it: bytes that are no text escaped; float32 in its own digits."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, float):
        import numpy as np

        return float(str(np.float32(value)))
    return value


def _draw(console, content: Mapping[str, Any]) -> None:
    from lineage.text.harmless import text
    from lineage.text.tables import Column, fitted

    for asked in content["artifacts"]:
        spans = f", span {asked['spans']}" if asked["spans"] else ""
        console.print(
            f"{asked['artifact']}, made by {asked['made_by']}{spans}", markup=False, soft_wrap=True
        )
        for name, split in asked["splits"].items():
            share = f" ({split['count'] / split['of']:.2%})" if split["of"] else ""
            console.print(
                f"{name}: {split['count']:,} of {split['of']:,} examples{share}", markup=False
            )
            shown = split["examples"]
            if not shown:
                continue
            columns = [Column("  feature"), *(Column(f"#{i + 1}", i) for i in range(len(shown)))]
            rows = [[text(f"  {name}"), *(_cell(row[name]) for row in shown)] for name in shown[0]]
            console.print(fitted(columns, rows, console.width))


def _cell(value: Any):
    from lineage.text.harmless import text

    return text("·" if value is None else str(value), "dim" if value is None else "")
