"""docs/vertex.md, docs/kubeflow.md and env.sh.example: what can be run on this machine is run."""

import json
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from fareline.packages import CHECKOUT
from lineage.store.address import PASSWORD_VARIABLES
from runners.submit.smoke import VARIABLES
from tests.forked import run_forked

DOCUMENTS = {"vertex": CHECKOUT / "docs/vertex.md", "kubeflow": CHECKOUT / "docs/kubeflow.md"}
# Of every document: by which words a command starts that needs no cloud and no image.
LOCAL = (
    "fareline check",
    "fareline compile",
    "fareline data sample",
    "fareline submit RUNNER --dry-run",
)
# What is not run: it needs a cluster, or is the work of minutes that other tests do.
ELSEWHERE = (
    "fareline run --spec",  # tests/e2e
    "fareline submit RUNNER --wait",
    "fareline submit RUNNER --cancel",
)
# Plumbing between processes, which nobody sets for Fareline.
PLUMBING = {"PATH", "PYTHONPATH", "_FARELINE_WORKERS"}  # the last is set by runs alone


def commands(document):
    """Every command in an `sh` block, on one line, without its comment."""
    for block in re.findall(r"```sh\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            yield re.sub(r"\s+#.*", "", line).strip()


def fareline_commands(runner):
    return [c for c in commands(DOCUMENTS[runner]) if c.startswith("fareline ")]


@pytest.mark.parametrize("runner", DOCUMENTS)
def test_every_command_of_ours_is_run_here_or_known(runner):
    found = fareline_commands(runner)
    starts = [start.replace("RUNNER", runner) for start in LOCAL + ELSEWHERE]
    assert [c for c in found if not c.startswith(tuple(starts))] == []
    for start in starts:
        assert [c for c in found if c.startswith(start)], f"{start} is not in the document"


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """Where a reader stands who has filled in env.sh."""
    folder = tmp_path_factory.mktemp("reader")
    text = (CHECKOUT / "env.sh.example").read_text(encoding="utf-8")
    filled = text.replace("example-", "made-up-").replace("example.com", "made-up.test")
    (folder / "env.sh").write_text(filled, encoding="utf-8")
    program, asked = folder / "bin" / "fareline", tmp_path_factory.mktemp("asked")
    program.parent.mkdir()
    # Notes what the shell made of the command; it is run in a fork.
    program.write_text(
        f'#!/bin/sh\nenv -0 > {asked}/environment\nprintf "%s\\0" "$@" > {asked}/words\n'
    )
    program.chmod(0o755)

    def run(command):
        done = subprocess.run(
            [shutil.which("sh"), "-c", f". ./env.sh && {command}"],
            cwd=folder,
            env={"PATH": f"{program.parent}:/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT),
                 "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=250,
        )  # fmt: skip
        if not command.startswith("fareline "):
            return done
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), command
        words, variables = (
            (asked / name).read_text(encoding="utf-8").split("\0")[:-1]
            for name in ("words", "environment")
        )
        environment = dict(variable.split("=", 1) for variable in variables)
        return run_forked([sys.executable, "-m", "cli.app", *words], cwd=folder, env=environment)

    return folder, run


@pytest.mark.parametrize("runner", DOCUMENTS)
def test_what_needs_no_cloud_works_as_written(runner, reader):
    folder, run = reader
    shutil.rmtree(folder / "bucket", ignore_errors=True)  # of the other document
    starts = ("mkdir -p", *(start.replace("RUNNER", runner) for start in LOCAL))
    answers = {}
    for command in (c for c in commands(DOCUMENTS[runner]) if c.startswith(starts)):
        done = run(command)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert done.stderr == "", command  # nothing is an example still
        answers[command.split()[1]] = done.stdout
    assert f"ready to run on {runner}" in answers["check"]
    request = json.loads(answers["submit"])
    assert request["platform"] == runner
    (upload,) = request["uploads"]
    assert upload["to"] == "gs://made-up-bucket/chicago-taxi/data/data.csv"
    assert (folder / "bucket/chicago-taxi/data/data.csv").read_bytes().count(b"\n") == 15_003
    name = {"vertex": "pipeline.json", "kubeflow": "pipeline.yaml"}[runner]
    spec = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
    executors = spec.get("pipelineSpec", spec)["deploymentSpec"]["executors"].values()
    images = {e["container"]["image"] for e in executors if "container" in e}
    assert images == {"europe-west4-docker.pkg.dev/made-up-project/fareline/pipeline:0.1.0"}


def test_the_bucket_of_the_documents_is_the_folder_with_the_input_file(reader):
    _, run = reader
    for runner in DOCUMENTS:
        mapped = [c for c in fareline_commands(runner) if c.startswith("fareline run")]
        assert mapped[0].endswith('--map "gs://$BUCKET=bucket"')
    assert run("echo $BUCKET").stdout == "made-up-bucket\n"


def test_every_variable_that_is_read_stands_in_the_example():
    read = set(PASSWORD_VARIABLES.values())
    for file in (CHECKOUT / "runners").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        read |= set(re.findall(r"environ(?:\.get|\.setdefault)?[\[(]\s*['\"](\w+)['\"]", text))
        read |= set(re.findall(r"^\w*_VARIABLE = ['\"](\w+)['\"]", text, re.MULTILINE))
    assert {"KUBEFLOW_TOKEN", "STORAGE_EMULATOR_HOST", "PGPASSWORD"} <= read  # they are found
    example = (CHECKOUT / "env.sh.example").read_text(encoding="utf-8")
    missing = {name for name in read - PLUMBING - set(VARIABLES) if name not in example}
    assert missing == set()


def test_the_example_holds_no_secret_and_the_copy_is_ignored():
    example = (CHECKOUT / "env.sh.example").read_text(encoding="utf-8")
    set_here = re.findall(r"^(?:export )?(\w+)=", example, re.MULTILINE)
    assert set_here
    assert [n for n in set_here if re.search("TOKEN|PASS|PWD|SECRET|CREDENTIALS", n)] == []
    ignored = subprocess.run(["git", "check-ignore", "env.sh"], cwd=CHECKOUT, capture_output=True)
    assert ignored.returncode == 0


@pytest.mark.parametrize("runner", DOCUMENTS)
def test_the_documents_say_what_was_never_run(runner):
    text = DOCUMENTS[runner].read_text(encoding="utf-8")
    assert re.search(
        r"^\*\*The commands on this page were not run in a (cloud|cluster)\.\*\*", text, re.M
    )
    assert "## What execution here cannot show" in text
    assert "## Sources" in text
