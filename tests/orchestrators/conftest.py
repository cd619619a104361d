"""An environment for each orchestrator, one workspace, and what each run is held to.

`make test-orchestrators` alone runs these tests: they install what they need from pinned
requirements, beside Fareline and never with it.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fareline.packages import CHECKOUT
from tests.e2e.conftest import FEW, SMALL, small_csv  # noqa: F401 - a fixture

REQUIREMENTS = CHECKOUT / "requirements" / "orchestrators"
ENVIRONMENTS = CHECKOUT / ".venv" / "orchestrators"
FARELINE = Path(sys.executable).parent / "fareline"


@pytest.fixture(scope="session")
def environment():
    """Gives the folder of programs of an environment that is built once for its requirements."""

    def build(name):
        pins = REQUIREMENTS / f"{name}.txt"
        digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:12]
        folder = ENVIRONMENTS / f"{name}-{digest}"
        if not (folder / "whole").is_file():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "-r"]
            subprocess.run([*pip, str(pins)], check=True)
            (folder / "whole").touch()
        return folder / "bin"

    return build


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("orchestrators") / "workspace"


@pytest.fixture
def settings(small_csv, request):  # noqa: F811
    """`--set` words; the seed is each test's own, so that its models are trained anew."""
    seed = int(hashlib.sha256(request.node.name.encode()).hexdigest()[:6], 16)
    values = (f"data.source.csv={small_csv}", *SMALL, FEW, f"seed={seed}")
    return [word for value in values for word in ("--set", value)]


def fareline(*words, code=0):
    done = subprocess.run(
        [str(FARELINE), *map(str, words)], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.fixture
def export(tmp_path, workspace, settings):
    def export(name, file, *words):
        fareline("export", name, "-o", tmp_path / file, "-w", workspace, *words, *settings)
        return tmp_path / file

    return export


@pytest.fixture
def require_as_local(workspace, settings):
    """Holds a run against a local one of the same settings: only the runner differs."""

    def require(run_id, runner):
        [run] = [
            r for r in json.loads(fareline("runs", "--json", "-w", workspace))
            if r["run_id"] == run_id
        ]  # fmt: skip
        states = {node["name"]: node["state"] for node in run["nodes"]}
        assert len(states) == 15
        assert set(states.values()) <= {"executed", "cached"}
        assert states["Trainer"] == "executed"
        fareline("run", "-w", workspace, *settings)
        compared = json.loads(
            fareline("lineage", "diff", run_id, "latest", "--json", "-w", workspace)
        )
        assert compared["differs"] == ["runner"]
        [change] = compared["groups"]["runner"]["changes"]
        assert (change["a"], change["b"]) == (runner, "local")
        assert (
            json.loads(fareline("lineage", "verify", "--json", "-w", workspace))["findings"] == []
        )

    return require
