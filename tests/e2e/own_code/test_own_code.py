"""docs/own-code.md as it is typed: a package of one's own runs, an edit, an error with its line."""

import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from typing import Any

import pytest
import yaml

from fareline.packages import CHECKOUT
from pipeline.settings.settings import DEFAULT_PATH
from tests.e2e.conftest import FEW, fareline_command, run_fareline
from tests.forked import run_forked

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

DOCUMENT = (CHECKOUT / "docs" / "own-code.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
COMMANDS = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)[0].splitlines()
QUICK = (FEW, "training.steps=32", "training.evaluate_every=16", "tuning.trials=1",
         "tuning.steps=4")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Tried:
    """What the commands left: the folder, the first run, and how to run again."""

    folder: Any
    first: Any
    again: Any


@pytest.fixture(scope="module")
def tried(tmp_path_factory, small_csv):
    folder = tmp_path_factory.mktemp("own-code")
    init, run, test = map(shlex.split, COMMANDS)
    assert (init[0], run[0], test[:3]) == ("fareline", "fareline", ["python", "-m", "pytest"])
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "cli.app", *init[1:]]
    done = run_forked(args=command, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    tests = subprocess.run(
        [sys.executable, *test[1:], "-q", "-p", "no:cacheprovider"],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert tests.returncode == 0, tests.stdout
    config = ("--config", folder / run[run.index("--config") + 1])

    def again(*more):
        settings = (*QUICK, f"data.source.csv={small_csv}", *more)
        return run_fareline(folder / "own", *settings, arguments=config)

    return Tried(folder, again(), again)


def test_the_written_package_runs_as_it_is(tried):
    assert tried.first.exit_code == 0, tried.first.stderr
    assert tried.first.nodes_in("executed") >= {"Transform", "Trainer", "Pusher"}


def test_an_edit_executes_what_it_concerns_and_an_error_shows_its_line(tried):
    unused = tried.folder / "taxi_code" / "unused.py"
    unused.write_text("NOTHING = 0\n")
    model = tried.folder / "taxi_code" / "model.py"
    sound = model.read_text()
    broken = sound.replace(
        "    inputs, parts = {}, []\n", '    raise RuntimeError("no layers today")\n'
    )
    model.write_text(broken)
    failed = tried.again()
    line = broken.splitlines().index('    raise RuntimeError("no layers today")') + 1
    assert failed.exit_code == 1
    assert failed.answer["error"] == "Trainer: RuntimeError: no layers today"
    assert failed.answer["failed_at"] == f"{model}:{line}, in build_model"
    assert failed.states()["Tuner"] == failed.states()["Transform"] == "cached"

    model.write_text(sound)
    # Since the first run there is a model to compare with.
    judged = tried.again(*with_own_metric_and_slices(tried.folder))
    assert judged.nodes_in("executed") == {"Evaluator", "Pusher"}
    costs, slices = judged.answer["metrics"]["cost"], judged.answer["slices"]
    shifts = [slices[f"shift={name}"] for name in ("day", "night")]
    counts = [each["example_count"] for each in shifts]
    assert sum(counts) == judged.answer["metrics"]["example_count"]
    mean = sum(n * each["cost"] for n, each in zip(counts, shifts, strict=True)) / sum(counts)
    assert costs == pytest.approx(mean, rel=1e-9)  # a mean is that of its parts
    checks = judged.answer["why"]["evaluator"]["verdict"]["checks"]
    found = {(c["slice"], c["kind"]) for c in checks if c["metric"] == "cost"}
    assert found >= {("overall", "at_most"), ("shift=day", "at_most"), ("shift", "max_gap")}


def with_own_metric_and_slices(folder):
    """Writes the document's functions; returns its settings."""
    [source] = [text for text in PYTHON if "def shift" in text]
    (folder / "taxi_code" / "judge.py").write_text(source)
    [text] = [text for text in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
              if "evaluation:" in text]  # fmt: skip
    settings = yaml.safe_load(text)
    settings["evaluation"]["thresholds"]["auc"] = {"at_least": 0.1}
    return [
        f"{section}.{key}={json.dumps(value)}"
        for section, values in settings.items()
        for key, value in values.items()
    ]


def test_a_mistake_is_one_line_with_exit_code_2_before_anything_runs(tried):
    file = tried.folder / "taxi_code" / "preprocessing.py"
    sound = file.read_text()
    file.write_text("import no_such_thing\n" + sound)
    refused = tried.again()
    file.write_text(sound)
    assert refused.exit_code == 2
    assert f"code.preprocessing_fn: {file}:1: ModuleNotFoundError: " in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.replay
@pytest.mark.parametrize("runner", ["vertex", "kubeflow"])
def test_a_compiled_spec_runs_the_package_and_its_component(tried, small_csv, tmp_path, runner):
    [graph] = [text for text in PYTHON if "@component" in text]
    (tried.folder / "taxi_code" / "graph.py").write_text(graph)
    data = tmp_path / "bucket" / "own-code" / "data"
    data.mkdir(parents=True)
    shutil.copy(small_csv, data)
    known = yaml.safe_load(DEFAULT_PATH.read_text(encoding="utf-8"))["runners"][runner]
    cluster = f"runners.{runner}={json.dumps(known)}"
    source = f"data.source.csv={small_csv}"
    settings = (*QUICK, source, "code.components=taxi_code.graph.components", cluster)
    config, spec = ("--config", tried.folder / "taxi_code.yaml"), tmp_path / "own.json"
    spec = spec if runner == "vertex" else spec.with_suffix(".yaml")
    chosen = [part for setting in settings for part in ("--set", setting)]
    compiled = run_forked(**fareline_command("compile", runner, "-o", spec, *config, *chosen))
    assert compiled.returncode == 0, compiled.stderr
    arguments = ("--spec", spec, f"--map=gs://example-bucket={tmp_path / 'bucket'}", *config)
    done = run_fareline(tmp_path / "workspace", *settings, arguments=arguments)
    assert done.exit_code == 0, done.stderr
    assert done.nodes_in("executed") >= {"Transform", "Trainer", "ModelSize", "Pusher"}
