"""Push, rollback, cached run, promote, predict on real runs: what is live is what was meant."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from serving.versions.publish import list_versions
from tests.e2e.conftest import fareline_command, run_fareline
from tests.forked import run_forked

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

TEXTS = ("payment_type", "company")
FLOATS = ("fare", "trip_miles", "pickup_latitude", "pickup_longitude", "dropoff_latitude",
          "dropoff_longitude")  # fmt: skip


def ask(workspace, command, *arguments):
    done = run_forked(**fareline_command(command, "--json", "--workspace", workspace, *arguments))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def example_of(row):
    """A tf.Example by hand: what is empty in the file is left out, and the label with it."""
    example = tf.train.Example()
    for name, text in row.items():
        if not text or name == "tips":
            continue
        feature = example.features.feature[name]
        if name in TEXTS:
            feature.bytes_list.value.append(text.encode())
        elif name in FLOATS:
            feature.float_list.value.append(float(text))
        else:
            feature.int64_list.value.append(int(float(text)))
    return example.SerializeToString()


@pytest.fixture(scope="module")
def two_versions(small_run, newer_run):
    """A workspace, the settings of its newer model, and its two versions."""
    pushed = [Path(run.finished.answer["pushed_to"]) for run in (small_run, newer_run)]
    return newer_run.restore(), newer_run.settings, [int(path.name) for path in pushed]


def test_a_rollback_stays_until_a_person_takes_it_back(two_versions):
    workspace, newer, (old, new) = two_versions
    base = str(workspace / "serving" / "chicago-taxi")
    back = ask(workspace, "rollback", "--reason", "tips were wrong")
    assert (back["to_version"], back["from_version"]) == (old, new)
    assert list_versions(base) == [old, new, back["version"]]

    cached = run_fareline(workspace, *newer)
    assert (cached.exit_code, cached.answer["status"]) == (3, "refused")
    assert "Pusher" in cached.nodes_in("executed") <= {"Evaluator", "Pusher"}
    # The model that was rolled back from is the latest blessed one, and no bar for others.
    shown = {
        v["version"]: v["model"] for v in ask(workspace, "models")["destinations"][0]["versions"]
    }
    assert cached.answer["baseline"] == shown[old]
    [left_out] = cached.answer["why"]["evaluator"]["left_out"]
    assert (left_out["model"], left_out["reason"]) == (shown[new], "tips were wrong")
    assert "tips were wrong" in cached.answer["reasons"][-1]
    assert f"fareline promote --to {new}" in cached.answer["reasons"][-1]
    assert list_versions(base)[-1] == back["version"]

    forth = ask(workspace, "promote")
    again = run_fareline(workspace, *newer)
    assert again.exit_code == 0, again.stderr
    assert again.answer["baseline"] == shown[new]
    assert again.answer["pushed_to"] == forth["path"]
    assert run_fareline(workspace, *newer).nodes_in("executed") == set()  # it is known by now
    # Of four versions three are kept, and the one that was rolled back to.
    assert list_versions(base) == [old, new, back["version"], forth["version"]]

    [place] = ask(workspace, "models")["destinations"]
    assert place["live"] == forth["version"]
    shown = {v["version"]: v for v in place["versions"]}
    assert (shown[back["version"]]["copy_of"], shown[back["version"]]["reason"]) == (
        old,
        "tips were wrong",
    )
    assert shown[forth["version"]]["metrics"] == shown[new]["metrics"] != shown[old]["metrics"]
    verified = run_forked(
        **fareline_command("lineage", "verify", "--json", "--workspace", workspace)
    )
    assert [f for f in json.loads(verified.stdout)["findings"] if f["severity"] == "error"] == []


def test_predictions_are_those_of_the_signature(two_versions, small_csv, tmp_path):
    workspace, _, _ = two_versions
    found = ask(workspace, "predict", "--input", small_csv, "--output", tmp_path / "out.csv")
    [place] = ask(workspace, "models")["destinations"]
    with open(small_csv, newline="") as file:
        rows = list(csv.DictReader(file))
    assert (found["predicted"], found["quarantined"]) == (len(rows), 0)
    assert found["model_version"] == place["live"]
    with open(tmp_path / "out.csv", newline="") as file:
        out = list(csv.DictReader(file))
    assert [{name: row[name] for name in rows[0]} for row in out] == rows
    model = tf.saved_model.load(found["model"])
    [wanted] = model.signatures["serving_default"](
        tf.constant([example_of(row) for row in rows])
    ).values()
    got = np.array([row["prediction"] for row in out], np.float32)
    np.testing.assert_allclose(got, wanted.numpy()[:, 0], atol=1e-6)
    assert np.std(got) > 0.01
