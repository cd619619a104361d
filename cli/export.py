"""`fareline export`: the pipeline as a file for an orchestrator of others."""

from pathlib import Path
from typing import Annotated

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    ConfigOption,
    JsonOption,
    OrchestratorArgument,
    SetOption,
    WorkspaceOption,
    output_option,
)
from fareline.files import require_place, write_text


def export(
    orchestrator: OrchestratorArgument,
    output: Annotated[Path, output_option("FILE", "File to write.")],
    config: ConfigOption = None,
    overrides: SetOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    cron: Annotated[
        str | None,
        typer.Option(
            "--cron",
            metavar="FIELDS",
            help="Cron schedule.",
            show_default="loop.cron in the settings",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the pipeline for Airflow, Argo, Luigi or Celery: a file that calls `fareline step`."""
    from pipeline.settings.load import load_settings
    from runners.orchestrators.export import export as text_of
    from runners.orchestrators.export import require_export
    from runners.pii_key import read_pii_key
    from runners.steps.begin import read_graph

    hint = "name another file with --output"
    require_place(output, hint)  # First: a folder has no name to find an ending for.
    require_export(orchestrator, output, cron)
    settings = load_settings(config, overrides or ())
    upstream = read_graph(settings, read_pii_key).upstream
    text = text_of(
        orchestrator, settings, upstream, workspace.resolve(), config, tuple(overrides or ()), cron
    )
    write_text(output, text, hint=hint)
    content = {"orchestrator": orchestrator, "path": str(output), "nodes": list(upstream)}
    said = f"{settings.pipeline_name} for {orchestrator}, {len(upstream)} nodes"
    answer(as_json, content, f"{output}: {said}")
