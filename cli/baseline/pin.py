"""`fareline baseline pin`: compare new models with this one."""

from typing import Annotated

import typer

from cli.options import DEFAULT_WORKSPACE, JsonOption, ReasonOption, StoreOption, WorkspaceOption
from cli.views.baseline import decide, the_model
from fareline.errors import UserMistake
from runners.stores import open_graph


def pin(
    model: Annotated[
        str,
        typer.Argument(
            metavar="VERSION|MODEL", help="A published version, or an id such as Model:12."
        ),
    ],
    reason: ReasonOption = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare new models with this one, until the next pin, reset or unpin."""
    from fareline.recorded.data import sample_of
    from lineage.facts.baselines import PIN

    graph = open_graph(workspace, store)
    found = the_model(graph, model)
    pipelines = {e.place.pipeline for e in graph.producers(found) if e.place.pipeline}
    if len(pipelines) != 1 or found.state != "live":
        raise UserMistake.explain(
            found.key,
            "its files are gone" if pipelines else "no pipeline made it",
            "expected a model of a pipeline, with its files",
            "`fareline lineage models` lists the models",
        )
    if (rows := sample_of(found)) is not None:
        raise UserMistake.explain(
            found.key,
            f"it is of a sample of {rows:,} rows",
            "expected a model of all rows",
            "`fareline lineage models` lists the models",
        )
    decide(PIN, *pipelines, found, reason, (workspace, store, as_json))
