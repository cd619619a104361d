"""The verdict on a model: compares every requirement of the settings with the measurements.

TFMA checks the requirements that it can express. In addition, this module ignores slices with too
few examples, limits gaps between slices, uses confidence intervals, and records the inputs of each
check. A pure function; called by the Evaluator. Imports no TFMA.

With confidence intervals, a minimum is compared with the lower end of the interval, a maximum with
the upper end, and a bound on the loss against the baseline with the worse end of the interval of
the change. A model is therefore not blessed by chance.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

from fareline.recorded.evaluation import Check, Gap, SliceValues, VerdictRecord
from pipeline.evaluation.verdict import (
    ABOVE_BASELINE,
    AT_LEAST,
    BELOW_BASELINE,
    MAX_GAP,
    SliceMetrics,
)
from pipeline.settings.evaluation import Bounds, Evaluation
from pipeline.settings.metrics import (
    BOTH_LABELS,
    EXAMPLES,
    POSITIVES,
    Metric,
    main_metric,
    metric_named,
)
from pipeline.settings.slicing import OVERALL, group_name, is_group_of

WORST_SLICES = 5
# Of the change against the baseline, how much of it is a loss.
_LOSSES = {BELOW_BASELINE: lambda change: -change, ABOVE_BASELINE: lambda change: change}


def judge(
    slices: Sequence[SliceMetrics], evaluation: Evaluation, task: str, baseline_id: int | None
) -> VerdictRecord:
    """Compares the measurements with the requirements; the caller decides about the blessing.

    Args:
        slices: Slices of one evaluation; one of them is `overall`.
        evaluation: Thresholds of the settings.
        task: Task of the pipeline: which metric is the main one.
        baseline_id: Id of the Model that is the baseline; None without a baseline.
    """
    by_name = {one.name: one for one in slices}
    parts = [one for one in slices if one.name != OVERALL]
    rules = _Rules(evaluation, parts, task)
    checks = [
        check
        for name, bounds in evaluation.thresholds.items()
        for check in rules.checks(
            metric_named(name), bounds, by_name.get(OVERALL, SliceMetrics(OVERALL, {})), baseline_id
        )
    ]
    checks += rules.checks_of_slices(baseline_id)
    checks += rules.checks_of_gaps()
    main = main_metric(task)
    counted = [check.passed for check in checks if not check.not_counted]
    return VerdictRecord(
        tuple(checks),
        tuple(g for group in dict.fromkeys(evaluation.groups()) for g in rules.gap(main, group)),
        tuple(SliceValues(one.name, dict(one.metrics)) for one in rules.worst(main)),
        main.name,
        evaluation.min_slice_examples,
        None if main.needs == EXAMPLES else evaluation.min_label_examples,
        baseline_id,
        passed=bool(counted) and all(counted),
    )


@dataclasses.dataclass(frozen=True)
class _Rules:
    """The demands of the settings, and the slices that they are about."""

    evaluation: Evaluation
    parts: Sequence[SliceMetrics]
    task: str

    def checks(
        self, metric: Metric, bounds: Bounds, one: SliceMetrics, baseline_id: int | None
    ) -> Iterator[Check]:
        """One check for every bound; the one on the loss only if there is a baseline."""
        why_not = "" if one.name == OVERALL else self.why_not_counted(metric, one)
        value = one.metrics.get(metric.name)
        for kind, bound in bounds.model_dump(exclude_none=True).items():
            judged, interval, baseline = value, one.intervals.get(metric.name), None
            if kind in _LOSSES:
                if baseline_id is None:
                    continue
                baseline = one.baseline.get(metric.name)
                interval = one.changes.get(metric.name)
                judged = None if None in (value, baseline) else _LOSSES[kind](value - baseline)
            if interval and self.evaluation.confidence_intervals:
                low, high = interval
                judged = low if kind == AT_LEAST else high
                judged = -low if kind == BELOW_BASELINE else judged
            else:
                interval = None
            passed = None if why_not else _keeps(kind, judged, bound)
            yield Check(
                metric=metric.name,
                slice=one.name,
                kind=kind,
                bound=bound,
                value=value,
                judged=judged,
                interval=interval,
                baseline=baseline,
                examples=one.examples,
                passed=passed,
                not_counted=why_not,
                group=group_name(one.columns),
            )

    def checks_of_slices(self, baseline_id: int | None) -> Iterator[Check]:
        """A threshold for one slice stands in place of the one for all by the same columns."""
        for name, thresholds in self.evaluation.slice_thresholds.items():
            slices = [p for p in self.parts if p.name == name or self._is_group(name, p)]
            for metric, bounds in thresholds.items():
                if not slices:
                    yield from self._checks_of_absent(metric, bounds, name)
                for one in slices:
                    own = self.evaluation.slice_thresholds.get(one.name)
                    if one.name == name or own is None or getattr(own, metric, None) is None:
                        yield from self.checks(metric_named(metric), bounds, one, baseline_id)

    def checks_of_gaps(self) -> Iterator[Check]:
        """One check for every limit on a gap."""
        for metric, limits in self.evaluation.max_gap.items() if self.evaluation.max_gap else ():
            for name, bound in limits.items():
                group = self._group_of(name)
                found = next(self.gap(metric_named(metric), group), None)
                yield Check(
                    metric=metric,
                    slice=group,
                    kind=MAX_GAP,
                    bound=bound,
                    value=found.gap if found else None,
                    judged=found.gap if found else None,
                    passed=_keeps(MAX_GAP, found.gap, bound) if found else None,
                    not_counted="" if found else "fewer than two slices count",
                    group=group,
                    best=found.best if found else None,
                    worst=found.worst if found else None,
                )

    def gap(self, metric: Metric, group: str) -> Iterator[Gap]:
        """The gap of a metric between slices by the same columns; none of fewer than two slices."""
        counted = [p for p in self._counted(metric) if group_name(p.columns) == group]
        if len(counted) < 2:
            return
        values = [(p.name, p.metrics[metric.name]) for p in counted]
        # One that is not a number is the worst.
        ranked = sorted(values, key=lambda pair: _badness(metric, pair[1]))
        best, worst = ranked[0], ranked[-1]
        gap = _badness(metric, worst[1]) - _badness(metric, best[1])
        yield Gap(metric.name, group, gap, best, worst, len(counted))

    def worst(self, metric: Metric) -> list[SliceMetrics]:
        """The worst slices that count, the worst first."""
        ranked = sorted(
            self._counted(metric), key=lambda p: (-_badness(metric, p.metrics[metric.name]), p.name)
        )
        return ranked[:WORST_SLICES]

    def why_not_counted(self, metric: Metric, one: SliceMetrics) -> str:
        """Why a metric is not judged on a slice; empty if it is."""
        least, least_of_label = (
            self.evaluation.min_slice_examples,
            self.evaluation.min_label_examples,
        )
        if one.examples < least:
            return f"fewer than {least} examples"
        if self.task != "binary":  # label_mean is no share of positives then
            return ""
        positives = round(one.examples * one.metrics.get("label_mean", 0))
        rarer = min(positives, one.examples - positives)
        if metric.needs == BOTH_LABELS and rarer < least_of_label:
            return f"fewer than {least_of_label} examples of one label"
        if metric.needs == POSITIVES and positives < least_of_label:
            return f"fewer than {least_of_label} positive examples"
        return ""

    def _counted(self, metric: Metric) -> list[SliceMetrics]:
        return [
            p
            for p in self.parts
            if metric.name in p.metrics and not self.why_not_counted(metric, p)
        ]

    def _is_group(self, name: str, one: SliceMetrics) -> bool:
        return bool(one.columns) and is_group_of(name, one.columns)

    def _group_of(self, name: str) -> str:
        """The name of a group as reports have it; settings may have its columns in any order."""
        for parts in self.evaluation.columns_of_slices():
            columns = [column for column, _ in parts]
            if is_group_of(name, columns):
                return group_name(columns)
        return name

    def _checks_of_absent(self, metric: str, bounds: Bounds, name: str) -> Iterator[Check]:
        for kind, bound in bounds.model_dump(exclude_none=True).items():
            why = "no examples"
            yield Check(metric, name, kind, bound, None, examples=0, not_counted=why, group=name)


def _keeps(kind: str, judged: float | None, bound: float) -> bool:
    """Whether a number keeps a bound; what is undefined keeps none."""
    if judged is None or math.isnan(judged):
        return False
    return judged >= bound if kind == AT_LEAST else judged <= bound


def _badness(metric: Metric, value: float) -> float:
    return math.inf if math.isnan(value) else metric.badness(value)
