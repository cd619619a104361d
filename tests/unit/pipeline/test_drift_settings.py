"""The section `drift`: what it may say, and how its mistakes are told."""

import hashlib
import json
from pathlib import Path

import pytest

from fareline.errors import SettingsError
from pipeline.nodes.data_gate import drift_rules
from pipeline.rules.drift import find_drift_mistakes, find_local_sample
from pipeline.settings.load import load_settings

COLUMNS = ("fare", "payment_type", "tips", "trip_start_timestamp")


def mistakes(*overrides, columns=COLUMNS):
    return list(find_drift_mistakes(load_settings(overrides=overrides), columns))


def test_by_default_features_and_label_are_warned_of():
    drift = load_settings().drift
    assert (drift.default, drift.serving_sample) == ("warn", None)
    # But not of time, which always goes on.
    assert {name: rule.policy for name, rule in drift.columns.items()} == {
        "trip_start_timestamp": "record"
    }


@pytest.mark.parametrize(
    "override",
    [
        "drift.columns={fare: {policy: stop, distance: 0.1}}",
        "drift.columns={(label): {policy: retune}}",
        "drift.false_alarms=0.01",
    ],
)
def test_what_may_be_said(override):
    assert mistakes(override) == []


def test_a_column_that_is_not_there_is_told_with_the_nearest():
    assert mistakes("drift.columns={fair: {policy: stop}}") == [
        "drift.columns.fair: no column fair in the schema; expected one of its columns, or "
        "(label). Hint: did you mean fare."
    ]
    assert mistakes("drift.columns={xyz: {policy: stop}}") == [
        "drift.columns.xyz: no column xyz in the schema; expected one of its columns, or (label). "
        "Hint: the columns are fare, payment_type, tips, trip_start_timestamp."
    ]
    # Before there is a schema nobody knows.
    assert mistakes("drift.columns={xyz: {policy: stop}}", columns=()) == []


def test_a_number_has_no_label_rate():
    settings = load_settings(overrides=["drift.columns={(label): {policy: stop}}"])
    [line] = find_drift_mistakes(settings.model_copy(update={"task": "regression"}), COLUMNS)
    assert line.startswith("drift.columns.(label): no column (label) in the schema; expected one")


def test_the_serving_sample_is_a_file_of_rows(tmp_path):
    path = tmp_path / "requests.jsonl"
    assert mistakes(f"drift.serving_sample={path}") == [
        f"drift.serving_sample: {path}: no such file; expected rows of prediction "
        "requests. Hint: check the path, or leave it null."
    ]
    path.write_text("{}\n")
    assert mistakes(f"drift.serving_sample={path}") == []
    assert mistakes("drift.serving_sample=requests.txt") == [
        f"drift.serving_sample: {Path.cwd() / 'requests.txt'} is of no known format; expected a "
        "file that ends in .csv, .jsonl, .parquet. Hint: `fareline serve --log-share` writes "
        "requests as .jsonl."
    ]
    # In a cluster it is where a step can reach it.
    settings = load_settings(overrides=[f"drift.serving_sample={path}"])
    assert list(find_local_sample(settings)) == [
        f"drift.serving_sample: {path} is a path of this machine; expected gs://…, which a step in "
        "a cluster can reach. Hint: copy the sample to a bucket, or leave it null."
    ]
    remote = "drift.serving_sample=gs://bucket/requests.jsonl"
    assert list(find_local_sample(load_settings(overrides=[remote]))) == []


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("drift.default=ignore", "drift.default: found 'ignore'; expected"),
        ("drift.columns={fare: {distance: -1}}", "drift.columns.fare.distance"),
        ("drift.colums={}", "drift.colums"),
        ("drift.false_alarms=0", "drift.false_alarms: found 0; expected"),
    ],
)
def test_what_may_not_be_said(override, said):
    with pytest.raises(SettingsError) as caught:
        load_settings(overrides=[override])
    [line] = str(caught.value).splitlines()
    assert said in line


def test_of_requests_nothing_about_persons_is_compared(tmp_path):
    path = tmp_path / "requests.jsonl"
    path.write_text("{}\n")
    personal = "data.columns={company: {pii: true, pseudonymize: true}}"
    told = (personal, "serving.log_exclude=[payment_type]", f"drift.serving_sample={path}")
    rules = json.loads(drift_rules(load_settings(overrides=told)))
    assert rules["unlogged"] == ["company", "payment_type"]
    assert rules["serving_sample_sha256"] == hashlib.sha256(b"{}\n").hexdigest()
    # Without a sample the settings of the log are no reason to compare anew.
    assert json.loads(drift_rules(load_settings(overrides=told[:2])))["unlogged"] == []


def test_a_sample_of_requests_has_something_to_compare(tmp_path):
    path = tmp_path / "requests.jsonl"
    path.write_text("{}\n")
    settings = load_settings(overrides=[f"drift.serving_sample={path}"])
    features = [column for _, column in settings.features.columns()]
    serving = settings.serving.model_copy(update={"log_exclude": features})
    [line] = find_drift_mistakes(settings.model_copy(update={"serving": serving}), ())
    assert line == (
        f"drift.serving_sample: found {path}, and every feature is personal or in "
        "serving.log_exclude; expected one that can be compared. Hint: leave it null."
    )
