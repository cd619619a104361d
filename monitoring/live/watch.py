"""Compares each window of a live model with the split that the model was evaluated on.

Three layers. *Integrity*: rows, values that are missing, zero or new, labels that stop coming.
*Now*: the distribution of features and score, and the AUC that the scores let expect. *Truth*: the
AUC by labels, once they are mature. Each overall and by slice.

A threshold holds for the window's own number of rows (`monitoring.drift.compare`), over all columns
and slices together, and nothing is an alarm that is below a least effect, or found in fewer than k
of n windows.

Called by `runners.monitoring` and `benchmarks.monitor`. Must not import TFX.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from scipy import optimize, special, stats

from monitoring.drift.compare import Rule, Rules, compare
from monitoring.drift.measures import MISSING, NEW_VALUES, ZEROS
from monitoring.drift.report import Measure
from monitoring.live.estimate import Calibration, Value, calibrations, measured_auc
from monitoring.live.report import (
    ALARM,
    DISTRIBUTION,
    ESTIMATE,
    INTEGRITY,
    KINDS,
    OVERALL,
    PERFORMANCE,
    QUIET,
    SMALL,
    Alarm,
    Figure,
    Finding,
    SliceWindow,
    Watched,
    Window,
)
from monitoring.live.rows import Rows
from monitoring.live.series import (
    WEEK_MS,
    falling,
    is_alarm,
    is_season,
    slow,
    sudden,
    usual,
    without_season,
)

_MOST_ROWS = 5_000  # compared, of each side
_DRAWS = 400  # divisions by chance
_MOST_DRAWS = 6_000
_LEAST_OF_WEEK = 1 / 7  # that a window counts for, however short it is
_TESTS_OF_AUC = 2  # of single windows, and of the last ones together
_MATURE_SHARE = 0.9  # of the rows with a label: the rest changes little any more
_ROUGH = 3  # windows: of so few the spread is taken for twice as large, for it is hardly known
_FEW = 0.5  # of what is usual: rows, labels
_LEAST_LABELLED = 3  # windows that have labels, before labels can be called missing
_LEAST_EXPECTED = 30  # rows; chance leaves a twentieth of them once in 10^11 windows
_ABSENT = 0.05  # of the rows that are expected
_SPREAD = 4.0  # robust standard deviations of the logarithm of earlier windows' rows
_MOST_CUT = 500  # windows; older ones would say nothing new, however old the first row is
_MOST_WINDOWS = 104  # of a series
_ROWS, _LABELS = "rows", "labels"  # subjects of findings: how many there are
_INTEGRITY_MEASURES = (MISSING, ZEROS, NEW_VALUES)

Slices = Callable[[Rows], Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Plan:
    """Rules of monitoring.

    Attributes:
        window_ms: Length of a window.
        least_rows: Minimum rows of a slice in a window; a slice with fewer is too small.
        false_alarms: Share of unchanged windows that may have any finding of a distribution, and
            again of the estimate and of the truth; share of weeks, if a window is shorter.
        needed: In how many windows something must be found,
        among: of so many.
        least_change: Share of the rows below which a change is ignored.
        least_new: Lowest relevant share of rows with values that the reference lacks.
        least_loss: Loss of AUC below which a change is ignored.
        wait_ms: Longest delay of a label.
        recorded: Columns that are measured and raise no alarm.
        categories: Columns of numbers that name things.
    """

    window_ms: int
    least_rows: int = 200
    false_alarms: float = 0.002
    needed: int = 2
    among: int = 3
    least_change: float = 0.03
    least_new: float = 0.01
    least_loss: float = 0.015
    wait_ms: int = 0
    recorded: Collection[str] = ()
    categories: Collection[str] = ()

    @property
    def share(self) -> float:
        """`false_alarms` of a window: a seventh of it, if there are seven windows a week."""
        return self.false_alarms * min(1.0, max(_LEAST_OF_WEEK, self.window_ms / WEEK_MS))

    def level(self, slices: int, shared: float, subjects: int = 1) -> float:
        """The share of unchanged windows in which something may be found in a slice.

        k of n windows have to agree in one subject, so that each of them can be called more easily;
        less so the more of chance is that of the split, with which all of them are compared.

        Args:
            slices: Number of evaluated slices.
            shared: Share of the variance that all windows have in common, 0 to 1.
            subjects: Number of subjects, such as columns, each of which can be found.
        """
        others = math.comb(self.among - 1, self.needed - 1)
        of_all = self.share / slices / others / subjects
        return subjects * _of_one(of_all, self.needed, round(shared, 2))


@functools.lru_cache
def _of_one(of_all: float, count: int, shared: float) -> float:
    """The chance of one normal number to pass a bound that so many pass together by another.

    Args:
        of_all: The chance that all of them pass it.
        count: Number of numbers.
        shared: Their correlation.
    """
    common = np.linspace(-9, 9, 1801)
    weights = stats.norm.pdf(common) * (common[1] - common[0])

    def off(bound: float) -> float:
        alone = (bound - shared**0.5 * common) / (1 - min(shared, 0.99)) ** 0.5
        return float((weights * stats.norm.sf(alone) ** count).sum()) - of_all

    return float(stats.norm.sf(optimize.brentq(off, -9, 9)))


@dataclasses.dataclass(frozen=True)
class _Reference:
    """A slice of the split: its rows, its AUC, and what turns its scores into chances."""

    name: str
    rows: Rows
    share: float
    auc: Value | None
    calibration: Calibration | None


def watch(reference: Rows, live: Rows, slices: Slices, plan: Plan, until_ms: int) -> Watched:
    """Cuts the rows into windows, measures each, and says what is an alarm.

    Args:
        reference: Reference of the split that the model was evaluated on, with labels; at least one
            row.
        live: Logged answers since then, in the order of time.
        slices: Says which rows are in which slice; only those of the reference are looked at.
        plan: Rules of monitoring.
        until_ms: Now: windows that are not over by then are left out.
    """
    watcher = Watcher(reference, slices, plan)
    windows = watcher.windows(live, until_ms)
    alarms = watcher.alarms(windows)
    return Watched(tuple(windows), tuple(alarms), watcher.reference, _state(windows, alarms))


class Watcher:
    """Compares windows with one reference; for the arguments see `watch`."""

    def __init__(self, reference: Rows, slices: Slices, plan: Plan):
        self._slices, self._plan = slices, plan
        self._parts = _parts(reference, slices, plan)

    @property
    def reference(self) -> dict[str, Figure | None]:
        """By slice its AUC on the split."""
        return {part.name: _figure(part.auc, len(part.rows)) for part in self._parts}

    def windows(self, live: Rows, until_ms: int) -> list[Window]:
        """Measures the windows that are over, the oldest first."""
        found: list[Window] = []
        for start, rows in _cut(live, self._plan.window_ms, until_ms):
            when = start, until_ms, found
            found.append(_measure(self._parts, rows, self._slices, self._plan, when))
        return found

    def alarms(self, windows: Sequence[Window]) -> list[Alarm]:
        """What is an alarm after the last of these windows."""
        return _alarms(windows, self._parts, self._plan)


def _state(windows: Sequence[Window], alarms: Sequence[Alarm]) -> str:
    if alarms:
        return ALARM
    return windows[-1].slices[0].state if windows else SMALL


def _parts(reference: Rows, slices: Slices, plan: Plan) -> list[_Reference]:
    whole = np.ones(len(reference), bool)
    masks = {OVERALL: whole, **slices(reference)}
    masks = {name: mask for name, mask in masks.items() if mask.sum() >= plan.least_rows}
    if not masks:
        masks = {OVERALL: whole}
    known = reference.labelled
    of_known = {OVERALL: np.ones(len(known), bool), **slices(known)}
    fitted: list[Calibration | None] = [None] * len(masks)
    if measured_auc(known.scores, known.labels) is not None:
        inside = [of_known.get(name, np.zeros(len(known), bool)) for name in masks]
        fitted = list(calibrations(known.scores, known.labels, inside))
    found = []
    for (name, mask), calibration in zip(masks.items(), fitted, strict=True):
        labelled = known.take(of_known[name]) if name in of_known else known.take(np.arange(0))
        auc = measured_auc(labelled.scores, labelled.labels)
        share = float(mask.mean())
        found.append(_Reference(name, reference.take(mask), share, auc, calibration))
    return found


def _cut(live: Rows, window_ms: int, until_ms: int) -> list[tuple[int, Rows]]:
    """The last windows that are over, the empty ones between two as well."""
    if not len(live):
        return []
    last = until_ms // window_ms
    first = max(int(live.ms[0] // window_ms), last - _MOST_CUT)
    ends = np.searchsorted(live.ms, np.arange(first, last + 1) * window_ms)
    return [
        (place * window_ms, live.take(np.arange(*ends[place - first : place - first + 2])))
        for place in range(first, last)
    ]


def _measure(
    parts: Sequence[_Reference],
    rows: Rows,
    slices: Slices,
    plan: Plan,
    when: tuple[int, int, Sequence[Window]],
) -> Window:
    start, until, earlier = when
    labelled = float(np.mean(~np.isnan(rows.labels))) if len(rows) else 0.0
    over = start + plan.window_ms + plan.wait_ms <= until
    mature = over or labelled >= _MATURE_SHARE
    masks = {OVERALL: np.ones(len(rows), bool), **(slices(rows) if len(rows) else {})}
    none = np.zeros(len(rows), bool)
    found = []
    for place, part in enumerate(parts):
        of_slice = rows.take(masks.get(part.name, none))
        before = [window.slices[place] for window in earlier]
        starts = [window.start_ms for window in earlier]
        extra = _counts(part, len(of_slice), len(rows), (starts, before, start))
        if part.name == OVERALL and over and len(rows):
            extra += _labels_missing(labelled, earlier, start)
        found.append(_measure_slice(part, of_slice, plan, len(parts), mature, extra))
    return Window(start, start + plan.window_ms, mature, labelled, tuple(found))


def _measure_slice(
    part: _Reference,
    rows: Rows,
    plan: Plan,
    slices: int,
    mature: bool,
    findings: list[Finding],
) -> SliceWindow:
    scored = ~np.isnan(rows.scores)
    score = float(rows.scores[scored].mean()) if scored.any() else None
    if len(rows) < plan.least_rows:
        return SliceWindow(part.name, len(rows), SMALL, score, None, None, None, tuple(findings))
    findings = findings + _compared(part, rows, plan, slices)
    estimate = truth = difference = None
    if part.calibration is not None and scored.any():
        estimate = part.calibration.estimate(rows.scores[scored])
        findings += _lost(ESTIMATE, part.auc, estimate, plan, slices)
        known = rows.labelled
        if mature and len(known):
            truth = measured_auc(known.scores, known.labels)
            findings += _one_sided(part.calibration, known)
            findings += _lost(PERFORMANCE, part.auc, truth, plan, slices)
            same = len(known) == len(rows)
            expected = estimate if same else part.calibration.estimate(known.scores)
            if truth is not None and expected is not None:
                difference = truth.value - expected.value
    return SliceWindow(
        part.name,
        len(rows),
        QUIET,
        score,
        _figure(estimate, len(rows)),
        _figure(truth, len(rows)),
        difference,
        tuple(findings),
    )


def _figure(value: Value | None, rows: int) -> Figure | None:
    return None if value is None else Figure(value.value, *value.interval, value.error, rows)


def _compared(part: _Reference, rows: Rows, plan: Plan, slices: int) -> list[Finding]:
    """What differs in the columns and the score."""
    sides = part.rows.sample(_MOST_ROWS), rows.sample(_MOST_ROWS)
    shared = sides[1].rows / (sides[0].rows + sides[1].rows)
    level = max(plan.level(slices, shared, len(sides[0].columns)), 2 / _MOST_DRAWS)
    rules = Rules(
        Rule("warn"),
        {name: Rule("record") for name in plan.recorded},
        level,
        plan.least_change,
        plan.least_new,
        max(_DRAWS, math.ceil(2 / level)),
        hasty=True,
        shifts=True,
    )
    compared = compare(*sides, rules, plan.categories)
    found = [
        _finding(column.name, measure)
        for column in compared.drifted("warn")
        for measure in column.drifted
    ]
    return list({(each.kind, each.subject): each for each in found}.values())


def _finding(column: str, measure: Measure) -> Finding:
    """A distribution that two measures call different is one finding."""
    if measure.name in _INTEGRITY_MEASURES:
        return Finding(INTEGRITY, f"{column} {measure.name}", measure.in_words())
    return Finding(DISTRIBUTION, column, measure.in_words())


def _lost(
    kind: str, reference: Value | None, now: Value | None, plan: Plan, slices: int
) -> list[Finding]:
    """Whether an AUC is lower than on the split by more than chance and the least loss."""
    if reference is None or now is None:
        return []
    split, window = reference.as_logit(), now.as_logit()
    error = math.hypot(window.error, split.error)
    shared = (split.error / error) ** 2
    bound = float(stats.norm.isf(plan.level(_TESTS_OF_AUC * slices, shared))) * error
    is_sure = split.value - window.value > bound
    if not is_sure or reference.value - now.value <= plan.least_loss:
        return []
    low, high = now.interval
    said = f"{reference.value:.3f} -> {now.value:.3f} (95 %: {low:.3f} to {high:.3f})"
    return [Finding(kind, "AUC", said)]


def _counts(
    part: _Reference,
    rows: int,
    all_rows: int,
    earlier: tuple[Sequence[int], Sequence[SliceWindow], int],
) -> list[Finding]:
    """Whether there are far fewer or more rows than usual, or none of a slice."""
    starts, before, start = earlier
    if part.name != OVERALL:
        expected = part.share * all_rows
        if _is_absent(rows, expected):
            return [Finding(INTEGRITY, _ROWS, _absent_in_words(rows, expected))]
        return []
    known = usual(starts, [each.rows for each in before], start)
    if not len(known):
        return []
    # Of logarithms: traffic that varies much varies by factors.
    logs = np.log1p(known)
    middle = float(np.median(logs))
    spread = max(1.4826 * float(np.median(np.abs(logs - middle))), math.exp(-middle / 2))
    spread *= 1 + _ROUGH / len(logs)
    if abs(math.log1p(rows) - middle) <= max(_SPREAD * spread, -math.log(_FEW)):
        return []
    # However rough the spread is, no number is odd that was usual before.
    calm = [place for place, each in enumerate(before) if not _has(each, _ROWS)]
    seen = usual([starts[place] for place in calm], [before[place].rows for place in calm], start)
    if len(seen) and seen.min() <= rows <= seen.max():
        return []
    return [Finding(INTEGRITY, _ROWS, f"{rows:,}; usually {math.expm1(middle):,.0f}")]


def _has(measured: SliceWindow, subject: str) -> bool:
    return any((each.kind, each.subject) == (INTEGRITY, subject) for each in measured.findings)


def _is_absent(rows: int, expected: float) -> bool:
    return expected >= _LEAST_EXPECTED and rows <= _ABSENT * expected


def _absent_in_words(rows: int, expected: float) -> str:
    return f"{f'{rows:,}' if rows else 'none'}; {expected:,.0f} were expected"


def _one_sided(calibration: Calibration, known: Rows) -> list[Finding]:
    """Whether a value of the label that the scores let expect has not come, so there is no AUC."""
    expected = calibration.expected(known.scores)
    counts = [int((known.labels == value).sum()) for value in (0, 1)]
    return [
        Finding(INTEGRITY, f"labels of {value}", _absent_in_words(counts[value], expected[value]))
        for value in (0, 1)
        if _is_absent(counts[value], expected[value])
    ]


def _labels_missing(labelled: float, earlier: Sequence[Window], start: int) -> list[Finding]:
    # Windows that lack labels are not usual: the alarm is not to end because it has lasted.
    known = [
        window
        for window in earlier
        if window.mature and window.slices[0].rows and not _has(window.slices[0], _LABELS)
    ]
    shares = [window.labelled for window in known]
    same = usual([window.start_ms for window in known], shares, start)
    if len(same):
        shares = same.tolist()
    middle = float(np.median(shares)) if len(shares) >= _LEAST_LABELLED else 0.0
    if labelled >= middle * _FEW:
        return []
    said = f"{labelled:.0%} of the predictions; usually {middle:.0%}".replace("%", " %")
    return [Finding(INTEGRITY, _LABELS, said)]


def _alarms(windows: Sequence[Window], parts: Sequence[_Reference], plan: Plan) -> list[Alarm]:
    found: list[Alarm] = []
    for place, part in enumerate(parts):
        for kind in KINDS:
            found += _found_often(windows, place, kind, plan)
        for kind in (ESTIMATE, PERFORMANCE):
            is_told = any(a.kind == kind and a.slice == part.name for a in found)
            if part.auc is not None and not is_told:
                found += _changed(windows, place, kind, parts, plan)
    return sorted(found, key=lambda a: (KINDS.index(a.kind), a.slice != OVERALL))


def _telling(windows: Sequence[Window], place: int, kind: str) -> list[Window]:
    """The windows that can tell of this kind, the oldest first."""
    if kind in (ESTIMATE, PERFORMANCE):
        name = "estimate" if kind == ESTIMATE else "truth"
        return [w for w in windows if getattr(w.slices[place], name) is not None]
    if kind == INTEGRITY:
        return list(windows)
    return [w for w in windows if w.slices[place].state != SMALL]


def _found_often(windows: Sequence[Window], place: int, kind: str, plan: Plan) -> list[Alarm]:
    """What is found in k of the last n windows, the last among them."""
    telling = _telling(windows, place, kind)[-_MOST_WINDOWS:]
    starts = [window.start_ms for window in telling]
    by_subject: dict[str, list[Finding | None]] = {}
    for index, window in enumerate(telling):
        for finding in window.slices[place].findings:
            if finding.kind == kind:
                by_subject.setdefault(finding.subject, [None] * len(telling))[index] = finding
    alarms = []
    for subject, findings in by_subject.items():
        found = [each is not None for each in findings]
        count = sum(found[-plan.among :])
        if is_alarm(found[-plan.among :], plan.needed) and not is_season(starts, found):
            name, start = telling[-1].slices[place].slice, starts[-1]
            alarms.append(Alarm(kind, name, subject, findings[-1].said, start, count))
    return alarms


def _lower_together(
    starts: Sequence[int],
    figures: Sequence[Figure],
    reference: Value,
    plan: Plan,
    slices: int,
) -> tuple[float, float] | None:
    """The usual AUC and that of the last windows together, if each of these is lower; else None.

    The split is one measurement of the usual AUC, and every window before the last ones another:
    the AUC of a slice is hardly known by the split alone.
    """
    calm = without_season(starts, [figure.value for figure in figures])
    known = [
        Value(value, figure.error) for value, figure in zip(calm.tolist(), figures, strict=True)
    ]
    last = known[-plan.needed :]
    before = _pooled([reference, *known[: -plan.needed]])
    usually = float(special.expit(before.value))
    if any(usually - each.value <= max(plan.least_loss, each.error) for each in last):
        return None
    now = _pooled(last)
    level = plan.share / _TESTS_OF_AUC / slices
    bound = float(stats.norm.isf(level)) * math.hypot(now.error, before.error)
    if before.value - now.value <= bound:
        return None
    return usually, float(special.expit(now.value))


def _pooled(values: Sequence[Value]) -> Value:
    """The mean of AUCs as logits, each weighted by its standard error."""
    logits = [value.as_logit() for value in values]
    weights = np.array([each.error for each in logits]) ** -2.0
    mean = float(np.average([each.value for each in logits], weights=weights))
    return Value(mean, float(weights.sum()) ** -0.5)


def _changed(
    windows: Sequence[Window], place: int, kind: str, parts: Sequence[_Reference], plan: Plan
) -> list[Alarm]:
    """A fall of the AUC over windows, sudden or slow, that no window shows by itself."""
    part = parts[place]
    telling = _telling(windows, place, kind)[-_MOST_WINDOWS:]
    name = "estimate" if kind == ESTIMATE else "truth"
    figures = [getattr(window.slices[place], name) for window in telling]
    if len(figures) < plan.needed:
        return []
    assert part.auc is not None
    values = [figure.value for figure in figures]
    starts, errors = [window.start_ms for window in telling], [f.error for f in figures]
    lower = _lower_together(starts, figures, part.auc, plan, len(parts))
    start, alarm = telling[-1].start_ms, (kind, part.name, "AUC")
    if lower is not None:
        said = "{:.3f} -> {:.3f} in the last {} windows together".format(*lower, plan.needed)
        return [Alarm(*alarm, said, start, plan.needed)]
    offs = [value - part.auc.value for value in values]
    noticed = sudden(offs, [math.hypot(f.error, part.auc.error) for f in figures])
    level = float(np.mean(values[-plan.among :]))
    if noticed is not None and noticed >= len(values) - plan.among:
        before = float(np.median(values[: max(noticed - plan.among + 1, 1)]))
        if before - level > plan.least_loss:
            said = f"{before:.3f} -> {level:.3f}, a sudden change over windows (Page-Hinkley)"
            return [Alarm(*alarm, said, start, plan.among)]
    slope = falling(starts, values, errors, (part.auc.value, part.auc.error))
    slope = slope or slow(starts, values)
    if slope is not None and slope.falls and -slope.total > plan.least_loss / 2:
        said = f"{slope.per_week:+.4f} a week over {len(values)} windows (98 %: {slope.low:+.4f} to"
        said = f"{said} {slope.high:+.4f}), {slope.total:+.3f} in all"
        return [Alarm(*alarm, said, start, len(values))]
    return []
