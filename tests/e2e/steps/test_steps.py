"""A run whose nodes are processes of their own does what a whole run does."""

import json
import subprocess
import sys

import pytest

from cli.answers.answers import require_as_declared
from tests.e2e.conftest import fareline_command, run_fareline
from tests.forked import run_forked

pytestmark = [pytest.mark.e2e, pytest.mark.replay, pytest.mark.timeout(900)]

RUN = "nightly-1"


def ask(*words, code=0):
    done = run_forked(**fareline_command(*words))
    assert done.returncode == code, done.stderr
    require_as_declared(" ".join(words[:2]), done.stdout)
    return json.loads(done.stdout)


def test_nothing_differs_but_the_runner(small_workspace, small_settings):
    settings = [word for each in small_settings for word in ("--set", each)]
    place = ("--workspace", small_workspace)
    begun = ask("step", "begin", "--run", RUN, *place, *settings)
    assert begun["continues"] is False
    lines = [ask("step", "run", node, "--run", RUN, *place) for node in begun["nodes"]]
    states = {line["node"]: line["state"] for line in lines}
    resolver = states.pop("BaselineResolver")
    assert (resolver, len(states)) == ("executed", 14)
    # The first run had no baseline to compare with.
    assert {n for n, state in states.items() if state == "executed"} <= {"Evaluator", "Pusher"}
    outcome = ask("step", "end", "--run", RUN, *place)
    assert (outcome["run_id"], outcome["status"]) == (RUN, "pushed")
    assert [node["name"] for node in outcome["nodes"]] == list(begun["nodes"])
    assert run_fareline(small_workspace, *small_settings).exit_code == 0
    compared = ask("lineage", "diff", RUN, "latest", "--json", *place)
    assert compared["differs"] == ["runner"]
    [change] = compared["groups"]["runner"]["changes"]
    assert (change["a"], change["b"]) == ("steps", "local")
    assert ask("lineage", "verify", "--json", *place)["findings"] == []
    again = ask("step", "begin", "--run", RUN, *place, *settings)
    assert again["continues"] is True
    _by_a_warm_process(place, settings, list(begun["nodes"]))
    done = run_forked(**fareline_command("step", "begin", "--run", RUN, *place))
    assert done.returncode == 2
    assert done.stderr.startswith(
        "fareline: nightly-1: has begun already, with other settings; expected the same, to go on"
    )


def _by_a_warm_process(place, settings, nodes):
    """A command that fails where a step is not handed over."""
    begun = ask("step", "begin", "--run", "warm", "--warm", *place, *settings)
    assert list(begun["nodes"]) == nodes
    code = "from runners.steps.hand_over import hand_over; hand_over(); raise SystemExit(99)"
    states = {}
    for node in nodes:
        words = ["step", "run", node, "--run", "warm", *map(str, place)]
        asked = fareline_command()
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(
            command, cwd=asked["cwd"], env=asked["env"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        require_as_declared("step run", done.stdout)
        states[node] = json.loads(done.stdout)["state"]
    assert {n for n, state in states.items() if state == "executed"} <= {
        "BaselineResolver", "Evaluator", "Pusher",
    }  # fmt: skip
    outcome = ask("step", "end", "--run", "warm", *place)
    assert outcome["status"] == "pushed"
    compared = ask("lineage", "diff", RUN, "warm", "--json", *place)
    assert compared["differs"] == []
