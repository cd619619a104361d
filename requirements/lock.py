"""Compiles the files of pins from the `.in` files: what `make requirements` runs.

Keeps the versions that are there unless `--upgrade` or `--upgrade-package NAME` says otherwise;
what follows the script's name goes to `uv pip compile`. The results hold hashes and no addresses.
"""

import os
import subprocess
import sys
from typing import List, NamedTuple

from stacks import STACKS
from uv_tool import SetupError, child_environment, get_uv, say

FOLDER = os.path.dirname(os.path.abspath(__file__))
# What every stack has. Beside it stands what `make docs` and `make wheel` add.
IN_EVERY_STACK = (
    ["certifi", "charset-normalizer", "click", "idna", "jinja2", "markdown", "markupsafe"]
    + ["packaging", "pygments", "python-dateutil", "pyyaml", "requests", "six"]
    + ["typing-extensions", "urllib3"]
)
OPTIONS = ["--generate-hashes", "--no-emit-index-url", "--no-annotate", "--no-header"]


class PinSet(NamedTuple):
    """One file of pins and how it is made."""

    name: str  # of the .txt file
    source: str  # the .in file
    options: List[str]


def list_sets() -> List[PinSet]:
    """Lists all files of pins, those that others take as a constraint before the others."""
    compat = ["--python-version", "3.10", "--python-platform", "x86_64-manylinux2014"]
    return [
        PinSet("uv.txt", "uv.in", ["--python-version", "3.8", "--universal"]),
        PinSet("compat.txt", "compat.in", compat),
        PinSet("compat-dev.txt", "compat-dev.in", compat),
        PinSet("tools.txt", "tools.in", _options_of_tools()),
    ] + _list_current_sets()


def _options_of_tools() -> List[str]:
    options = ["--python-version", "3.10", "--universal", "--constraints", "compat.txt"]
    for name in IN_EVERY_STACK:
        options += ["--no-emit-package", name]
    return options


def _list_current_sets() -> List[PinSet]:
    # Resolved for Linux, and good for macOS on arm64 too: the hashes of all platforms' wheels are
    # in it, and there the same resolution gives the same versions less two (jeepney, secretstorage)
    # that are pure Python and idle. `--universal` would bring markers for systems that TFX has no
    # wheels for, and versions that had to please them.
    stack = STACKS[0]
    sets = []
    for version in stack.pythons:
        runs, tests = stack.lock_files(version)
        options = ["--python-version", "%d.%d" % version]
        options += ["--python-platform", "x86_64-manylinux_2_%d" % stack.glibc[1]]
        sets.append(PinSet(runs, "current.in", options + ["--overrides", "current-overrides.in"]))
        sets.append(PinSet(tests, "dev.in", options + ["--constraints", runs]))
    return sets


def compile_set(uv: str, pins: PinSet, options: List[str], environment: dict) -> None:
    """Compiles one `.in` file into a `.txt` beside it.

    Raises:
        SetupError: uv failed (it has said why), or the result holds an address.
    """
    command = [uv, "pip", "compile", "--quiet", "--no-python-downloads", pins.source]
    command += ["--output-file", pins.name] + OPTIONS + pins.options + options
    if subprocess.run(command, cwd=FOLDER, env=environment).returncode != 0:
        raise SetupError(
            "requirements: uv could not compile %s from %s" % (pins.name, pins.source), exit_code=1
        )
    with open(os.path.join(FOLDER, pins.name), encoding="utf-8") as file:
        text = file.read()
    if "://" in text:
        raise SetupError(
            "requirements: %s holds an address; pins and hashes were expected. Hint: look for "
            "a URL in the .in files, or for --find-links in the settings of uv." % pins.name
        )
    say("%s holds %d packages" % (pins.name, text.count("==")))


def main() -> int:
    """Compiles all sets and returns the exit code."""
    environment = child_environment(dict(os.environ), os.path.dirname(FOLDER))
    try:
        uv = get_uv(os.path.dirname(FOLDER), environment)
        for pins in list_sets():
            compile_set(uv, pins, sys.argv[1:], environment)
    except SetupError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
