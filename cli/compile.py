"""`fareline compile`: the spec for a cluster."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cli.answer import answer
from cli.options import (
    ConfigOption,
    JsonOption,
    RefusedFromOption,
    RunnerArgument,
    SetOption,
    ToNodesOption,
    output_option,
)
from cli.views.clusters import require_runner, warn_of_examples
from cli.views.parts import require_no_beginning
from fareline.errors import SettingsError
from fareline.files import require_place, write_text
from runners.submit.quietly import compile_quietly

if TYPE_CHECKING:
    from pipeline.settings.runners import RunnerName


def compile_(
    runner: RunnerArgument,
    output: Annotated[
        Path | None,
        output_option("FILE", "File to write.", "NAME.yaml or NAME.json"),
    ] = None,
    config: ConfigOption = None,
    overrides: SetOption = None,
    from_nodes: RefusedFromOption = None,
    to_nodes: ToNodesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the pipeline as a specification for Kubeflow or Vertex. Needs no network."""
    from pipeline.settings.load import load_settings
    from runners.platforms.registry import PLATFORMS

    name = require_runner(runner, "compile")
    require_no_beginning(from_nodes)
    hint = "name another file with --output"
    if output is not None:
        require_place(output, hint)  # First: a folder has no name to find an ending for.
        require_suffix(output, name)
    settings = load_settings(config, overrides or ())
    path = output or Path(f"{settings.pipeline_name}{PLATFORMS[name].suffix}")
    require_place(path, hint)
    compiled = compile_quietly(settings, name, to_nodes or ())
    write_text(path, compiled.text, hint=hint)
    examples = warn_of_examples(settings, name)
    content = {
        "runner": name,
        "path": str(path),
        "pipeline_root": compiled.pipeline_root,
        "parameters": compiled.parameters,
        "example_values": dict(examples),
    }
    said = f"{settings.pipeline_name} for {name}, {len(compiled.text):,} bytes"
    answer(as_json, content, f"{path}: {said}")


def require_suffix(path: Path, runner: "RunnerName") -> None:
    """Refuses a name that says another format than the file would have.

    Raises:
        SettingsError: The suffix is that of another format.
    """
    from runners.platforms.registry import PLATFORMS

    suffix = PLATFORMS[runner].suffix
    if path.suffix not in (suffix, {".yaml": ".yml"}.get(suffix)):
        raise SettingsError.explain(
            str(path),
            f"its name ends in {path.suffix or 'nothing'}",
            f"expected {suffix}, by which every client knows the format",
            f"name it {path.with_suffix(suffix).name}",
        )
