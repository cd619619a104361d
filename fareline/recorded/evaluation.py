"""Records of Evaluator: metrics with a ModelEvaluation, the verdict with a ModelBlessing."""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from fareline.recorded import METRICS, VERDICT
from fareline.recorded.texts import Element, read, read_plain

Number = int | float  # as it is written: 1 stays 1
Values = dict[str, Number | None]  # metric to value; None where it is undefined
Best = tuple[str, Number | None]


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Measured metrics.

    Attributes:
        overall: Metric to value; None where it is undefined.
        slices: Slice, such as `payment_type=Cash`, to the same.
    """

    overall: Values = dataclasses.field(default_factory=dict)
    slices: dict[str, Values] = dataclasses.field(default_factory=dict)

    def to_text(self) -> str:
        """Writes the property."""
        return json.dumps(finite(dataclasses.asdict(self)), allow_nan=False)


def read_metrics(evaluation: Element) -> Metrics | None:
    """The metrics of a ModelEvaluation; None in a stock store."""
    return read(Metrics, evaluation, METRICS)


def metrics_of(evaluation: Element) -> dict[str, Number]:
    """The overall metrics of a ModelEvaluation, undefined ones left out; empty in a stock store.

    Well-formed records are read without pydantic, which saves time in lists of a thousand runs.
    """
    content = read_plain(dict, evaluation, METRICS)
    if content is None:
        return {}
    overall = content.get("overall")
    if not isinstance(overall, dict) or not all(map(_is_value, overall.values())):
        metrics = read_metrics(evaluation)
        overall = metrics.overall if metrics else {}
    return _defined(overall)


def _is_value(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def slice_metrics_of(evaluation: Element) -> dict[str, dict[str, Number]]:
    """Slice to metrics of a ModelEvaluation, undefined ones left out; empty in a stock store."""
    metrics = read_metrics(evaluation)
    return {name: _defined(values) for name, values in metrics.slices.items()} if metrics else {}


@dataclasses.dataclass(frozen=True)
class Check:
    """One threshold and its result.

    Attributes:
        metric: Our name of it.
        slice: Name of the slice; for a gap, of the columns.
        kind: `at_least`, `at_most`, `at_most_below_baseline`, `at_most_above_baseline` or
            `max_gap`.
        bound: Value that the settings require.
        value: The metric; for a gap, the gap. None if it was not measured.
        judged: The number that was compared with the bound: the value, an end of its interval, or
            the loss against the baseline.
        interval: Interval of the value, or of its change against the baseline; None if not asked
            for.
        baseline: The baseline's value, where it matters.
        examples: Number of examples of the slice; None for a gap.
        passed: Whether the bound is kept; None if it does not count.
        not_counted: Why it does not count; empty if it does.
        group: Name of the columns that it is a slice by; empty for the whole.
        best: For a gap, name and value of the best slice.
        worst: For a gap, name and value of the worst slice.
    """

    metric: str
    slice: str
    kind: str
    bound: Number
    value: Number | None
    judged: Number | None = None
    interval: tuple[Number | None, Number | None] | None = None
    baseline: Number | None = None
    examples: int | None = None
    passed: bool | None = None
    not_counted: str = ""
    group: str = ""
    best: Best | None = None
    worst: Best | None = None


@dataclasses.dataclass(frozen=True)
class Gap:
    """Gap between the best and the worst slice of the same columns, with enough examples.

    Attributes:
        metric: Our name of it.
        slices: Name of the columns.
        gap: Difference between the best and the worst slice.
        best: Name and value.
        worst: Name and value.
        count: Number of slices with enough examples.
    """

    metric: str
    slices: str
    gap: Number | None
    best: Best
    worst: Best
    count: int


@dataclasses.dataclass(frozen=True)
class SliceValues:
    """A slice and what was measured on it."""

    name: str
    metrics: Values


@dataclasses.dataclass(frozen=True)
class Reference:
    """A reference model beside the candidate; it affects no decision.

    Attributes:
        kind: `boosting`.
        train_rows: Number of training rows.
        metrics: Metrics of the reference on the same examples.
        model: Metrics of the model, by the same names.
    """

    kind: str
    train_rows: int
    metrics: Values
    model: Values


@dataclasses.dataclass(frozen=True)
class VerdictRecord:
    """The verdict about a model; made by `pipeline.evaluation.judge`.

    Attributes:
        checks: In the order of the settings, those of the whole first.
        gaps: Gaps of the main metric, for everything that is sliced by.
        worst: The worst slices by the main metric that count, the worst first.
        main_metric: Metric that ranks the slices.
        min_slice_examples: Minimum number of examples of a slice that counts.
        min_label_examples: Minimum number of examples of each label; None: no minimum.
        baseline_id: Id of the Model that is the baseline; None without a baseline.
        passed: Whether every check that counts is passed, and there is one; None: not recorded.
        blessed: Whether TFMA refuses nothing either; None: not recorded.
        tfma_refusals: Its own, in sentences; it may refuse what we do not.
        refusals: Why its predictions are none, in sentences: they need the label, or are no
            probabilities.
        warnings: Sentences for the reader that do not prevent a blessing.
        reference: Result of a reference model; None: not requested.
    """

    checks: tuple[Check, ...] = ()
    gaps: tuple[Gap, ...] = ()
    worst: tuple[SliceValues, ...] = ()
    main_metric: str = ""
    min_slice_examples: int = 0
    min_label_examples: int | None = None
    baseline_id: int | None = None
    passed: bool | None = None
    blessed: bool | None = None
    tfma_refusals: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reference: Reference | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; null for what is undefined or infinite."""
        content = dataclasses.asdict(self)
        for name in (
            "refusals",
            "warnings",
            "reference",
        ):  # Left out where there are none, as of old.
            if not content[name]:
                del content[name]
        for check in content["checks"]:
            check["counted"] = not check["not_counted"]
        return finite(content)

    def to_text(self, indent: int | None = None) -> str:
        """Writes the property, and with an indent the file."""
        return json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False, indent=indent)


def verdict_of(blessing: Element) -> VerdictRecord | None:
    """The verdict of a ModelBlessing; None if it was not recorded."""
    return read(VerdictRecord, blessing, VERDICT)


def finite(content: Any) -> Any:
    """Plain JSON values with None for NaN and infinity, which JSON has not."""
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: finite(value) for key, value in content.items()}
    return [finite(v) for v in content] if isinstance(content, list | tuple) else content


def _defined(metrics: Values) -> dict[str, Number]:
    return {name: value for name, value in metrics.items() if value is not None}
