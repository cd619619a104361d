"""`fareline run --spec` as a user types it: mistakes in one line, and a run of shell commands."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from fareline.packages import CHECKOUT
from lineage.facts.runs import list_runs
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from tests.forked import run_forked
from tests.unit.runners.replay.handmade import SpecBuilder, constant, shell


def called(*arguments):
    return {
        "args": [sys.executable, "-m", "cli.app", *map(str, arguments)],
        "env": os.environ | {"PYTHONPATH": str(CHECKOUT), "COLUMNS": "100", "NO_COLOR": "1"},
        "cwd": "/",
    }


def fareline(*arguments):
    return run_forked(**called(*arguments))


@pytest.fixture
def spec(tmp_path):
    def write(builder):
        path = tmp_path / "spec.json"
        path.write_text(json.dumps(builder.spec))
        return path

    return write


def touch(tmp_path):
    return SpecBuilder().add("Only", shell("touch $0", f"{tmp_path}/done"))


def test_a_spec_runs_and_ends_well(tmp_path, spec):
    done = fareline("run", "--json", "--spec", spec(touch(tmp_path)), "--workspace", tmp_path / "w")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["status"], answer["nodes"][0]["state"]) == ("completed", "executed")
    assert (tmp_path / "done").is_file()
    assert done.stderr.splitlines()[0].endswith(" · kubeflow spec")
    assert "✓ Only" in done.stderr


def test_a_pipeline_that_pushes_nothing_says_so(tmp_path, spec):
    done = fareline("run", "--spec", spec(touch(tmp_path)), "--workspace", tmp_path / "w")
    assert done.returncode == 0
    assert "Completed: this pipeline pushes no model.\n" in done.stderr
    assert "Blessed by" not in done.stderr


def test_a_failure_names_the_command_that_repeats_it(tmp_path, spec):
    path = spec(SpecBuilder().add("Bad", shell("echo boom; exit 9")))
    done = fareline("run", "--spec", path, "--workspace", tmp_path / "w")
    assert done.returncode == 1
    assert "✗ Bad failed: exit code 9: boom; expected exit code 0. Hint: its log is " in done.stderr
    assert "command.sh repeats exactly what was run." in done.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_what_runs(tmp_path, spec, number, code):
    builder = SpecBuilder().add("Long", shell("touch $0; sleep 60", f"{tmp_path}/begun"))
    command = ["run", "--spec", spec(builder), "--workspace", tmp_path / "w"]
    process = subprocess.Popen(**called(*command), stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if (tmp_path / "begun").is_file():
            break
        time.sleep(0.1)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert stderr.splitlines()[-1].endswith(
        ": interrupted; finished work is kept, and the next run resumes from it"
    )
    [run] = list_runs(Graph(open_store(tmp_path / "w" / "metadata.db")))
    assert (run.outcome, [node.state for node in run.nodes]) == ("interrupted", ["failed"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--spec", "none.json"], "none.json: cannot be read (No such file or directory);"),
        (["--map", "gs://b=/x"], "--map: given without --spec; expected a compiled specification"),
        (["--param", "a=1"], "--param: given without --spec;"),
        (["--spec", "SPEC", "--map", "b"], "--map b: is not a bucket and a folder;"),
        (["--spec", "SPEC", "--param", "a=1"], "parameter a: is none of this pipeline's;"),
        (
            ["--spec", "SPEC", "--param", "a=1", "--set", "seed=3"],
            "--param: given together with --set;",
        ),
    ],
)
def test_mistakes_are_one_line_and_nothing_starts(tmp_path, spec, arguments, message):
    path = spec(touch(tmp_path))
    arguments = [str(path) if a == "SPEC" else a for a in arguments]
    done = fareline("run", *arguments, "--workspace", tmp_path / "w")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "w").exists() and not (tmp_path / "done").exists()


def test_a_bucket_without_a_folder_is_a_mistake(tmp_path, spec):
    builder = SpecBuilder().add(
        "Only", shell("true"), parameters={"p": ("text", constant("gs://b/x"))}
    )
    done = fareline("run", "--spec", spec(builder), "--workspace", tmp_path / "w")
    assert done.returncode == 2
    assert done.stderr == (
        "fareline: Only.p: gs://b/x is remote; expected a folder that stands for it. Hint: add "
        "--map gs://b=DIR.\n"
    )
