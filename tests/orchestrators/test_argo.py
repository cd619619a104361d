"""The exported workflow, executed by an interpreter of its DAG; not by Argo itself."""

import os

import pytest

from tests.orchestrators.argo_interpreter import run_workflow
from tests.orchestrators.conftest import FARELINE

pytestmark = pytest.mark.timeout(900)


def test_the_workflow_runs_what_a_local_run_does(export, workspace, tmp_path, require_as_local):
    file = export("argo", "taxi.yaml")
    environment = {**os.environ, "PATH": f"{FARELINE.parent}:{os.environ['PATH']}"}
    workspace.mkdir(exist_ok=True)
    codes = run_workflow(file, "by-argo", tmp_path, workspace, environment)
    assert set(codes.values()) == {0}
    assert (*list(codes)[:: len(codes) - 1], len(codes)) == ("begin", "end", 17)
    require_as_local("by-argo", "argo")


def test_a_step_that_fails_omits_what_follows_and_the_end_tells(export, workspace, tmp_path):
    """The script of the image does not fail: one in its place does, for one node."""
    file = export("argo", "taxi.yaml")
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / "fareline"
    stand_in.write_text(
        '#!/bin/sh\n[ "$3" = Transform ] && exit 1\n[ "$2" = end ] && exit 3\nexit 0\n'
    )
    stand_in.chmod(0o755)
    environment = {**os.environ, "PATH": f"{stand_in.parent}:{os.environ['PATH']}"}
    codes = run_workflow(file, "by-argo-2", tmp_path, workspace, environment)
    assert codes["Transform"] == 1
    assert not {"Tuner", "Trainer", "Pusher"} & set(codes)
    assert codes["end"] == 0  # refused is no failure of the workflow
