"""The mark of a whole `.venv`, and what it was built from.

Called by `install.py`. Standard library only, nothing newer than Python 3.8; runs no program, since
it is asked before every `make run`.
"""

import glob
import hashlib
import json
import os
from typing import List, Optional

from stacks import Choice, detect_machine

STAMP = "fareline-stamp.json"  # inside .venv, written last


def fingerprint(checkout: str, stack: str, lock_files: List[str], python: str) -> str:
    """Hashes all that decides what is in `.venv`.

    The place of the checkout is part of it, since the environment points there; so are the names of
    all files of pins, since a new one can mean that a better stack now fits.
    """
    folder = os.path.join(checkout, "requirements")
    names = sorted(os.path.basename(path) for path in glob.glob(os.path.join(folder, "*.txt")))
    total = hashlib.sha256()
    for part in (stack, python, checkout, repr(detect_machine()), repr(names)):
        total.update(part.encode("utf-8", "surrogateescape") + b"\0")
    for name in lock_files:
        with open(os.path.join(folder, name), "rb") as file:
            total.update(file.read() + b"\0")
    with open(os.path.join(checkout, "setup.py"), "rb") as file:
        total.update(file.read())
    return total.hexdigest()


def is_current(checkout: str, stack: Optional[str], python: Optional[str]) -> bool:
    """Says whether `.venv` is whole and is what a set-up would build now. Runs nothing.

    Args:
        checkout: The root of the project.
        stack: The stack that was asked for, or None for whichever is there.
        python: The interpreter that was asked for, or None.
    """
    venv = os.path.join(checkout, ".venv")
    try:
        with open(os.path.join(venv, STAMP), encoding="utf-8") as file:
            stamp = json.load(file)
        expected = fingerprint(checkout, stamp["stack"], stamp["locks"], stamp["python"])
        asked = stack in (None, stamp["stack"])
        asked = asked and python in (None, stamp["python"], stamp["asked"])
        runs = os.access(os.path.join(venv, "bin", "python"), os.X_OK)
        return asked and runs and stamp["fingerprint"] == expected
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_stamp(
    venv: str, checkout: str, choice: Choice, python: str, asked: Optional[str]
) -> None:
    """Marks an environment as whole.

    Args:
        venv: The environment, wherever it is now.
        checkout: The root of the project.
        choice: What was installed.
        python: The interpreter that it stands on.
        asked: The interpreter that the user named, such as a shim in front of `python`, or None.
    """
    locks = choice.stack.lock_files(choice.version)
    stamp = {
        "stack": choice.stack.name,
        "tfx": choice.stack.tfx,
        "python": python,
        "asked": asked,
        "locks": locks,
        "fingerprint": fingerprint(checkout, choice.stack.name, locks, python),
    }
    with open(os.path.join(venv, STAMP), "w", encoding="utf-8") as file:
        json.dump(stamp, file, indent=2)
