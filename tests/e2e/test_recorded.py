"""What runs of the default pipeline leave in the store about themselves, held against the world.

Read straight from SQLite and checked by other means than those that wrote it. What a run leaves
that fails, is interrupted or killed is in test_faults.
"""

import getpass
import hashlib
import importlib.metadata
import json
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from data.taxi import taxi_csv_path
from fareline.packages import CHECKOUT
from tests.e2e.conftest import run_fareline

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def query(workspace, sql, *values):
    with sqlite3.connect(workspace / "metadata.db") as connection:
        return connection.execute(sql, values).fetchall()


def properties_of_run(workspace, run_id):
    rows = query(
        workspace,
        "select p.name, coalesce(p.string_value, p.int_value) from ContextProperty p"
        " join Context c on c.id = p.context_id join Type t on t.id = c.type_id"
        " where t.name = 'pipeline_run' and c.name = ? and p.is_custom_property",
        run_id,
    )
    return dict(rows)


def run_ids(workspace):
    """Ids of all runs in the order of their start."""
    rows = query(
        workspace,
        "select c.name from Context c join Type t on t.id = c.type_id"
        " where t.name = 'pipeline_run' order by c.id",
    )
    return [name for (name,) in rows]


def endings(workspace):
    """What each run recorded of itself, in the order of their start; all name their 15 nodes."""
    found = [properties_of_run(workspace, run_id) for run_id in run_ids(workspace)]
    assert all(len(json.loads(end["nodes"])) == 15 for end in found)
    assert [("ended" in end) for end in found] == [("outcome" in end) for end in found]
    return [(end.get("outcome"), end["use_cache"]) for end in found]


def artifacts(workspace, kind):
    """(URI, custom properties) of the artifacts of a type, the oldest first."""
    found = {}
    for uri, name, value in query(
        workspace,
        "select a.uri, p.name, coalesce(p.string_value, p.int_value, p.double_value)"
        " from ArtifactProperty p join Artifact a on a.id = p.artifact_id"
        " join Type t on t.id = a.type_id where t.name = ? and p.is_custom_property"
        " order by a.id",
        kind,
    ):
        found.setdefault(uri, {})[name] = value
    return list(found.items())


def test_every_run_says_how_it_ended(first, second, third, refused, workspace):
    for run, outcome in ((first, "pushed"), (second, "pushed"), (third, "pushed")):
        found = properties_of_run(workspace, run.answer["run_id"])
        assert found["outcome"] == outcome == run.answer["status"]
    found = properties_of_run(workspace, refused.answer["run_id"])
    assert found["outcome"] == refused.answer["status"] == "refused"
    assert json.loads(found["overrides"]) == ["evaluation.thresholds.auc.at_least=0.999"]
    ended = [int(properties_of_run(workspace, run)["ended"]) for run in run_ids(workspace)[:4]]
    assert ended == sorted(ended)
    assert 0 < time.time() - ended[-1] / 1000 < 24 * 3600


def test_a_run_says_what_it_ran_and_who(first, workspace):
    found = properties_of_run(workspace, first.answer["run_id"])
    assert json.loads(found["nodes"]) == list(first.states())
    assert (found["runner"], found["use_cache"], found["user"]) == ("local", 1, getpass.getuser())
    packages = json.loads(found["packages"])
    for name in ("tfx", "tensorflow", "ml-metadata", "pydantic"):
        assert packages[name] == importlib.metadata.version(name)
    assert found["settings_sha256"] == hashlib.sha256(found["settings"].encode()).hexdigest()


def test_a_run_says_which_commit_it_ran(first, workspace):
    def git(*arguments):
        command = ["git", "-C", str(CHECKOUT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    if not (CHECKOUT / ".git").exists():
        pytest.skip("these sources are in no git checkout")
    found = properties_of_run(workspace, first.answer["run_id"])
    assert found["git_commit"] == git("rev-parse", "HEAD")
    rows = query(
        workspace,
        "select c.name, count(*) from Context c join Type t on t.id = c.type_id"
        " join Association a on a.context_id = c.id"
        " join Association b on b.execution_id = a.execution_id"
        " join Context r on r.id = b.context_id"
        " where t.name = 'code_version' and r.name = ? group by 1",
        first.answer["run_id"],
    )
    version = found["code_fingerprint"] if found["git_dirty"] else found["git_commit"]
    assert rows == [(version, len(first.states()))]


def test_the_recorded_settings_are_the_run_again(first, refused, workspace, tmp_path):
    settings = tmp_path / "recorded.yaml"
    found = properties_of_run(workspace, first.answer["run_id"])
    settings.write_text(found["settings"], encoding="utf-8")
    again = run_fareline(workspace, arguments=["--config", settings])
    assert again.exit_code == 0, again.stderr
    assert again.nodes_in("executed") == set()
    found_again = properties_of_run(workspace, again.answer["run_id"])
    assert found_again["settings_sha256"] == found["settings_sha256"]
    assert found_again["settings_file"] == str(settings)


def test_examples_name_the_file_that_they_were_read_from(first, workspace):
    [(_, examples), *_] = artifacts(workspace, "Examples")
    content = Path(taxi_csv_path()).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert json.loads(examples["source_files"]) == [
        {"path": str(taxi_csv_path()), "bytes": len(content), "sha256": digest, "rows": 15_002}
    ]
    listing = f"{taxi_csv_path().name}\0{digest}\n"
    assert examples["data_sha256"] == hashlib.sha256(listing.encode()).hexdigest()


def test_a_model_has_the_digest_of_its_files_and_its_hyperparameters(first, workspace):
    [(uri, model), *_] = artifacts(workspace, "Model")
    total = hashlib.sha256()
    files = sorted(p.relative_to(uri).as_posix() for p in Path(uri).rglob("*") if p.is_file())
    for name in files:
        content = (Path(uri) / name).read_bytes()
        total.update(f"{name}\0{len(content)}\0".encode() + content)
    assert "Format-Serving/saved_model.pb" in files
    assert model["sha256"] == total.hexdigest()
    [best, *_] = Path(workspace).glob("artifacts/Tuner/best_hyperparameters/*/*.txt")
    assert json.loads(model["hyperparameters"]) == json.loads(best.read_text())["values"]


def test_an_evaluation_has_the_metrics_that_the_command_answered(first, second, workspace):
    evaluations = artifacts(workspace, "ModelEvaluation")
    for run, (_, evaluation) in zip((first, second), evaluations, strict=False):
        metrics = json.loads(evaluation["metrics"])
        assert metrics == {"overall": run.answer["metrics"], "slices": run.answer["slices"]}
        assert metrics["overall"]["auc"] > 0.9
        for name, value in metrics["overall"].items():
            # ML Metadata keeps six decimals of a number.
            assert evaluation[f"metric_{name}"] == pytest.approx(value, abs=1e-6)
