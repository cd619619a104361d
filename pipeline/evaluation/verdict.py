"""What was measured of a model, what was demanded of it and what came of that: plain values.

Made by pipeline.evaluation.judge and pipeline.evaluation.eval_config. Imports no TFMA.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

# Kinds of checks, as the settings have them.
AT_LEAST, AT_MOST = "at_least", "at_most"
BELOW_BASELINE, ABOVE_BASELINE = "at_most_below_baseline", "at_most_above_baseline"
MAX_GAP = "max_gap"
Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class SliceMetrics:
    """What was measured on one slice.

    Attributes:
        name: `overall`, or such as `trip_start_hour=7`.
        metrics: Our metric names to values; NaN where a metric is undefined.
        columns: The columns that it is a slice by; none of the whole.
        intervals: 95 % confidence interval of each metric, where they were computed.
        baseline: The baseline's metrics on the same examples; empty without a baseline.
        changes: 95 % confidence interval of each metric minus the baseline's.
    """

    name: str
    metrics: Mapping[str, float]
    columns: tuple[str, ...] = ()
    intervals: Mapping[str, Interval] = dataclasses.field(default_factory=dict)
    baseline: Mapping[str, float] = dataclasses.field(default_factory=dict)
    changes: Mapping[str, Interval] = dataclasses.field(default_factory=dict)

    @property
    def examples(self) -> int:
        """How many examples it has."""
        return round(self.metrics.get("example_count", 0))


@dataclasses.dataclass(frozen=True)
class Check:
    """One demand and what came of it.

    Attributes:
        metric: Our name of it.
        slice: Name of the slice; for a gap, of the columns.
        kind: `at_least`, `at_most`, `at_most_below_baseline`, `at_most_above_baseline` or
            `max_gap`.
        bound: What the settings demand.
        value: The metric; for a gap, the gap. None if it was not measured.
        judged: The number that was held against the bound: the value, an end of its interval, or
            how much worse it is than the baseline's.
        interval: Of the value, or of its change against the baseline; None if not asked for.
        baseline: The baseline's value, where it matters.
        examples: Of the slice; None for a gap.
        passed: Whether the bound is kept; None if it does not count.
        not_counted: Why it does not count; empty if it does.
        group: Name of the columns that it is a slice by; empty for the whole.
        best: Of a gap: name and value of the best slice.
        worst: Of a gap: name and value of the worst slice.
    """

    metric: str
    slice: str
    kind: str
    bound: float
    value: float | None
    judged: float | None = None
    interval: Interval | None = None
    baseline: float | None = None
    examples: int | None = None
    passed: bool | None = None
    not_counted: str = ""
    group: str = ""
    best: tuple[str, float] | None = None
    worst: tuple[str, float] | None = None


@dataclasses.dataclass(frozen=True)
class Gap:
    """How far the best and the worst slice of the same columns are apart, of those that count.

    Attributes:
        metric: Our name of it.
        slices: Name of the columns.
        gap: How much worse the worst is.
        best: Name and value.
        worst: Name and value.
        count: How many slices count.
    """

    metric: str
    slices: str
    gap: float
    best: tuple[str, float]
    worst: tuple[str, float]
    count: int


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What there is to say of a model.

    Attributes:
        checks: In the order of the settings, those of the whole first.
        gaps: Of the main metric, for everything that is sliced by.
        worst: The worst slices by the main metric that count, the worst first.
        main_metric: By which slices are ranked.
        min_slice_examples: A slice of fewer does not count.
        min_label_examples: Nor one with fewer of a label; None if the main metric needs none.
        baseline_id: Of the Model that it was compared with; None if there was none.
    """

    checks: tuple[Check, ...]
    gaps: tuple[Gap, ...]
    worst: tuple[SliceMetrics, ...]
    main_metric: str
    min_slice_examples: int
    min_label_examples: int | None
    baseline_id: int | None

    @property
    def passed(self) -> bool:
        """Whether every check that counts is passed, and there is one."""
        counted = [check.passed for check in self.checks if not check.not_counted]
        return bool(counted) and all(counted)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; null for what is undefined or infinite."""
        content = dataclasses.asdict(self) | {"passed": self.passed}
        for check in content["checks"]:
            check["counted"] = not check["not_counted"]
        kept = ("name", "metrics")
        content["worst"] = [{name: one[name] for name in kept} for one in content["worst"]]
        return _finite(content)


def _finite(content: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: _finite(value) for key, value in content.items()}
    return [_finite(v) for v in content] if isinstance(content, list | tuple) else content
