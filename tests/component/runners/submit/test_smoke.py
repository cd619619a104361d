"""`python -m runners.submit.smoke`: what an image must have, found in compiled specifications."""

import re

import pytest
import yaml

from pipeline import user_code
from runners.submit import smoke
from tests.e2e.conftest import fareline_command
from tests.forked import run_forked


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The paths as a text search finds them in the two specs that `fareline compile` writes."""
    folder = tmp_path_factory.mktemp("specs")
    words = []
    for runner, name in (("kubeflow", "spec.yaml"), ("vertex", "spec.json")):
        call = fareline_command("compile", runner, "-o", folder / name)
        run_forked(**call).check_returncode()
        spec = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
        executors = spec.get("pipelineSpec", spec)["deploymentSpec"]["executors"].values()
        for container in (e["container"] for e in executors if "container" in e):
            words.append([*container["command"], *container["args"]])
    return words


def test_it_knows_every_executor_of_both_specs(compiled):
    modules, executors = smoke.find_paths_in_specs()
    wanted = {words[words.index("--executor_class_path") + 1] for words in compiled}
    jobs = {f"pipeline.components.vertex_jobs.{n}JobExecutor" for n in ("Trainer", "Tuner")}
    assert set(executors) == wanted | jobs
    assert {words[2] for words in compiled} <= set(modules)
    assert all(words[:2] == ["python", "-m"] for words in compiled)
    # ExampleGen's driver, which looks before the cache is asked.
    assert "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver" in modules


def test_it_knows_every_user_function():
    named = {v for k, v in vars(user_code).items() if k.endswith("_FN")}
    assert named == set(smoke.FUNCTIONS)
    for path in smoke.FUNCTIONS:
        assert callable(smoke.resolve(path))


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("models.missing.run_fn", "ModuleNotFoundError: No module named 'models.missing'"),
        ("models.trainer.missing", "AttributeError: module 'models.trainer' has no attribute"),
        (
            "runners.submit.smoke.FUNCTIONS",
            "TypeError: runners.submit.smoke.FUNCTIONS cannot be called",
        ),
    ],
)
def test_what_cannot_be_had_is_said(path, problem, monkeypatch, capfd):
    monkeypatch.setattr(smoke, "FUNCTIONS", (path,))
    monkeypatch.setattr(smoke, "find_paths_in_specs", lambda: ([], []))
    assert smoke.main() == 1
    assert f"✗ {path}: {problem}" in capfd.readouterr().out


def test_a_file_system_that_is_missing_is_said(monkeypatch):
    assert list(smoke.find_unreadable_places()) == [
        ("TensorFlow reads gs://", ""),
        ("Beam reads gs://", ""),
    ]
    monkeypatch.setattr(smoke, "BUCKETS", "madeup")
    (_, tensorflow), (_, beam) = smoke.find_unreadable_places()
    assert re.fullmatch(r"it knows file, gs, .*", tensorflow)
    assert beam.startswith("ValueError: ") and "madeup" in beam


def test_the_variables_the_user_and_the_boot_are_looked_at(monkeypatch, tmp_path, capfd):
    boot = tmp_path / "boot"
    boot.write_text("#!/bin/sh\n")
    boot.chmod(0o755)
    monkeypatch.setattr(smoke, "BOOT", boot)
    monkeypatch.setattr(smoke, "FUNCTIONS", ())
    monkeypatch.setattr(smoke, "find_paths_in_specs", lambda: ([], []))
    monkeypatch.setattr(smoke.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.delenv("TF_USE_LEGACY_KERAS", raising=False)
    monkeypatch.setenv("RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT", "1")
    assert smoke.main() == 0, capfd.readouterr().out

    monkeypatch.setattr(smoke.os, "geteuid", lambda: 0)
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    boot.unlink()
    capfd.readouterr()
    assert smoke.main() == 1
    said = capfd.readouterr().out
    assert "✗ TF_USE_LEGACY_KERAS unset: it is 1" in said
    assert "✗ a user who is not root: the user is root" in said
    assert f"and its boot: {boot} is not an executable program" in said
