"""Metrics of a slice, and the kinds of thresholds on them: plain values.

What comes of them is a `fareline.recorded.evaluation.VerdictRecord`. Called by
pipeline.evaluation.judge and pipeline.components.evaluator. Imports no TFMA.
"""

import dataclasses
from collections.abc import Mapping

# Kinds of checks, as the settings have them.
AT_LEAST, AT_MOST = "at_least", "at_most"
BELOW_BASELINE, ABOVE_BASELINE = "at_most_below_baseline", "at_most_above_baseline"
MAX_GAP = "max_gap"
Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class SliceMetrics:
    """Metrics of one slice.

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
        """Number of examples of the slice."""
        return round(self.metrics.get("example_count", 0))
