"""The compiled specs of the default pipeline, without what changes from build to build.

`make golden` (python -m tests.golden.golden_specs) writes them anew; look at the diff.
"""

import re
import sys
from pathlib import Path

from pipeline.settings.load import load_settings
from pipeline.settings.runners import RUNNER_NAMES
from runners.platforms.registry import PLATFORMS
from runners.submit.compilation import compile_spec

FOLDER = Path(__file__).parent
# Digests of sources and schema, and the versions of the stack.
_CHANGING = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "DIGEST"),
    (re.compile(r"\btfx-1\.\d+\.\d+\b"), "tfx-VERSION"),
    (re.compile(r'("tfx_version": )"[^"]+"'), r'\1"VERSION"'),
    (re.compile(r'("tfx_py_version": )"[^"]+"'), r'\1"VERSION"'),
)


def golden_path(runner):
    return FOLDER / f"{runner}{PLATFORMS[runner].suffix}"


def normalised_spec(runner):
    """The text for a runner, with names in place of versions, images and digests."""
    settings = load_settings()
    text = compile_spec(settings, runner).text
    text = text.replace(getattr(settings.runners, runner).image, "IMAGE")
    for pattern, name in _CHANGING:
        text = pattern.sub(name, text)
    return text


def main():
    for runner in RUNNER_NAMES:
        golden_path(runner).write_text(normalised_spec(runner), encoding="utf-8")
        sys.stdout.write(f"{golden_path(runner)}\n")


if __name__ == "__main__":
    main()
