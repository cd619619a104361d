"""Compiling without what TFX tells on stderr while it is imported."""

import tempfile
from pathlib import Path

from pipeline.settings.runners import RunnerName


def compile_quietly(runner: RunnerName, config: Path | None, overrides: list[str] | None):
    """Compiles, without what TFX tells on stderr while it is imported.

    Returns:
        The settings and the compiled spec.
    """
    from pipeline.settings.load import load_settings
    from pipeline.settings.settings import DEFAULT_PATH
    from runners.progress import output_to
    from runners.submit.compilation import compile_spec

    settings = load_settings(config or DEFAULT_PATH, overrides or ())
    with tempfile.TemporaryDirectory() as folder, output_to(Path(folder) / "log"):
        return settings, compile_spec(settings, runner)
