"""The typed sections of a settings file, with their ranges.

Every meaning and unit stands in pipeline/configs/taxi.yaml; what one section cannot see, such as
the columns of the schema, is checked in pipeline.rules.settings.

Called by pipeline.settings.load. Imports no TFX and no TensorFlow.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from fareline.errors import SettingsError
from pipeline.settings.blame import wrong_settings
from pipeline.settings.data import Data
from pipeline.settings.defaults import with_defaults
from pipeline.settings.drift import Drift, Monitoring
from pipeline.settings.evaluation import Evaluation
from pipeline.settings.gate import Gate
from pipeline.settings.label import ColumnValue, Label, require_rule_of
from pipeline.settings.runners import Runners
from pipeline.settings.values import (
    Choices,
    Count,
    Name,
    Number,
    Positive,
    Range,
    Section,
    ServerUri,
    TwoOrMore,
)
from pipeline.settings.weighting import Weighting

DEFAULT_PATH = Path(__file__).parents[1] / "configs" / "taxi.yaml"


Text = Annotated[str, Field(min_length=1, max_length=10_000)]


class Card(Section):
    """Free text of the model card, in the words of its makers; what is null is left out.

    What the store knows (data, metrics, slices, limits) is not written here: docs/report.md.
    """

    title: Text | None = None
    owner: Text | None = None
    intended_use: Text | None = None
    out_of_scope: Text | None = None
    data: Text | None = None
    considerations: Text | None = None
    license: Text | None = None


class Numeric(Section):
    """A z-score, of the value or of its logarithm."""

    log: bool = False


class Vocabulary(Section):
    """The `size` most frequent values; others are hashed."""

    size: Count
    oov_buckets: Count


class Features(Section):
    """Which column is what. A column may appear under several kinds."""

    numeric: dict[str, Numeric] = Field(default_factory=dict)
    bucketized: dict[str, TwoOrMore] = Field(default_factory=dict)
    vocabulary: dict[str, Vocabulary] = Field(default_factory=dict)
    categorical: dict[str, Count] = Field(default_factory=dict)

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


class Transform(Section):
    """How Transform runs."""

    statistics: bool = False


class Search(Section):
    """The search space of the Tuner."""

    learning_rate: Range = (0.001, 0.01)
    dropout: Range = (0.1, 0.4)
    width: Choices = [32, 64, 128]  # noqa: RUF012 - pydantic copies it
    depth: Choices = [1, 2]  # noqa: RUF012
    embedding_size: Choices = [4, 8]  # noqa: RUF012

    @pydantic.field_validator("learning_rate", "dropout")
    @classmethod
    def _ordered(cls, value: tuple[float, float], info: pydantic.ValidationInfo):
        low, high = value
        lowest, highest = (0, 1) if info.field_name == "dropout" else (1e-8, 1)
        if not lowest <= low < high <= highest:
            raise ValueError(f"expected [low, high] with {lowest} <= low < high <= {highest}")
        return value


class Hyperparameters(Section):
    """One value of each name in the search space."""

    learning_rate: Annotated[Number, Field(ge=1e-8, le=1)]
    dropout: Annotated[Number, Field(ge=0, lt=1)]
    width: Count
    depth: Count
    embedding_size: Count


class Tuning(Section):
    """When hyperparameters are searched for, with what budget, in which space."""

    policy: Literal["always", "on_drift", "never"] = "always"
    trials: Count = 4
    steps: Count = 120
    search: Search = Search()
    hyperparameters: Hyperparameters | None = Field(default=None, validate_default=True)

    @pydantic.field_validator("hyperparameters")
    @classmethod
    def _given_if_nothing_is_searched(
        cls, value: Hyperparameters | None, info: pydantic.ValidationInfo
    ):
        policy = info.data.get("policy")  # None: the policy is the mistake
        if policy == "never" and value is None:
            names = ", ".join(Hyperparameters.model_fields)
            raise ValueError(f"expected {names} with tuning.policy never")
        if policy in ("always", "on_drift") and value is not None:
            raise ValueError(f"expected null with tuning.policy {policy}, which searches for them")
        return value


class Training(Section):
    """How the Trainer fits the network."""

    steps: Count = 640
    batch_size: Count = 256
    evaluate_every: Count = 32
    patience: Count = 6


class Percentiles(Section):
    """Budgets of a latency; what is null is not limited."""

    p50: Positive | None = None
    p95: Positive | None = None
    p99: Positive | None = None


class Latency(Section):
    """Budgets of requests with one example and with 32."""

    batch_1: Percentiles = Percentiles(p50=100, p95=400, p99=1000)
    batch_32: Percentiles = Percentiles(p50=200, p95=800, p99=2000)


class Serving(Section):
    """What InfraValidator demands of a saved model, and how `fareline serve` logs requests."""

    examples: Count = 32
    load_seconds: Positive = 60
    rpc_seconds: Positive = 10
    tolerance: Positive = 1e-4
    latency_ms: Latency = Latency()
    memory_mb: Positive = 2048
    size_mb: Positive = 512
    log_exclude: list[str] = Field(default_factory=list)

    def budgets(self) -> dict[str, Any]:
        """What InfraValidator takes as budgets, as plain JSON types; what is null is left out."""
        return self.model_dump(mode="json", exclude={"examples", "log_exclude"}, exclude_none=True)


class Feedback(Section):
    """How logged predictions and their outcomes become data to train on.

    Attributes:
        entity: Column of the requests that says whom or what a row is about; None: none does.
        wait_hours: How long after a prediction its outcome may take.
        expired: What the label's column gets where none has come; None: such rows are left out.
    """

    entity: str | None = None
    wait_hours: Positive = 168
    expired: ColumnValue | None = None


class Metadata(Section):
    """Where runs are recorded."""

    store: ServerUri | None = None


class Push(Section):
    """Where a blessed model goes."""

    destination: str | None = None
    keep_versions: Annotated[int, Field(ge=2, strict=True)] | None = None


class Settings(Section):
    """All settings of one pipeline; see pipeline/configs/taxi.yaml for every meaning and unit.

    Those without a default are `name`, `data.source`, `features` and `label`.
    """

    name: Name
    task: Literal["binary", "multiclass", "regression"]
    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)] = 20
    data: Data
    schema_: str | None = Field(default=None, alias="schema")
    gate: Gate = Gate()
    drift: Drift = Drift()
    features: Features
    label: Label
    weighting: Weighting = Weighting()
    transform: Transform = Transform()
    tuning: Tuning = Tuning()
    training: Training = Training()
    evaluation: Evaluation
    serving: Serving = Serving()
    feedback: Feedback = Feedback()
    monitoring: Monitoring = Monitoring()
    push: Push = Push()
    card: Card = Card()
    metadata: Metadata = Metadata()
    runners: Runners = Runners()

    _path: Path = pydantic.PrivateAttr(default=DEFAULT_PATH)
    _overridden: tuple[str, ...] = pydantic.PrivateAttr(default=())

    @pydantic.model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        return with_defaults(values)

    @pydantic.field_validator("label")
    @classmethod
    def _fits_task(cls, label: Label, info: pydantic.ValidationInfo):
        if "task" in info.data:  # otherwise the task is the mistake
            require_rule_of(info.data["task"], label)
        return label

    @property
    def path(self) -> Path:
        """The file that these settings came from; relative paths in it start at its folder."""
        return self._path

    def wrong(self, problems: Iterable[str]) -> SettingsError:
        """The error that tells these problems, each a line that begins with a dotted key."""
        return wrong_settings(self._path, self._overridden, problems)

    @property
    def unserved_columns(self) -> list[str]:
        """The columns that are known in training only, and that no request carries."""
        weights = [self.weighting.column] if self.weighting.column else []
        return [self.label.column, *weights]

    @property
    def unlogged_columns(self) -> frozenset[str]:
        """Columns that no log of requests holds: those that are named, and personal ones."""
        return frozenset((*self.serving.log_exclude, *self.data.personal_columns()))

    def resolve(self, path: str) -> Path:
        """The absolute path of a local path in these settings."""
        return self._path.parent / os.path.expanduser(path)

    def section(self, *names: str) -> dict[str, Any]:
        """The sections of these names in the file as plain JSON types, for `custom_config`."""
        fields = {field.alias or name: name for name, field in type(self).model_fields.items()}
        return self.model_dump(mode="json", by_alias=True, include={fields[name] for name in names})
