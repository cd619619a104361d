"""The exported tasks, run by Luigi with two workers."""

import json
import subprocess

import pytest

pytestmark = pytest.mark.timeout(900)


def test_two_workers_run_what_a_local_run_does(export, environment, require_as_local):
    file = export("luigi", "taxi.py")
    command = [environment("luigi") / "python", file, "--run", "by-luigi", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout.splitlines()[-1])  # that of the end
    assert (outcome["run_id"], outcome["status"]) == ("by-luigi", "pushed")
    require_as_local("by-luigi", "luigi")
    again = subprocess.run(command, capture_output=True, text=True)  # the same run: nothing is left
    assert (again.returncode, json.loads(again.stdout.splitlines()[0])["continues"]) == (0, True)
    assert json.loads(again.stdout.splitlines()[-1])["nodes"] == outcome["nodes"]
