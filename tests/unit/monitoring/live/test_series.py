"""Sudden and slow changes of a series, against sums written out."""

import numpy as np
import pytest

from monitoring.live.series import (
    HOUR_MS,
    WEEK_MS,
    falling,
    is_alarm,
    is_season,
    slow,
    sudden,
    usual,
    without_season,
)

DAY_MS = 24 * HOUR_MS


def by_hand(values, errors):
    """Page-Hinkley as Page wrote it: sums of what lies off the running mean, less 0.75."""
    noticed, mean, up, down, low, high, count = None, 0.0, 0.0, 0.0, 0.0, 0.0, 0
    for place, (value, error) in enumerate(zip(values, errors, strict=True)):
        score = max(-6.0, min(6.0, value / error))
        count += 1
        mean += (score - mean) / count
        up, down = up + score - mean - 0.75, down + score - mean + 0.75
        low, high = min(low, up), max(high, down)
        if count >= 3 and (up - low > 8 or high - down > 8):
            noticed, mean, up, down, low, high, count = place, 0.0, 0.0, 0.0, 0.0, 0.0, 0
    return noticed


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("fall", [0.0, 3.0, 5.0])
def test_page_hinkley_is_what_page_wrote(seed, fall):
    values = np.random.default_rng(seed).normal(size=20) - np.where(np.arange(20) >= 12, fall, 0)
    assert sudden(values, np.ones(20)) == by_hand(values, np.ones(20))


def test_a_sudden_fall_is_noticed_within_three_windows_and_chance_is_not():
    quiet = found = 0
    for seed in range(100):
        values = np.random.default_rng(seed).normal(size=20) * 0.01
        quiet += sudden(values, np.full(20, 0.01)) is not None
        values[15:] -= 0.06
        place = sudden(values[:18], np.full(18, 0.01))
        found += place is not None and place >= 15
    assert quiet <= 5
    assert found >= 90


def test_a_single_window_however_far_off_is_no_change():
    values = np.zeros(20)
    values[10] = -1000.0
    assert sudden(values, np.ones(20)) is None


def test_the_slope_is_the_median_of_all_slopes():
    values = np.random.default_rng(1).normal(size=9)
    starts = [week * WEEK_MS for week in range(9)]
    pairs = [(values[j] - values[i]) / (j - i) for i in range(9) for j in range(i + 1, 9)]
    found = slow(starts, values)
    assert found.per_week == pytest.approx(np.median(pairs))
    assert found.total == pytest.approx(8 * np.median(pairs))
    # Six windows all fall by chance once in 720 times, eight once in 40,320.
    assert slow(starts[:7], np.arange(7.0)[::-1]) is None
    assert slow(starts[:8], np.arange(8.0)[::-1]).falls


def test_a_season_is_taken_out_and_a_fall_is_not():
    starts = [day * DAY_MS for day in range(35)]
    season = np.array([0.0, 0.1, 0.3, 0.1, 0.0, -0.2, -0.3])[np.arange(35) % 7]
    calm = without_season(starts, season)
    assert np.ptp(calm) < 0.02
    fall = slow(starts, season - 0.01 * np.arange(35) / 7)
    assert fall.per_week == pytest.approx(-0.01, abs=0.002)
    assert fall.high < 0


def test_what_is_usual_is_what_the_same_hour_of_the_week_had():
    starts = [day * DAY_MS for day in range(28)]
    values = np.arange(28) % 7
    assert usual(starts, values, 28 * DAY_MS).tolist() == [0, 0, 0, 0]
    assert len(usual(starts[:8], values[:8], 8 * DAY_MS)) == 8
    assert len(usual(starts[:3], values[:3], 3 * DAY_MS)) == 0
    assert len(usual([], [], 0)) == 0


@pytest.mark.parametrize(
    ("found", "alarm"),
    [
        ([], False),
        ([True], False),
        ([True, True], True),
        ([True, False, True], True),
        ([True, True, False], False),  # it is over
        ([False, False, True], False),
    ],
)
def test_two_of_three_windows_make_an_alarm(found, alarm):
    assert is_alarm(found, 2) is alarm


def _weeks(count, error, onset=None, fall=0.002, seed=0):
    random = np.random.default_rng(seed)
    values = 0.92 + random.normal(0, error, count)
    if onset is not None:
        values -= fall * np.maximum(0, np.arange(count) - onset)
    level = 0.92 + random.normal(0, 0.0043)
    return [WEEK_MS * week for week in range(count)], values, [error] * count, (level, 0.0043)


def test_a_slow_fall_is_found_within_eight_weeks_at_5000_rows_after_a_quiet_quarter():
    # 0.0043 is the standard error of an AUC of 0.92 on 5,000 rows.
    found = [falling(*_weeks(21, 0.0043, 12, seed=seed)) for seed in range(100)]
    slopes = [each.per_week for each in found if each is not None]
    assert len(slopes) >= 75  # the last of eight weeks alone; 92 of 100 in any of them
    assert np.mean(slopes) == pytest.approx(-0.002, abs=0.0006)


def test_at_1000_rows_the_same_fall_is_out_of_reach():
    found = [falling(*_weeks(21, 0.0097, 12, seed=seed)) for seed in range(100)]
    assert sum(each is not None for each in found) <= 15


def test_a_quiet_year_is_quiet():
    for seed in range(40):
        starts, values, errors, level = _weeks(52, 0.0043, seed=seed)
        for count in range(4, 53):
            assert falling(starts[:count], values[:count], errors[:count], level) is None


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([day % 7 in (2, 3) for day in range(32)], True),  # every weekend, and this one
        ([day >= 30 for day in range(32)], False),  # since yesterday
        ([day >= 7 for day in range(32)], False),  # since long, on all days
        ([day % 7 == 3 for day in range(18)], False),  # two weekends say nothing yet
    ],
)
def test_what_the_same_hour_of_the_week_always_brings_is_a_season(found, expected):
    starts = [day * DAY_MS for day in range(len(found))]
    last = len(found) - 1
    while not found[last]:
        last -= 1
    assert is_season(starts[: last + 1], found[: last + 1]) is expected
