"""The typed sections of a settings file, with their ranges.

Every meaning and unit stands in pipeline/configs/taxi.yaml; what one section cannot see, such as
the columns of the schema, is checked in pipeline.checks.

Called by pipeline.config. Imports no TFX and no TensorFlow.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from pipeline.values import (
    Choices,
    Count,
    Name,
    NotNegative,
    Number,
    Positive,
    Range,
    ServerUri,
    Share,
)

DEFAULT_PATH = Path(__file__).parent / "configs" / "taxi.yaml"
SPLIT_NAMES = ("train", "validate", "eval")


class _Section(pydantic.BaseModel):
    """A section of the settings: unknown keys are mistakes, and nothing changes after loading."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(_Section):
    """Where the rows come from: exactly one of these.

    Attributes:
        dataset: A data set that the project knows by name.
        csv: A CSV file, or a folder of them with one header.
    """

    dataset: Literal["chicago_taxi"] | None = None
    csv: str | None = None

    @pydantic.model_validator(mode="after")
    def _exactly_one(self) -> "Source":
        if (self.dataset is None) == (self.csv is None):
            raise ValueError("expected exactly one of dataset and csv")
        return self


class Splits(_Section):
    """Shares of the rows, by a hash of the whole row."""

    train: Count
    validate_: Count = Field(alias="validate")
    eval: Count

    def shares(self) -> list[tuple[str, int]]:
        """Split names with their shares, in a fixed order."""
        return list(zip(SPLIT_NAMES, (self.train, self.validate_, self.eval), strict=True))


class Data(_Section):
    """Where the data comes from and how it is split."""

    source: Source
    splits: Splits


class Numeric(_Section):
    """A z-score, of the value or of its logarithm."""

    log: bool = False


class Vocabulary(_Section):
    """The `size` most frequent values; others are hashed."""

    size: Count
    oov_buckets: Count


class Features(_Section):
    """Which column is what. A column may appear under several kinds."""

    numeric: dict[str, Numeric] = {}
    bucketized: dict[str, Annotated[int, Field(ge=2, strict=True)]] = {}
    vocabulary: dict[str, Vocabulary] = {}
    categorical: dict[str, Count] = {}

    def columns(self) -> Iterator[tuple[str, str]]:
        """Pairs of (path of the setting, column), in the order of the file."""
        for kind in type(self).model_fields:
            for column in getattr(self, kind):
                yield f"features.{kind}.{column}", column

    @pydantic.model_validator(mode="after")
    def _at_least_one(self) -> "Features":
        if not any(True for _ in self.columns()):
            raise ValueError("expected at least one feature")
        return self


class Above(_Section):
    """The right-hand side of the label rule: `times` × `column`."""

    column: str
    times: NotNegative


class Label(_Section):
    """1 where `column` > `above.times` × `above.column`, else 0."""

    column: str
    above: Above


class Transform(_Section):
    """How Transform runs."""

    statistics: bool = False


class Search(_Section):
    """The search space of the Tuner."""

    learning_rate: Range
    dropout: Range
    width: Choices
    depth: Choices
    embedding_size: Choices

    @pydantic.field_validator("learning_rate", "dropout")
    @classmethod
    def _ordered(cls, value: tuple[float, float], info: pydantic.ValidationInfo):
        low, high = value
        lowest, highest = (0, 1) if info.field_name == "dropout" else (1e-8, 1)
        if not lowest <= low < high <= highest:
            raise ValueError(f"expected [low, high] with {lowest} <= low < high <= {highest}")
        return value


class Tuning(_Section):
    """The budget and the space of the hyperparameter search."""

    trials: Count
    steps: Count
    search: Search


class Training(_Section):
    """How the Trainer fits the network."""

    steps: Count
    batch_size: Count
    evaluate_every: Count
    patience: Count


class Bounds(_Section):
    """A floor, a ceiling or both, that a metric must keep for a model to be blessed."""

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


class Threshold(Bounds):
    """Bounds on a metric between 0 and 1, of which more is better, so that models compare."""

    at_least: Share | None = None
    at_most: Share | None = None
    at_most_below_baseline: NotNegative | None = None


class Thresholds(_Section):
    """One threshold per metric, over all examples."""

    auc: Threshold | None = None
    pr_auc: Threshold | None = None
    accuracy: Threshold | None = None
    calibration: Bounds | None = None
    example_count: Bounds | None = None

    def items(self) -> Iterator[tuple[str, Bounds]]:
        """Pairs of metric and threshold, for the metrics that have one."""
        for metric in type(self).model_fields:
            if getattr(self, metric) is not None:
                yield metric, getattr(self, metric)

    @pydantic.model_validator(mode="after")
    def _at_least_one(self) -> "Thresholds":
        # With none, TFX's Evaluator gives no blessing, without a word (tfx issue 5148).
        if not any(True for _ in self.items()):
            raise ValueError(f"expected a threshold for at least one of {', '.join(METRICS)}")
        return self


METRICS = tuple(Thresholds.model_fields)


class Evaluation(_Section):
    """What the Evaluator measures and demands."""

    slices: list[Annotated[list[str], Field(min_length=1)]] = []
    thresholds: Thresholds


class Percentiles(_Section):
    """Budgets of a latency; what is null is not limited."""

    p50: Positive | None = None
    p95: Positive | None = None
    p99: Positive | None = None


class Latency(_Section):
    """Budgets of requests with one example and with 32."""

    batch_1: Percentiles = Percentiles(p50=100, p95=400, p99=1000)
    batch_32: Percentiles = Percentiles(p50=200, p95=800, p99=2000)


class Serving(_Section):
    """What InfraValidator demands of a saved model, and how `fareline serve` logs requests."""

    examples: Count = 32
    load_seconds: Positive = 60
    rpc_seconds: Positive = 10
    tolerance: Positive = 1e-4
    latency_ms: Latency = Latency()
    memory_mb: Positive = 2048
    size_mb: Positive = 512
    log_exclude: list[str] = []

    def budgets(self) -> dict[str, Any]:
        """What InfraValidator takes as budgets, as plain JSON types; what is null is left out."""
        return self.model_dump(mode="json", exclude={"examples", "log_exclude"}, exclude_none=True)


class Metadata(_Section):
    """Where runs are recorded."""

    store: ServerUri | None = None


class Push(_Section):
    """Where a blessed model goes."""

    destination: str | None = None


class Settings(_Section):
    """All settings of one pipeline; see pipeline/configs/taxi.yaml for every meaning and unit."""

    name: Name
    task: Literal["binary"]
    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)]
    data: Data
    schema_: str | None = Field(alias="schema")
    features: Features
    label: Label
    transform: Transform = Transform()
    tuning: Tuning
    training: Training
    evaluation: Evaluation
    serving: Serving = Serving()
    push: Push = Push()
    metadata: Metadata = Metadata()

    _path: Path = pydantic.PrivateAttr(default=DEFAULT_PATH)

    @property
    def path(self) -> Path:
        """The file that these settings came from; relative paths in it start at its folder."""
        return self._path

    def resolve(self, path: str) -> Path:
        """The absolute path of a local path in these settings."""
        return self._path.parent / os.path.expanduser(path)

    def section(self, *names: str) -> dict[str, Any]:
        """The sections of these names in the file as plain JSON types, for `custom_config`."""
        fields = {field.alias or name: name for name, field in type(self).model_fields.items()}
        return self.model_dump(mode="json", by_alias=True, include={fields[name] for name in names})
