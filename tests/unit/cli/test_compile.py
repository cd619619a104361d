"""`fareline compile` and `fareline check`: files, answers, and one line per mistake."""

import json
import os
import sys

import pytest
import yaml

from data.taxi import taxi_csv_path
from fareline.packages import CHECKOUT
from tests.forked import run_forked
from tests.told import without_origin

OURS = tuple(
    part
    for setting in ("image=r.test/fareline:1", "bucket=gs://mine", "host=https://kf.test")
    for part in ("--set", f"runners.kubeflow.{setting}")
)


def fareline(*arguments, folder):
    return run_forked(
        [sys.executable, "-m", "cli.app", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "NO_COLOR": "1"},
    )


@pytest.mark.slow
def test_a_spec_is_written_and_examples_are_named(tmp_path):
    ran = fareline("compile", "kubeflow", "-o", "p.yaml", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (
        0,
        "fareline: warning: examples still: "
        "runners.kubeflow.image=registry.example.com/fareline:0.1.0, "
        "runners.kubeflow.bucket=gs://example-bucket, "
        "runners.kubeflow.host=https://kubeflow.example.com\n",
    )
    text = (tmp_path / "p.yaml").read_text()
    assert yaml.safe_load(text)["pipelineInfo"] == {"name": "chicago-taxi"}
    assert ran.stdout == f"p.yaml: chicago-taxi for kubeflow, {len(text):,} bytes\n"
    assert [file.name for file in tmp_path.iterdir()] == ["p.yaml"]


@pytest.mark.slow
def test_the_answer_as_json(tmp_path):
    mine = ["project=my-project", "bucket=gs://mine", "image=r.test/fareline:1"]
    options = [part for value in mine for part in ("--set", f"runners.vertex.{value}")]
    ran = fareline("compile", "vertex", "--json", *options, folder=tmp_path)
    assert ran.stderr == ""
    assert json.loads(ran.stdout) == {
        "runner": "vertex",
        "path": "chicago-taxi.json",
        "pipeline_root": "gs://mine/chicago-taxi/artifacts",
        "parameters": {
            "data_path": "gs://mine/chicago-taxi/data",
            "tuning_trials": 4,
            "training_steps": 640,
        },
        "example_values": {},
    }
    job = json.loads((tmp_path / "chicago-taxi.json").read_text())
    assert job["runtimeConfig"]["gcsOutputDirectory"] == "gs://mine/chicago-taxi/artifacts"


@pytest.mark.slow
def test_a_spec_that_cannot_be_written_is_one_line(tmp_path):
    ran = fareline("compile", "vertex", "-o", "no/p.json", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (
        2,
        "fareline: no: no such folder; expected one. Hint: make it first; or name another file "
        "with --output.\n",
    )


def test_check_gives_every_problem_and_writes_nothing(tmp_path):
    ran = fareline(
        "check", "vertex", "--set", "runners.vertex.image=fareline",
        "--set", "runners.vertex.data_path=rows", "--json",
        folder=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 2
    problems = json.loads(ran.stdout)["problems"]
    assert [without_origin(line).partition(":")[0] for line in problems] == [
        "runners.vertex.bucket",  # examples still
        "runners.vertex.project",
        "runners.vertex.data_path",
        "runners.vertex.image",
    ]
    assert ran.stderr == "fareline: " + "\n".join(problems) + "\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_check_warns_of_personal_columns_and_of_gaps_between_spans(tmp_path):
    header, *lines = taxi_csv_path().read_text().splitlines()[:9]
    for span in (1, 2, 5):
        (tmp_path / f"span-{span}").mkdir()
        rows = [f"{line},p{i}@example.org" for i, line in enumerate(lines)]
        (tmp_path / f"span-{span}" / "rows.csv").write_text("\n".join([f"{header},contact", *rows]))
    pattern = f"{tmp_path}/span-{{SPAN}}/*.csv"
    call = ("check", "kubeflow", "--json", "--set", f"data.source.csv={pattern}", *OURS)
    ran = fareline(*call, folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    warnings = [
        "warning: column contact looks like e-mail addresses; data.columns.contact says what "
        "becomes of it",
        f"warning: {pattern}: there is no span 3 to 4 among 1 to 2, 5",
    ]
    assert json.loads(ran.stdout)["warnings"] == warnings
    assert ran.stderr.splitlines() == [f"fareline: {line}" for line in warnings]


@pytest.mark.parametrize("command", [("compile",), ("check",)])
def test_an_unknown_runner_is_one_line(tmp_path, command):
    ran = fareline(*command, "kubefow", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (
        2,
        f"fareline: fareline {' '.join(command)}: found kubefow; expected kubeflow or vertex. "
        "Hint: did you mean kubeflow? `fareline run` is for this machine.\n",
    )


def test_the_name_of_the_file_tells_its_format(tmp_path):
    ran = fareline("compile", "kubeflow", "-o", "p.json", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (
        2,
        "fareline: p.json: its name ends in .json; expected .yaml, by which every client knows the "
        "format. Hint: name it p.yaml.\n",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["compile", "submit"])
def test_a_part_that_begins_later_is_refused_with_the_reason(tmp_path, command):
    ran = fareline(command, "vertex", "--from", "Trainer", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (
        2,
        "fareline: --from Trainer: a specification cannot reuse the outputs of an earlier run: TFX "
        "has partial runs only for runners with a store; expected --to, a part that begins with "
        "the data. Hint: to begin with Transform, set pipeline: training and data.prepared.\n",
    )
    assert list(tmp_path.iterdir()) == []
