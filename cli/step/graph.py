"""`fareline step graph`: which nodes there are, and what each waits for."""

from typing import Annotated

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    ConfigOption,
    JsonOption,
    SetOption,
    WorkspaceOption,
    run_option,
)


def graph(
    run: Annotated[str | None, run_option("Run that has begun; default: from settings.")] = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Show the nodes in order with their dependencies, of settings or of a run that has begun."""
    from pipeline.settings.load import load_settings
    from runners.pii_key import read_pii_key
    from runners.steps.begin import read_graph
    from runners.steps.frozen import StepFiles
    from runners.workspace import Workspace

    if run is not None:
        found = StepFiles(Workspace(workspace.resolve()), run).read()
    else:
        found = read_graph(load_settings(config, overrides or ()), read_pii_key)
    content = {
        "pipeline": found.pipeline,
        "nodes": list(found.upstream),
        "edges": [[before, node] for node, waits in found.upstream.items() for before in waits],
    }
    lines = [f"{node}: {', '.join(found.upstream[node]) or '-'}" for node in found.upstream]
    answer(as_json, content, "\n".join(lines))
