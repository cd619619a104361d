"""Changes of a figure over windows: sudden, slow, or only with the hour of the week.

Called by `monitoring.live.watch`. Must not import TFX.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import stats

HOUR_MS = 3_600_000
WEEK_MS = 168 * HOUR_MS
_MOST_ERRORS = 6.0  # one window alone, however far off, is no change
_DELTA = 0.75  # standard errors that a mean may wander
_THRESHOLD = 8.0  # standard errors, summed over windows
_LEAST_WINDOWS = 3
_LEAST_USUAL = 6  # windows, if they are of other hours of the week
_LEAST_FOR_SLOPE = 8  # of fewer, all can fall by chance more often than a sure slope may
_SURE = 0.98  # of the slope's interval
_SURE_OF_SLOPE = 0.9999  # that there is one: it is looked for after every window, in every slice
_MOST_OF_SEASON = 0.5  # of the windows at other places in the week: in more it is no season
_LEAST_OF_FALL = 4  # windows that a fall has lasted
_LONGEST_FALL = 25  # windows; one that is longer is found as one that is as long
_SURE_OF_FALL = 4.25  # standard errors: once in 52 quiet windows in 600 series (benchmarks.monitor)
_LEAST_OF_SEASON = 3  # windows at the same place in the week


@dataclasses.dataclass(frozen=True)
class Slope:
    """A slow change.

    Attributes:
        per_week: Change of the figure per week.
        low: Lower end of the 98 % interval of that change.
        high: Upper end of the interval.
        total: Change from the first window to the last.
        falls: Whether it is sure that the figure falls.
    """

    per_week: float
    low: float
    high: float
    total: float
    falls: bool


def sudden(values: Sequence[float], errors: Sequence[float]) -> int | None:
    """Where a figure changed suddenly, by the Page-Hinkley test.

    Args:
        values: Values of consecutive windows, less what was expected.
        errors: Standard error of each.

    Returns:
        The place of the window in which it was noticed last; None if it was not.
    """
    from river.drift import PageHinkley

    made = {"min_instances": _LEAST_WINDOWS, "delta": _DELTA, "threshold": _THRESHOLD}
    test = PageHinkley(**made, alpha=1.0, mode="both")
    noticed = None
    for place, (value, error) in enumerate(zip(values, errors, strict=True)):
        test.update(float(np.clip(value / error, -_MOST_ERRORS, _MOST_ERRORS)))
        if test.drift_detected:
            noticed = place
    return noticed


def slow(starts_ms: Sequence[int], values: Sequence[float]) -> Slope | None:
    """The slope of a figure by Theil and Sen, after its season is taken out.

    Args:
        starts_ms: When each window began, ascending.
        values: Values of the windows.

    Returns:
        None with too few windows.
    """
    if len(values) < _LEAST_FOR_SLOPE:
        return None
    weeks = np.asarray(starts_ms, np.float64) / WEEK_MS
    calm = without_season(starts_ms, values)
    slope, _, low, high = stats.theilslopes(calm, weeks, _SURE)
    total = float(slope * (weeks[-1] - weeks[0]))
    falls = high < 0 and bool(stats.theilslopes(calm, weeks, _SURE_OF_SLOPE)[3] < 0)
    return Slope(float(slope), float(low), float(high), total, bool(falls))


def falling(
    starts_ms: Sequence[int],
    values: Sequence[float],
    errors: Sequence[float],
    usual_is: tuple[float, float],
) -> Slope | None:
    """A slow fall of a figure whose errors are known, from some window on to the last.

    All windows are pooled, each with its weight. Before the fall the figure has a level, of which
    the evaluation split is one measurement and every earlier window another. The onset is the one
    that makes the fall clearest (a generalized likelihood ratio).

    Args:
        starts_ms: When each window began, ascending.
        values: Values of the windows.
        errors: Standard error of each.
        usual_is: The figure on the split, and its standard error.

    Returns:
        None if no fall is sure.
    """
    calm = without_season(starts_ms, values)
    weeks = np.asarray(starts_ms, np.float64) / WEEK_MS
    weights = 1 / np.square(np.asarray(errors, np.float64))
    level, error = usual_is
    all_weights = weights.sum() + 1 / error**2
    mean = ((weights * calm).sum() + level / error**2) / all_weights
    surest, found = _SURE_OF_FALL, None
    reached = float(stats.norm.ppf((1 + _SURE) / 2))
    count = len(calm)
    for onset in range(max(0, count - 1 - _LONGEST_FALL), count - _LEAST_OF_FALL + 1):
        fallen = np.maximum(0.0, weeks - weeks[onset])
        weighted = (weights * fallen).sum()
        spread = (weights * fallen**2).sum() - weighted**2 / all_weights
        slope = ((weights * fallen * calm).sum() - weighted * mean) / spread
        if -slope * spread**0.5 > surest:
            surest = -slope * spread**0.5
            reach = reached / spread**0.5
            found = Slope(slope, slope - reach, slope + reach, slope * fallen[-1], True)
    return found


def without_season(starts_ms: Sequence[int], values: Sequence[float]) -> np.ndarray:
    """Removes the weekly season, if enough weeks show it.

    The season is the median of what lies off the trend at the same place in the week: without the
    trend taken out first, the last places of the week would seem lower than the first in a fall.
    """
    given = np.asarray(values, np.float64)
    hours = np.array([start % WEEK_MS // HOUR_MS for start in starts_ms])
    places, groups = np.unique(hours, return_inverse=True)
    if len(places) == 1 or np.bincount(groups).min() < _LEAST_OF_SEASON:
        return given
    weeks = np.asarray(starts_ms, np.float64) / WEEK_MS
    slope, intercept, _, _ = stats.theilslopes(given, weeks)
    off = given - slope * weeks - intercept
    season = np.array([np.median(off[groups == place]) for place in range(len(places))])
    return given - season[groups]


def usual(starts_ms: Sequence[int], values: Sequence[float], start_ms: int) -> np.ndarray:
    """Earlier values that show the usual value at a time.

    Those of the same hour of the week if there are enough, else all, else none.

    Args:
        starts_ms: Starts of earlier windows.
        values: Values of the windows.
        start_ms: Start of the window in question.
    """
    given = np.asarray(values, np.float64)
    hours = np.array([start % WEEK_MS // HOUR_MS for start in starts_ms])
    same = given[hours == start_ms % WEEK_MS // HOUR_MS] if len(given) else given
    if len(same) >= _LEAST_OF_SEASON:
        return same
    return given if len(given) >= _LEAST_USUAL else given[:0]


def is_alarm(found: Sequence[bool], needed: int) -> bool:
    """Whether enough of these windows have a finding, including the last one."""
    return bool(found) and found[-1] and sum(found) >= needed


def is_season(starts_ms: Sequence[int], found: Sequence[bool]) -> bool:
    """Whether a finding in the last window is only what the hour of its week always brings.

    So it is where the earlier windows of the same hour of the week have it, and most others do not.

    Args:
        starts_ms: Starts of the windows, ascending.
        found: Whether each has the finding.
    """
    hours = np.array([start % WEEK_MS // HOUR_MS for start in starts_ms])
    same = hours[:-1] == hours[-1]
    has = np.asarray(found, bool)[:-1]
    if same.sum() < _LEAST_OF_SEASON or same.all():
        return False
    return bool(has[same].mean() > _MOST_OF_SEASON > has[~same].mean())
