"""Compiles the files of pins from the `.in` files: what `make requirements` runs.

Keeps the versions that are there unless `--upgrade` or `--upgrade-package NAME` says otherwise;
what follows the script's name goes to `uv pip compile`. The results hold hashes and no addresses.
"""

import os
import subprocess
import sys
from typing import List

from uv_tool import SetupError, child_environment, get_uv, say

FOLDER = os.path.dirname(os.path.abspath(__file__))
OPTIONS = ["--generate-hashes", "--no-emit-index-url", "--no-annotate", "--no-header"]
COMPAT = ["--python-version", "3.10", "--python-platform", "x86_64-manylinux2014"]
# In this order: compat-dev.in takes compat.txt as a constraint.
SETS = {"uv": ["--python-version", "3.8", "--universal"], "compat": COMPAT, "compat-dev": COMPAT}


def compile_set(uv: str, name: str, options: List[str], environment: dict) -> None:
    """Compiles one `.in` file into the `.txt` beside it.

    Raises:
        SetupError: uv failed (it has said why), or the result holds an address.
    """
    command = [uv, "pip", "compile", "--quiet", "--no-python-downloads", name + ".in"]
    command += ["--output-file", name + ".txt"] + OPTIONS + SETS[name] + options
    if subprocess.run(command, cwd=FOLDER, env=environment).returncode != 0:
        raise SetupError("requirements: uv could not compile %s.in" % name, exit_code=1)
    with open(os.path.join(FOLDER, name + ".txt"), encoding="utf-8") as file:
        text = file.read()
    if "://" in text:
        raise SetupError(
            "requirements: %s.txt holds an address; pins and hashes were expected. Hint: look for "
            "a URL in the .in files, or for --find-links in the settings of uv." % name
        )
    say("%s.txt holds %d packages" % (name, text.count("==")))


def main() -> int:
    """Compiles all sets and returns the exit code."""
    environment = child_environment(dict(os.environ), os.path.dirname(FOLDER))
    try:
        uv = get_uv(os.path.dirname(FOLDER), environment)
        for name in SETS:
            compile_set(uv, name, sys.argv[1:], environment)
    except SetupError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
