"""What was measured of a model, what was demanded of it and what came of that: plain values.

Made by pipeline.evaluation.judge and pipeline.evaluation.eval_config. Imports no TFMA.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from fareline.recorded.evaluation import Check, Gap, SliceValues, VerdictRecord

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

    def to_record(
        self,
        blessed: bool,
        tfma_refusals: Sequence[str],
        refusals: Sequence[str] = (),
        warnings: Sequence[str] = (),
    ) -> VerdictRecord:
        """As Evaluator records it.

        Args:
            blessed: Whether the model is.
            tfma_refusals: TFMA's own, in sentences.
            refusals: Ours that no check says, in sentences.
            warnings: In sentences.
        """
        return VerdictRecord(
            self.checks,
            self.gaps,
            tuple(SliceValues(one.name, dict(one.metrics)) for one in self.worst),
            self.main_metric,
            self.min_slice_examples,
            self.min_label_examples,
            self.baseline_id,
            self.passed,
            blessed,
            tuple(tfma_refusals),
            tuple(refusals),
            tuple(warnings),
        )
