"""Finds the Pythons of this machine and tries each by running it.

Called by `install.py`. A name on PATH proves nothing: pyenv's shims exist for versions that are not
switched on, and fail when run. Standard library only, nothing newer than Python 3.8.
"""

import glob
import json
import os
import re
import subprocess
import sys
from typing import Dict, Iterable, List, NamedTuple, Optional

from stacks import Choice, Version

# What a candidate is asked. It answers with the interpreter behind a shim or a virtual environment:
# an environment made from another environment breaks when that one is deleted, ours included.
_QUESTION = """
import json, os, platform, struct, sys, sysconfig
path = sys.executable
if sys.prefix != getattr(sys, "base_prefix", sys.prefix):
    path = os.path.join(sys.base_prefix, "bin", "python%d.%d" % sys.version_info[:2])
include = sysconfig.get_paths().get("include") or ""
print(json.dumps({
    "path": path,
    "version": list(sys.version_info[:3]),
    "name": platform.python_implementation(),
    "machine": platform.machine(),
    "bits": struct.calcsize("P") * 8,
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "headers": os.path.exists(os.path.join(include, "Python.h")),
}))
"""


class Interpreter(NamedTuple):
    """One candidate and what became of running it."""

    asked: str  # as it was found
    path: str  # the interpreter behind it
    version: Optional[Version]  # None if it does not run
    problem: str  # why it cannot be used for any stack; empty if it can
    headers: bool  # whether Python.h is there, for packages that have no wheel

    def misfit(self, choice: Choice) -> str:
        """Says why this interpreter does not serve a choice; empty if it does."""
        if self.problem:
            return self.problem
        if self.version != choice.version:
            return "is Python %d.%d" % self.version
        if choice.compiles and not self.headers:
            return "is Python %d.%d without Python.h, which %s needs (Debian: python%d.%d-dev)" % (
                self.version + (choice.compiles[0],) + self.version
            )
        return ""


def list_candidates(versions: Iterable[Version], environment: Dict[str, str]) -> List[str]:
    """Lists files that may be a Python of one of these versions; runs none of them.

    Args:
        versions: What is wanted, best first.
        environment: Where PATH, HOME, PYENV_ROOT and UV_PYTHON_INSTALL_DIR are read from.

    Returns:
        Paths in the order of preference, each once.
    """
    names = ["%d.%d" % version for version in versions]
    folders = [folder for folder in environment.get("PATH", "").split(os.pathsep) if folder]
    found = [
        os.path.join(folder, program)
        for program in ["python" + name for name in names] + ["python3", "python"]
        for folder in folders
    ]
    for name in names:
        for root in pyenv_roots(environment):
            builds = glob.glob(os.path.join(root, "versions", name + ".*", "bin", "python"))
            found += sorted(builds, key=_numbers, reverse=True)
    found.append(sys.executable)
    return [path for path in dict.fromkeys(found) if os.access(path, os.X_OK)]


def pyenv_roots(environment: Dict[str, str]) -> List[str]:
    """Names the folders in which pyenv keeps versions on this machine."""
    home = environment.get("HOME") or os.path.expanduser("~")
    roots = [environment.get("PYENV_ROOT"), os.path.join(home, ".pyenv")]
    return list(dict.fromkeys(root for root in roots if root))


def _numbers(path: str) -> List[int]:
    return [int(number) for number in re.findall(r"\d+", path)]


def try_interpreter(asked: str, machine: str, environment: Dict[str, str]) -> Interpreter:
    """Runs one candidate and asks it what it is.

    Args:
        asked: The path of the candidate.
        machine: The processor that the wheels are for, to refuse an emulated Python.
        environment: The variables to run it with.
    """
    try:
        answer = subprocess.run(
            [asked, "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=20,
            env=environment,
        )
        facts = json.loads(answer.stdout) if answer.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return Interpreter(asked, asked, None, "does not run (%s)" % error, False)
    if facts is None:
        complaint = (answer.stderr.strip().splitlines() or ["no output"])[0]
        return Interpreter(asked, asked, None, "does not run (%s)" % complaint[:100], False)
    version = (facts["version"][0], facts["version"][1])
    return Interpreter(asked, facts["path"], version, _unusable(facts, machine), facts["headers"])


def _unusable(facts: dict, machine: str) -> str:
    name = "is %s %d.%d" % ((facts["name"],) + tuple(facts["version"][:2]))
    if facts["name"] != "CPython":
        return name
    if facts["free_threaded"]:
        return name + " without the GIL, for which there are no wheels"
    if facts["bits"] != 64 or facts["machine"] != machine:
        return "%s for %s, %d bits" % (name, facts["machine"], facts["bits"])
    return ""


def ask_uv(uv: str, version: Version, environment: Dict[str, str], download: bool) -> Optional[str]:
    """Asks uv for an interpreter.

    Args:
        uv: The program.
        version: What is wanted.
        environment: The variables to run it with.
        download: Whether uv is to fetch one, and answer with that.

    Returns:
        A path, or None where uv knows of no such Python or cannot download one.
    """
    name = "%d.%d" % version
    find = [uv, "python", "find", "--system", "--no-python-downloads", "--no-project", name]
    # --no-bin: it is for this checkout, so no link to it goes into the user's PATH.
    install = [uv, "python", "install", "--no-bin", name]
    answer = None
    for command in [install, find + ["--managed-python"]] if download else [find]:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            universal_newlines=True,
            env=environment,
        )
        if done.returncode != 0:
            return None
        answer = done.stdout.strip() or None
    return answer
