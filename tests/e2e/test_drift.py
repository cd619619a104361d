"""Data that is the same is not tuned for, data that has shifted is, and policy stop stops it."""

import json
import sqlite3

import pandas as pd
import pytest

from data.taxi import taxi_csv_path
from tests.e2e.conftest import FEW, SMALL, run_fareline

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
ROWS = 1500
# These are no features here, and would only be recorded.
WATCHED = (
    "trip_miles: {policy: retune}, trip_start_hour: {policy: retune}, company: {policy: retune}"
)
POLICY = ("tuning.policy=on_drift", "drift.default=retune", f"drift.columns={{{WATCHED}}}")


@pytest.fixture(scope="module")
def trips(tmp_path_factory):
    """Three spans of random trips; in the third fares are a third higher."""
    folder = tmp_path_factory.mktemp("drift")
    shuffled = pd.read_csv(taxi_csv_path(), dtype=str).sample(frac=1, random_state=7)
    for span in (1, 2, 3):
        part = shuffled[(span - 1) * ROWS : span * ROWS].copy()
        if span == 3:
            part["fare"] = (part["fare"].astype(float) * 1.3).round(2).astype(str)
        (folder / f"span-{span}").mkdir()
        part.to_csv(folder / f"span-{span}" / "trips.csv", index=False)
    return f"data.source.csv={folder}/span-{{SPAN}}/*.csv"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("drift") / "workspace"


def run(workspace, trips, span, *settings, to=None):
    part = () if to is None else ("--to", to)
    return run_fareline(
        workspace, trips, *SMALL, FEW, *POLICY, *settings, arguments=("--span", span, *part)
    )


# What is reused is what Evaluator blessed: the nodes after it are left out.


@pytest.fixture(scope="module")
def first(workspace, trips):
    return run(workspace, trips, 1, to="Evaluator")


@pytest.fixture(scope="module")
def same(first, workspace, trips):
    return run(workspace, trips, 2, to="Evaluator")


@pytest.fixture(scope="module")
def stopped(same, workspace, trips):
    return run(workspace, trips, 3, f"drift.columns={{fare: {{policy: stop}}, {WATCHED}}}")


@pytest.fixture(scope="module")
def shifted(stopped, workspace, trips):
    return run(workspace, trips, 3, to="Trainer")


def test_the_first_data_is_compared_with_nothing_and_searched_for(first):
    assert first.exit_code == 0, first.stderr
    assert first.answer["drift"] == {"reference": None, "reference_span": None, "drifted": []}
    tuning = first.answer["tuning"]
    assert tuning["decision"] == "searched"
    assert tuning["reasons"] == ["no blessed model on other data yet"]


def test_the_same_distribution_does_not_retune(same, workspace):
    assert same.exit_code == 0, same.stderr
    drift = same.answer["drift"]
    assert (drift["reference_span"], drift["drifted"]) == (1, [])
    tuning = same.answer["tuning"]
    assert (tuning["decision"], tuning["reasons"][0].split("; ")[-1]) == ("reused", "no drift")
    assert tuning["reused_from"].startswith("HyperParameters:")
    found = [json.loads(path.read_text()) for path in sorted_by_id(workspace)]
    assert found[0]["values"] == found[1]["values"]


def sorted_by_id(workspace):
    folder = workspace / "artifacts" / "Tuner" / "best_hyperparameters"
    paths = folder.glob("*/best_hyperparameters.txt")
    return sorted(paths, key=lambda path: int(path.parent.name))


def test_policy_stop_stops_before_anything_is_trained(stopped, workspace):
    assert stopped.exit_code == 1
    assert stopped.nodes_in("failed") == {"DataGate"}
    assert {"Transform", "Tuner", "Trainer", "Pusher"} <= stopped.nodes_in("skipped")
    said = [each["said"] for each in stopped.answer["drift"]["drifted"] if each["policy"] == "stop"]
    assert said and {each["against"] for each in stopped.answer["drift"]["drifted"]} == {"previous"}
    error = stopped.answer["error"].splitlines()
    noun = "difference" if len(said) == 1 else "differences"
    assert error[0] == (
        f"DataGate: the data has drifted: {len(said)} {noun} with policy stop; expected none. "
        "Hint: look at the data; if it is right, set drift.columns.COLUMN.policy to warn."
    )
    assert error[1:] == [f"  fare: {each}; compared with the previous data" for each in said]
    with sqlite3.connect(workspace / "metadata.db") as connection:
        rows = connection.execute(
            "select p.name, p.int_value from ArtifactProperty p join Artifact a on a.id = "
            "p.artifact_id join Type t on t.id = a.type_id where t.name = 'pipeline.DataDrift' and "
            "p.name = 'stops' order by a.id"
        ).fetchall()
    assert [value for _, value in rows] == [0, 0, 1]


def test_a_shifted_distribution_retunes_and_is_compared_with_what_passed(shifted):
    assert shifted.exit_code in (0, 3), shifted.stderr
    drift = shifted.answer["drift"]
    assert drift["reference_span"] == 2
    fares = [each["said"] for each in drift["drifted"] if each["column"] == "fare"]
    tuning = shifted.answer["tuning"]
    assert tuning["decision"] == "searched"
    assert [f"fare: {said}" for said in fares] == [
        reason for reason in tuning["reasons"] if reason.startswith("fare: ")
    ]
    assert fares and fares[0].startswith("share up to ")
    # Nothing but the fares, and what hangs on them, has shifted.
    assert {each["column"] for each in drift["drifted"]} <= {"fare", "(label)", "payment_type"}


def test_the_same_data_again_is_served_from_the_cache(shifted, workspace, trips):
    again = run(workspace, trips, 3, to="Trainer")
    assert again.exit_code in (0, 3), again.stderr
    assert {"ExampleGen", "DriftMonitor", "Tuner", "Trainer"} <= again.nodes_in("cached")
    assert again.answer["tuning"] == shifted.answer["tuning"]
