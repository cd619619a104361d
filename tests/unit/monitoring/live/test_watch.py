"""Planted faults are found in the window where they are, and quiet windows stay quiet."""

import json

import numpy as np
import pyarrow as pa
import pytest

from monitoring.live.estimate import Value
from monitoring.live.report import Figure
from monitoring.live.rows import Rows, together
from monitoring.live.series import WEEK_MS
from monitoring.live.watch import Plan, Watcher, _lower_together, watch

PLAN = Plan(WEEK_MS, categories=["kind"])
REGIONS = np.array([b"east", b"north", b"south", b"west"])


def made(rows, seed, week=0, region=None, loss=0.0, fare=1.0, zeros=0.0, gone=False, labelled=1.0):
    """Rows of a week; `loss` mixes so large a share of the scores, in one region or in all."""
    random = np.random.default_rng(seed)
    regions = random.choice(4, rows, p=[0.4, 0.3, 0.2, 0.1])
    labels = (random.random(rows) < 0.3).astype(float)
    scores = 1 / (1 + np.exp(-(random.normal(labels * 1.9, 1.0) - 1.9)))
    mixed = (regions == region) if region is not None else np.ones(rows, bool)
    mixed &= random.random(rows) < loss
    scores[mixed] = random.permutation(scores[mixed])
    fares = np.exp(random.normal(2.2, 0.6, rows)) * fare
    fares[random.random(rows) < zeros] = 0
    labels[random.random(rows) >= labelled] = np.nan
    columns = {
        "fare": pa.array(fares),
        "kind": pa.nulls(rows) if gone else pa.array(random.integers(0, 6, rows)),
        "region": pa.array(REGIONS[regions].tolist(), pa.large_binary()),
    }
    return Rows(columns, np.full(rows, week * WEEK_MS), scores, labels)


def slices(rows):
    values = np.array(rows.columns["region"].to_pylist())
    return {f"region={value.decode()}": values == value for value in np.unique(values)}


REFERENCE = made(5000, 0)


def watched(weeks, plan=PLAN, until=None):
    live = together(weeks)
    return watch(REFERENCE, live, slices, plan, (until or len(weeks)) * WEEK_MS)


def two_quiet_then_two(rows=3000, **fault):
    return [made(rows, 10 + week, week, **(fault if week >= 2 else {})) for week in range(4)]


def test_quiet_weeks_are_quiet():
    found = watched(two_quiet_then_two())
    assert found.state == "quiet"
    assert found.alarms == ()
    whole = found.windows[-1].slices[0]
    assert whole.slice == "overall"
    assert whole.truth.low <= found.reference["overall"].value <= whole.truth.high
    assert whole.difference == pytest.approx(whole.truth.value - whole.estimate.value, abs=1e-9)


@pytest.mark.parametrize(
    ("fault", "kind", "subject"),
    [
        ({"loss": 0.15}, "performance", "AUC"),
        ({"fare": 1.1}, "distribution", "fare"),
        ({"zeros": 0.2}, "integrity", "fare zeros"),
        ({"gone": True}, "integrity", "kind missing"),
    ],
)
def test_a_fault_is_found_within_two_windows(fault, kind, subject):
    found = watched(two_quiet_then_two(**fault))
    assert found.state == "alarm"
    alarms = {(alarm.slice, alarm.kind, alarm.subject) for alarm in found.alarms}
    assert ("overall", kind, subject) in alarms


def test_a_fault_of_one_slice_is_found_where_the_whole_hides_it():
    plan = Plan(WEEK_MS, least_loss=0.03, categories=["kind"])
    found = watched(two_quiet_then_two(region=3, loss=0.3), plan)
    told = {(alarm.slice, alarm.kind) for alarm in found.alarms if alarm.kind == "performance"}
    assert told == {("region=west", "performance")}


def test_a_change_of_concept_is_seen_by_labels_alone():
    turned = []
    for week in range(4):
        rows = made(3000, 10 + week, week)
        if week >= 2:
            flip = np.random.default_rng(week).random(3000) < 0.2
            labels = np.where(flip, 1 - rows.labels, rows.labels)
            rows = Rows(rows.columns, rows.ms, rows.scores, labels)
        turned.append(rows)
    found = watched(turned)
    assert {alarm.kind for alarm in found.alarms if alarm.slice == "overall"} == {"performance"}
    assert found.windows[-1].slices[0].difference < -0.1


def test_few_rows_are_too_small_and_never_quiet():
    found = watched([made(150, week, week) for week in range(4)])
    assert found.state == "too small"
    assert watch(REFERENCE, made(0, 1), slices, PLAN, WEEK_MS).state == "too small"


def test_labels_that_are_to_come_are_not_judged_by():
    plan = Plan(WEEK_MS, wait_ms=WEEK_MS)
    weeks = [made(1000, week, week, labelled=0.5) for week in range(3)]
    found = watched(weeks, plan, until=3)
    assert [window.mature for window in found.windows] == [True, True, False]
    assert found.windows[-1].slices[0].truth is None


def test_labels_that_stop_coming_are_an_alarm():
    weeks = [made(300, week, week, labelled=0.95 if week < 7 else 0.0) for week in range(9)]
    few = Plan(WEEK_MS, least_rows=1000)
    [alarm] = [each for each in watched(weeks, few).alarms if each.subject == "labels"]
    assert (alarm.kind, alarm.said) == ("integrity", "0 % of the predictions; usually 96 %")


def test_a_slice_that_vanishes_and_rows_that_stay_away_are_alarms():
    weeks = [made(400, week, week) for week in range(9)]
    for week in (7, 8):
        west = slices(weeks[week])["region=west"]
        weeks[week] = weeks[week].take(~west).take(np.arange(100))
    few = Plan(WEEK_MS, least_rows=1000)
    told = {(alarm.slice, alarm.subject): alarm.said for alarm in watched(weeks, few).alarms}
    assert told["overall", "rows"] == "100; usually 400"
    whole = [made(1000, week, week) for week in range(3)]
    bare = [rows.take(~slices(rows)["region=west"]) for rows in whole]
    told = {(alarm.slice, alarm.subject): alarm.said for alarm in watched(bare).alarms}
    assert told["region=west", "rows"].startswith("none; ")


def test_a_slice_that_is_all_but_gone_is_an_alarm():
    weeks = [made(1000, week, week) for week in range(3)]
    left = [rows.take(~slices(rows)["region=west"] | (np.arange(1000) < 20)) for rows in weeks]
    [alarm] = [each for each in watched(left).alarms if each.subject == "rows"]
    assert alarm.slice == "region=west"
    assert alarm.said.endswith(" were expected")
    assert not alarm.said.startswith("none")


def test_labels_that_have_stopped_long_ago_are_an_alarm_still():
    weeks = [made(300, week, week, labelled=0.95 if week < 3 else 0.0) for week in range(9)]
    few = Plan(WEEK_MS, least_rows=1000)
    [alarm] = watched(weeks, few).alarms
    assert alarm.said == "0 % of the predictions; usually 95 %"


def test_labels_of_one_value_alone_are_an_alarm_since_they_have_no_auc():
    weeks = two_quiet_then_two(rows=1000)
    weeks[2:] = [Rows(w.columns, w.ms, w.scores, np.ones(1000)) for w in weeks[2:]]
    alarms = {alarm.subject: alarm for alarm in watched(weeks).alarms if alarm.slice == "overall"}
    assert alarms["labels of 0"].kind == "integrity"
    assert alarms["labels of 0"].said.startswith("none; ")


def test_traffic_that_varies_by_factors_is_quiet_and_none_at_all_is_an_alarm():
    sizes = np.random.default_rng(5).integers(200, 4000, 16)
    live = together([scores_alone(made(rows, week, week)) for week, rows in enumerate(sizes)])
    few = Plan(WEEK_MS, least_rows=5000)
    watcher = Watcher(scores_alone(REFERENCE), lambda rows: {}, few)
    windows = watcher.windows(live, 18 * WEEK_MS)
    assert [watcher.alarms(windows[:count]) for count in range(1, 17)] == [[]] * 16
    [alarm] = watcher.alarms(windows)
    assert (alarm.subject, alarm.said.partition(";")[0]) == ("rows", "0")


HOSTILE = {
    "constant": lambda labels, random: np.full(len(labels), 0.4),
    "two values that are always right": lambda labels, random: labels * 0.8 + 0.1,
    "always right": lambda labels, random: labels * 0.5 + random.random(len(labels)) * 0.4,
    "always wrong": lambda labels, random: 0.9 - labels * 0.5 - random.random(len(labels)) * 0.4,
    "infinite": lambda labels, random: np.where(random.random(len(labels)) < 0.1, np.inf, 0.5),
    "missing": lambda labels, random: np.full(len(labels), np.nan),
}


@pytest.mark.parametrize("scores", HOSTILE.values(), ids=HOSTILE)
def test_any_scores_that_stay_as_they_were_are_quiet_and_give_plain_json(scores):
    def odd(rows, seed, week=0):
        plain = made(rows, seed, week)
        new = scores(plain.labels, np.random.default_rng(seed))
        return Rows({}, plain.ms, new, plain.labels)

    weeks = together([odd(600, 10 + week, week) for week in range(5)])
    found = watch(odd(1000, 1), weeks, lambda rows: {}, PLAN, 5 * WEEK_MS)
    assert found.alarms == ()
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_window_without_rows_between_two_is_a_window():
    found = watched([made(500, 0, 0), made(500, 2, 2)], until=3)
    assert [window.slices[0].rows for window in found.windows] == [500, 0, 500]


def scores_alone(rows):
    return Rows({}, rows.ms, rows.scores, rows.labels)


def test_a_slow_fall_is_an_alarm_before_any_window_shows_it():
    weeks = [scores_alone(made(5000, 20 + week, week, loss=0.02 * week)) for week in range(8)]
    plan = Plan(WEEK_MS, least_loss=0.08)
    found = watch(scores_alone(REFERENCE), together(weeks), lambda rows: {}, plan, 8 * WEEK_MS)
    [alarm] = [each for each in found.alarms if each.kind == "performance"]
    assert "a week over 8 windows" in alarm.said


def test_an_empty_window_has_no_rows_and_says_nothing_of_labels():
    weeks = [made(1000, 20 + week, week) for week in range(7)]
    found = watched(weeks, until=8)
    [finding] = found.windows[-1].slices[0].findings
    assert (finding.subject, finding.said) == ("rows", "0; usually 1,000")
    assert found.state == "too small"


def test_a_row_with_a_wrong_clock_makes_no_endless_row_of_windows():
    rows = made(300, 9)
    late = 1_796_000_000_000
    rows = Rows(rows.columns, np.r_[0, np.full(299, late)], rows.scores, rows.labels)
    found = watch(REFERENCE, rows, slices, Plan(WEEK_MS // 168), late + WEEK_MS)
    assert len(found.windows) == 500
    assert [window.slices[0].rows for window in found.windows if window.slices[0].rows] == [299]


def test_windows_are_low_together_only_if_each_of_them_is():
    def low(*values, split_error=0.004):
        starts = [week * WEEK_MS for week in range(len(values))]
        figures = [Figure(value, 0.0, 1.0, 0.005, 3000) for value in values]
        found = _lower_together(starts, figures, Value(0.92, split_error), PLAN, 6)
        return None if found is None else [round(value, 3) for value in found]

    assert low(0.90, 0.90) == [0.92, 0.9]
    assert low(0.60, 0.91) is None  # one bad window alone
    assert low(0.904, 0.904) is None  # chance
    # A split that knows little is helped by the windows before.
    assert low(0.90, 0.90, split_error=0.02) is None
    assert low(0.92, 0.92, 0.92, 0.90, 0.90, split_error=0.02) == [0.92, 0.9]


def test_the_error_of_a_logit_grows_where_an_auc_has_little_room():
    assert Value(0.9, 0.01).as_logit() == Value(
        pytest.approx(np.log(9)), pytest.approx(0.01 / 0.09)
    )
    assert Value(1.0, 0.001).as_logit().value == pytest.approx(np.log(999))
