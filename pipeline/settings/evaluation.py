"""The section `evaluation` of a settings file: slices, and requirements for a model.

Every meaning stands in pipeline/configs/taxi.yaml; what needs other sections is checked in
pipeline.rules.settings. Called by pipeline.settings.settings, and by the Evaluator, which gets this
section as JSON. Imports no TFX and no TensorFlow.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Union

import pydantic
from pydantic import Field
from pydantic_core import InitErrorDetails, PydanticCustomError

from pipeline.settings.metrics import LESS, METRICS, MORE, Metric
from pipeline.settings.slicing import feature_key, group_name
from pipeline.settings.values import Count, NotNegative, Number, Section

# What says how much worse than the baseline a model may be.
LOSSES = {MORE: "at_most_below_baseline", LESS: "at_most_above_baseline"}


class Buckets(Section):
    """A number to slice by, in buckets: below the first boundary, between two, from the last on."""

    column: str
    boundaries: tuple[Number, ...]


SlicePart = Union[str, Buckets]  # noqa: UP007 - evaluated on Python 3.10


def _slice_part(value: Any) -> SlicePart:
    # Not left to pydantic: it would list what is wrong for each kind of part.
    if isinstance(value, str | Buckets):
        return value
    if not isinstance(value, dict) or set(value) != {"column", "boundaries"}:
        raise ValueError("expected a column, or {column: NAME, boundaries: [NUMBER, …]}")
    column, boundaries = value["column"], value["boundaries"]
    if not isinstance(column, str):
        raise ValueError("expected the name of a column")
    numbers = boundaries if isinstance(boundaries, list | tuple) else []
    if not numbers or not all(_is_finite(n) for n in numbers):
        raise ValueError("expected boundaries as a list of at least one number")
    if any(low >= high for low, high in itertools.pairwise(numbers)):
        raise ValueError("expected boundaries that rise")
    return Buckets(column=column, boundaries=tuple(numbers))


def _is_finite(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


Slice = Annotated[list[Annotated[Any, pydantic.BeforeValidator(_slice_part)]], Field(min_length=1)]


class Bounds(Section):
    """A minimum, a maximum or both, which a metric must keep for a model to be blessed."""

    at_least: Number | None = None
    at_most: Number | None = None

    @pydantic.model_validator(mode="after")
    def _bounded(self) -> "Bounds":
        if not any(getattr(self, name) is not None for name in type(self).model_fields):
            *names, last = type(self).model_fields
            raise ValueError(f"expected {', '.join(names)} or {last}")
        if None not in (self.at_least, self.at_most) and self.at_least > self.at_most:
            raise ValueError("expected at_least not above at_most")
        return self


def _bounds_of(metric: Metric) -> type[Bounds]:
    """Bounds in the range of a metric; with one on the loss if it says which model is better."""
    number = Annotated[Number, Field(ge=metric.low, le=metric.high)]
    fields: dict[str, Any] = dict.fromkeys(("at_least", "at_most"), (number | None, None))
    if metric.better in LOSSES:
        fields[LOSSES[metric.better]] = (NotNegative | None, None)
    return pydantic.create_model(f"Bounds of {metric.name}", __base__=Bounds, **fields)


class BoundsOfOwn(Bounds):
    """Bounds of a metric of `code.metrics`; which value is better is what a bound on loss says."""

    at_most_below_baseline: NotNegative | None = None
    at_most_above_baseline: NotNegative | None = None

    @pydantic.model_validator(mode="after")
    def _one_direction(self) -> "BoundsOfOwn":
        if None not in (self.at_most_below_baseline, self.at_most_above_baseline):
            raise ValueError("expected at_most_below_baseline or at_most_above_baseline, not both")
        return self


class _PerMetric(Section):
    """Something for some of the metrics."""

    def items(self) -> Iterator[tuple[str, Any]]:
        """Pairs of metric and what is set for it, for the metrics that have it."""
        for metric in (*type(self).model_fields, *(self.__pydantic_extra__ or {})):
            if getattr(self, metric) is not None:
                yield metric, getattr(self, metric)

    @pydantic.model_validator(mode="after")
    def _at_least_one(self) -> "_PerMetric":
        # With none, TFX's Evaluator gives no blessing, without a word (tfx issue 5148).
        if not any(True for _ in self.items()):
            names = ", ".join(type(self).model_fields)
            raise ValueError(f"expected a threshold for at least one of {names}")
        return self


class _WithOwnBounds(_PerMetric):
    """Whether other names are those of `code.metrics` is checked by `Evaluation.require_known`."""

    model_config = pydantic.ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, BoundsOfOwn]


class _WithOwnGaps(_PerMetric):
    """As `_WithOwnBounds`."""

    model_config = pydantic.ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, dict[str, NotNegative]]


Thresholds = pydantic.create_model(
    "Thresholds",
    __base__=_WithOwnBounds,
    **{m.name: (_bounds_of(m) | None, None) for m in METRICS if m.is_judged},
)
Gaps = pydantic.create_model(
    "Gaps",
    __base__=_WithOwnGaps,
    **{m.name: (dict[str, NotNegative] | None, None) for m in METRICS if m.better},
)


class Evaluation(Section):
    """Metrics and thresholds of the Evaluator."""

    slices: list[Slice] = Field(default_factory=list)
    min_slice_examples: Count = 50
    min_label_examples: Count = 10
    confidence_intervals: bool = False
    thresholds: Thresholds
    slice_thresholds: dict[str, Thresholds] = Field(default_factory=dict)
    max_gap: Gaps | None = None
    reference: Literal["boosting"] | None = None

    def columns_of_slices(self) -> list[list[tuple[str, tuple[float, ...]]]]:
        """For each entry of `slices` its columns, each with its boundaries, if it has any."""
        return [
            [(part, ()) if isinstance(part, str) else (part.column, part.boundaries) for part in s]
            for s in self.slices
        ]

    def feature_keys(self, functions: Mapping[str, str]) -> list[list[str]]:
        """For each entry of `slices` what TFMA is to slice by.

        Args:
            functions: Name to dotted path of the user's functions that rows are sliced by.
        """
        return [
            [feature_key(column, boundaries, functions.get(column)) for column, boundaries in parts]
            for parts in self.columns_of_slices()
        ]

    def require_known(self, own: Iterable[str]) -> None:
        """Refuses thresholds and gaps of metrics that are neither ours nor the user's.

        Args:
            own: The names of `code.metrics`.

        Raises:
            pydantic.ValidationError: As of an unknown setting.
        """
        problems = [
            InitErrorDetails(
                type=PydanticCustomError("extra_forbidden", "unknown metric", {"known": known}),
                loc=("evaluation", *where, metric),
                input=found,
            )
            for where, section in self._sections()
            for known in [[*type(section).model_fields, *own]]
            for metric, found in section.items()
            if metric not in known
        ]
        if problems:
            raise pydantic.ValidationError.from_exception_data("Settings", problems)

    def _sections(self) -> Iterator[tuple[tuple[str, ...], _PerMetric]]:
        """Everything that has a part for each metric, and where it is."""
        yield ("thresholds",), self.thresholds
        for name, thresholds in self.slice_thresholds.items():
            yield ("slice_thresholds", name), thresholds
        if self.max_gap is not None:
            yield ("max_gap",), self.max_gap

    def groups(self) -> list[str]:
        """The name of each entry of `slices`, such as `payment_type` or `company, trip_miles`."""
        return [group_name(c for c, _ in parts) for parts in self.columns_of_slices()]

    def metrics_named(self) -> Iterator[tuple[str, str]]:
        """Pairs of (path of the setting, metric) of everything that is demanded."""
        for where, section in self._sections():
            for metric, _ in section.items():
                yield ".".join(("evaluation", *where, metric)), metric
