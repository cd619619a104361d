"""Compiles without TFX's messages on stderr during its import."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fareline.scratch import scratch_folder

if TYPE_CHECKING:
    from pipeline.settings.runners import RunnerName
    from pipeline.settings.settings import Settings
    from runners.submit.compilation import CompiledSpec


def compile_quietly(
    settings: "Settings", runner: "RunnerName", to_nodes: Sequence[str] = ()
) -> "CompiledSpec":
    """`compile_spec` without TFX's messages on stderr during its import."""
    from runners.progress import output_to
    from runners.submit.compilation import compile_spec

    with scratch_folder("fareline-compile-") as folder, output_to(Path(folder) / "log"):
        return compile_spec(settings, runner, to_nodes)
