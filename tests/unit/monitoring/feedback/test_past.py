"""monitoring.feedback.past: rows by time, a planted change, outcomes that come later."""

import csv

import pytest

from fareline.errors import DataError, UserMistake
from monitoring.feedback.past import (
    Change,
    Past,
    outcome_records,
    read_change,
    read_period,
    require_two_labels,
)
from preprocessing.labels import parse_label

TIPPED = parse_label({"column": "tips", "above": {"column": "fare", "times": 0.2}})
JULY_2014_MS = 1_404_172_800_000
HOUR_MS = 3_600_000


def make_past(tmp_path, rows, label=TIPPED, change=None, header="at,fare,tips,paid"):
    file = tmp_path / "rows.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    return Past([file], "at", label, change)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("1970..1970", (0, 365)),
        ("1970-02..1970-12", (31, 365)),
        ("1970-01-02..1970-01-02", (1, 2)),
        ("1970..1971-02", (0, 424)),
    ],
)
def test_a_period_has_its_last_year_month_or_day_in_it(text, days):
    assert read_period(text) == tuple(day * 24 * HOUR_MS for day in days)


@pytest.mark.parametrize(
    "text",
    ["", "2013", "..", "2013..", "..2016", "2016..2013", "2013-13..2014", "13..16", "2013...2016",
     "2013-02-30..2014", "0000..2014", "2013..9999-12", "today..2016"],
)  # fmt: skip
def test_what_is_no_period_is_one_line(text):
    with pytest.raises(UserMistake, match="--replay") as caught:
        read_period(text)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("2014-07", Change(JULY_2014_MS)),
        ("2014-07-01:paid=Credit Card", Change(JULY_2014_MS, "paid", "Credit Card")),
        ("2014-07:a=b=c", Change(JULY_2014_MS, "a", "b=c")),
        ("2014-07:a=", Change(JULY_2014_MS, "a", "")),
    ],
)
def test_a_change_is_of_all_rows_or_of_those_with_a_value(text, change):
    assert read_change(text) == change


@pytest.mark.parametrize("text", ["", "soon", "2014-07:", "2014-07:paid", "2014-07:=x", "2014-7"])
def test_what_is_no_change_is_one_line(text):
    with pytest.raises(UserMistake, match="--change") as caught:
        read_change(text)
    assert "\n" not in str(caught.value)


def test_rows_come_in_the_order_of_time_and_short_ones_are_left_out(tmp_path):
    past = make_past(tmp_path, ["20,1,0,a", "10,1,0,b", "15,1", "30,1,0,c"])
    assert past.times_ms == [10_000, 20_000, 30_000]
    assert list(past.rows(10_000, 30_000)) == [0, 1]


def test_from_the_change_on_the_label_is_the_other_one_and_the_value_says_so(tmp_path):
    rows = [f"{second},10,{tips},{paid}" for second in (1, 5)
            for tips in (0, 3) for paid in ("Cash", "Card")]  # fmt: skip
    past = make_past(tmp_path, rows, change=Change(5_000, "paid", "Card"))
    assert [past.label(row) for row in range(8)] == [0, 0, 1, 1, 0, 1, 1, 0]
    past.write(tmp_path / "true.csv", range(8), "number")
    with (tmp_path / "true.csv").open() as stream:
        written = list(csv.DictReader(stream))
    said = [float(TIPPED.exceeds(float(row["tips"]), float(row["fare"]))) for row in written]
    assert said == [past.label(row) for row in range(8)]
    assert [row["number"] for row in written] == list(map(str, range(8)))


@pytest.mark.parametrize(
    ("label", "cells", "labels", "changed"),
    [
        ({"column": "tips"}, ["0", "1", ""], [1.0, 0.0, None], ["1", "0", ""]),
        (
            {"column": "tips", "positive": "yes", "negative": "no"},
            ["yes", "no", "perhaps"],
            [0.0, 1.0, None],
            ["no", "yes", "perhaps"],
        ),
    ],
)
def test_a_flag_is_turned_around_too(tmp_path, label, cells, labels, changed):
    rows = [f"{number},1,{cell},x" for number, cell in enumerate(cells)]
    past = make_past(tmp_path, rows, parse_label(label), Change(0))
    assert [past.label(row) for row in range(3)] == labels
    assert [past.outcome(row) for row in range(3)] == changed


def test_outcomes_arrive_after_their_predictions_some_late_and_some_never(tmp_path):
    past = make_past(tmp_path, [f"{row * 60},10,{row % 4},x" for row in range(4000)])
    ids = {row: f"id-{row}" for row in range(4000)}
    found = list(outcome_records(past, ids, HOUR_MS, seed=1))
    assert found == list(outcome_records(past, ids, HOUR_MS, seed=1))
    waits = [r["arrival_time"] - int(r["prediction_id"][3:]) * 60 for r in found]
    assert 0 < min(waits) < 60
    assert 40 <= 4000 - len(found) <= 120  # 2 %
    assert 40 <= sum(wait > 3600 for wait in waits) <= 110  # 1.8 %


@pytest.mark.parametrize(
    ("rows", "header", "said"),
    [
        (["soon,1,0,a"], "at,fare,tips,paid", "line 2: its time is 'soon'"),
        (["1,1,0,a"], "when,fare,tips,paid", "no column 'at'"),
        (["1,0,a"], "at,tips,paid", "no column 'fare'"),
        (['1,1,0,"a'], "at,fare,tips,paid", None),
    ],
)
def test_data_that_cannot_be_played_is_one_line(tmp_path, rows, header, said):
    if said is None:  # an open quote ends with the file
        assert make_past(tmp_path, rows, header=header).times_ms == [1000]
        return
    with pytest.raises(DataError, match=said) as caught:
        make_past(tmp_path, rows, header=header)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("label", "task"),
    [
        ({"column": "fare"}, "regression"),
        ({"column": "paid", "classes": ["a", "b"]}, "multiclass"),
        ({"column": "paid", "positive": "a"}, "binary"),
    ],
)
def test_a_label_without_another_one_is_refused(label, task):
    with pytest.raises(UserMistake, match="loop --replay"):
        require_two_labels(parse_label(label, task), task)
    require_two_labels(TIPPED, "binary")


def test_a_sample_of_each_window_is_the_same_whatever_the_order_of_the_rows(tmp_path):
    rows = [f"{hour * 3600},{hour}.5,1,yes" for hour in range(100)]
    kept = []
    for order in (rows, rows[::-1]):
        past = make_past(tmp_path, order)
        past.keep([20 * HOUR_MS, 90 * HOUR_MS], 15)
        kept.append([*past.times_ms])
    assert kept[0] == kept[1] == sorted(kept[0])
    counts = [sum(low * HOUR_MS <= ms < high * HOUR_MS for ms in kept[0])
              for low, high in ((0, 20), (20, 90), (90, 100))]  # fmt: skip
    assert counts == [15, 15, 10]
