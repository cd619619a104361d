"""Builds the distributions and tries the wheel: what `make wheel` runs.

Builds twice, from two copies of the committed files, and compares the bytes. Then installs the
wheel by what its metadata asks for, at the pinned versions, into an empty environment, and runs the
command there from an empty folder. Takes the packages from uv's cache if they are in it.
"""

import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Dict, List

from uv_tool import SetupError, child_environment, get_uv, say

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOOLS = os.path.join(CHECKOUT, ".uv", "tools")
# One for each kind of thing that a wheel can lack: the version, package data, the command's parts.
TRIALS = (["--version"], ["settings"], ["check"], ["lineage", "--help"], ["compile", "--help"])


def build(folder: str, environment: Dict[str, str]) -> Dict[str, str]:
    """Builds sdist and wheel from a copy of the committed files, and returns their SHA-256.

    Args:
        folder: An empty folder to work in; the distributions end up in its `dist`.
        environment: The variables to run programs with.
    """
    source = os.path.join(folder, "source")
    packed = os.path.join(folder, "source.tar")
    _run(["git", "archive", "--output", packed, "HEAD"], environment)
    shutil.unpack_archive(packed, source)
    into = os.path.join(folder, "dist")
    environment = dict(environment, PYTHONPATH=TOOLS)
    _run([sys.executable, "-m", "build", "-n", "--outdir", into, source], environment)
    digests = {}
    for path in sorted(glob.glob(os.path.join(into, "*"))):
        with open(path, "rb") as file:
            digests[os.path.basename(path)] = hashlib.sha256(file.read()).hexdigest()
    return digests


def try_wheel(wheel: str, folder: str, environment: Dict[str, str]) -> None:
    """Installs a wheel into an empty environment and runs the command from an empty folder.

    Args:
        wheel: The wheel.
        folder: A folder to work in.
        environment: The variables to run programs with.

    Raises:
        SetupError: It cannot be installed, or a command fails.
    """
    uv = get_uv(CHECKOUT, environment)
    venv = os.path.join(folder, "venv")
    _run([uv, "venv", "--quiet", "--no-project", "--python", sys.executable, venv], environment)
    with open(os.path.join(CHECKOUT, ".venv", "fareline-stamp.json"), encoding="utf-8") as file:
        stamp = json.load(file)
    requirements = os.path.join(CHECKOUT, "requirements")
    command = [uv, "pip", "install", "--quiet", "--python", os.path.join(venv, "bin", "python")]
    command += ["--constraints", os.path.join(requirements, stamp["locks"][0])]
    if stamp["stack"] == "current":
        command += ["--overrides", os.path.join(requirements, "current-overrides.in")]
    _run(command + [wheel + "[all]"], environment)
    empty = os.path.join(folder, "empty")
    os.mkdir(empty)
    for words in TRIALS:
        _run([os.path.join(venv, "bin", "fareline"), *words], environment, empty)
        say("in the empty environment: fareline %s" % " ".join(words))


def _run(command: List[str], environment: Dict[str, str], folder: str = CHECKOUT) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode != 0:
        said = done.stdout.decode("utf-8", "replace").strip()[-2000:]
        raise SetupError("wheel: %s failed:\n%s" % (" ".join(command), said), exit_code=1)


def main() -> int:
    """Builds, compares, tries, and returns the exit code."""
    environment = child_environment(dict(os.environ), CHECKOUT)
    try:
        with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
            digests = build(first, environment)
            again = build(second, environment)
            if digests != again:
                raise SetupError(
                    "wheel: two builds of the same sources differ: %s and %s; the same bytes were "
                    "expected." % (digests, again),
                    exit_code=1,
                )
            dist = os.path.join(CHECKOUT, "dist")
            shutil.rmtree(dist, ignore_errors=True)
            shutil.copytree(os.path.join(first, "dist"), dist)
            for name, digest in digests.items():
                say("dist/%s sha256 %s, the same twice" % (name, digest))
            [wheel] = [name for name in digests if name.endswith(".whl")]
            try_wheel(os.path.join(dist, wheel), first, environment)
    except SetupError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
