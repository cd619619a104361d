"""What a test run makes once, also where several workers share its tests.

Each worker of pytest-xdist has session fixtures of its own; a fixture whose value costs a pipeline
asks for it here.
"""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def once(tmp_path_factory, name: str, make: Callable[[Path], Any]) -> tuple[Path, Any]:
    """Gives a folder that the first asker fills and the others wait for.

    Args:
        tmp_path_factory: Pytest's fixture.
        name: Of the folder.
        make: Fills the folder, which is empty, and returns what JSON can hold.

    Returns:
        The folder, which no test may change, and what `make` returned.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # a worker's own folder is in that of the test run
    folder, answer = base / f"once-{name}", base / f"once-{name}.json"
    with open(base / f"once-{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answer.exists():
            if folder.exists():
                pytest.fail(f"shared: {name} could not be made; see the first test that asked")
            folder.mkdir()
            answer.write_text(json.dumps(make(folder)), encoding="utf-8")
    return folder, json.loads(answer.read_text(encoding="utf-8"))
