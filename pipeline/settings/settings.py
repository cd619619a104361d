"""The typed sections of a settings file, with their ranges.

pipeline/configs/taxi.yaml has every meaning and unit. pipeline.rules.settings checks what a section
alone cannot check, such as the columns of the schema.

Called by pipeline.settings.load. Imports no TFX and no TensorFlow.
"""

import contextvars
import os
import re
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field
from pydantic_core import InitErrorDetails, PydanticCustomError

from fareline.errors import SettingsError
from pipeline.settings.blame import wrong_settings
from pipeline.settings.conditions import Conditions
from pipeline.settings.data import Data
from pipeline.settings.defaults import with_defaults
from pipeline.settings.drift import Drift, Monitoring
from pipeline.settings.evaluation import Evaluation
from pipeline.settings.gate import Gate
from pipeline.settings.label import ColumnValue, Label, require_rule_of
from pipeline.settings.live.loop import Loop
from pipeline.settings.model.code import Code
from pipeline.settings.model.kinds import WIDE_DEEP, Model
from pipeline.settings.runners import (
    FOLDER,
    ON_VERTEX,
    Bucket,
    Image,
    MachineType,
    Project,
    PushDestination,
    Region,
    Runners,
    ServiceAccount,
    Url,
    VertexEndpointId,
    VertexModelId,
)
from pipeline.settings.running.beam import Beam
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
# The graphs of one settings file: `pipeline`.
WHOLE, DATA, TRAINING = "whole", "data", "training"


# The kind of model of the settings under validation: what `tuning` needs depends on it.
_KIND: contextvars.ContextVar[Any] = contextvars.ContextVar("kind", default=WIDE_DEEP)

Text = Annotated[str, Field(min_length=1, max_length=10_000)]


class Card(Section):
    """Free text of the model card, written by its authors; null is left out.

    Data, metrics, slices and limits come from the store and are not set here: docs/report.md.
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
    """The features by kind. A column may appear under several kinds."""

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
    """Settings of Transform."""

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
    """One value for each name in the search space."""

    learning_rate: Annotated[Number, Field(ge=1e-8, le=1)]
    dropout: Annotated[Number, Field(ge=0, lt=1)]
    width: Count
    depth: Count
    embedding_size: Count


class Tuning(Section):
    """The policy, the budget and the space of the hyperparameter search.

    `search` and `hyperparameters` are those of `wide_deep`; other kinds have them in `model`.
    """

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
        if policy == "never" and value is None and _KIND.get() == WIDE_DEEP:
            names = ", ".join(Hyperparameters.model_fields)
            raise ValueError(f"expected {names} with tuning.policy never")
        if policy in ("always", "on_drift") and value is not None:
            raise ValueError(f"expected null with tuning.policy {policy}, which searches for them")
        return value


class Training(Section):
    """Settings of the Trainer.

    Attributes:
        warm_start: Model with the initial weights: `live`, or an id such as Model:12; None: random
            weights.
    """

    steps: Count = 640
    batch_size: Count = 256
    evaluate_every: Count = 32
    patience: Count = 6
    warm_start: Annotated[str, Field(min_length=1)] | None = None


class Percentiles(Section):
    """Limits of a latency; null means no limit."""

    p50: Positive | None = None
    p95: Positive | None = None
    p99: Positive | None = None


class Latency(Section):
    """Limits of requests with one example and with 32."""

    batch_1: Percentiles = Percentiles(p50=100, p95=400, p99=1000)
    batch_32: Percentiles = Percentiles(p50=200, p95=800, p99=2000)


class Serving(Section):
    """Requirements of InfraValidator for a model, and the request log of `fareline serve`."""

    examples: Count = 32
    load_seconds: Positive = 60
    rpc_seconds: Positive = 10
    tolerance: Positive = 1e-4
    latency_ms: Latency = Latency()
    memory_mb: Positive = 2048
    size_mb: Positive = 512
    log_exclude: list[str] = Field(default_factory=list)

    def budgets(self) -> dict[str, Any]:
        """The budgets for InfraValidator as plain JSON types; null is left out."""
        return self.model_dump(mode="json", exclude={"examples", "log_exclude"}, exclude_none=True)


class Feedback(Section):
    """Settings that make data for training of logged predictions and their outcomes.

    Attributes:
        entity: Column of the requests that identifies the person or object; None: no column.
        wait_hours: Longest time from a prediction to its outcome.
        expired: Value of the label's column without an outcome; None: such rows are left out.
    """

    entity: str | None = None
    wait_hours: Positive = 168
    expired: ColumnValue | None = None


class Metadata(Section):
    """The metadata store."""

    store: ServerUri | None = None


# Source: DedicatedResources of google.cloud.aiplatform_v1, an int32; quotas differ by project.
Replicas = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]
_PREBUILT = "-docker.pkg.dev/vertex-ai/prediction/"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HOST_AND_PORT = r"https?://(\[::1\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?/?"


class VertexPush(Section):
    """The place of a model on Vertex AI: a model of the registry, and an endpoint.

    Attributes:
        model, endpoint: Ids; null: the name of the pipeline.
        traffic: Percent of the requests for a new version; the live version gets the others.
        server: `google`: TensorFlow Serving as built by Google; `fareline`: `fareline serve`.
        image: Image of the model server.
    """

    project: Project
    region: Region
    bucket: Bucket
    model: VertexModelId | None = None
    endpoint: VertexEndpointId | None = None
    machine_type: MachineType = "n1-standard-2"
    replicas: Replicas = 1
    traffic: Annotated[int, Field(ge=0, le=100, strict=True)] = 100
    service_account: ServiceAccount | None = None
    server: Literal["google", "fareline"] = "google"
    image: Image = Field(default=f"europe{_PREBUILT}tf2-cpu.2-15:latest", validate_default=True)
    api_endpoint: Url | None = None

    def named(self, name: str) -> "VertexPush":
        """The settings with ids of model and endpoint: the given ones, or this name."""
        ids = {"model": self.model or name, "endpoint": self.endpoint or name}
        return VertexPush.model_validate({**self.model_dump(mode="json"), **ids})

    @pydantic.field_validator("image")
    @classmethod
    def _fits_the_server(cls, image: str, info: pydantic.ValidationInfo):
        """A server that does not answer where Vertex asks is found out half an hour later."""
        # Vertex pulls from Artifact Registry, Container Registry and Docker Hub, by whole names.
        if not re.match(r"[^/]+[.:][^/]*/", image):
            raise ValueError(
                "expected the whole address of an image: HOST/PATH:TAG, such as "
                "europe-docker.pkg.dev/PROJECT/REPOSITORY/NAME:TAG"
            )
        if info.data.get("server") == "fareline" and _PREBUILT in image:
            raise ValueError("expected an image with Fareline, as push.vertex.server says")
        return image

    @pydantic.field_validator("api_endpoint")
    @classmethod
    def _of_google(cls, address: str | None):
        """It gets the credentials, and is recorded in stores that others may write to."""
        # Nothing but a host and a port: of other characters, clients read another host out of it.
        if address and not re.fullmatch(_HOST_AND_PORT, address):
            raise ValueError("expected https://….googleapis.com, or an address of this machine")
        host = urllib.parse.urlsplit(address or "https://googleapis.com").hostname or ""
        if host not in _LOOPBACK and not f".{host}".endswith(".googleapis.com"):
            raise ValueError("expected https://….googleapis.com, or an address of this machine")
        if host not in _LOOPBACK and address and not address.startswith("https:"):
            raise ValueError("expected https")
        return address


class Push(Section):
    """The destinations of an approved model, and the conditions of a push.

    Attributes:
        when: Conditions that an approved model must meet to be pushed; one, or a list of them.
    """

    destination: str | None = None
    keep_versions: Annotated[int, Field(ge=2, strict=True)] | None = None
    vertex: VertexPush | None = None
    destinations: list[PushDestination] = Field(default_factory=lambda: [FOLDER])
    when: Conditions

    @pydantic.field_validator("destinations")
    @classmethod
    def _can_be_reached(cls, destinations: list[str], info: pydantic.ValidationInfo):
        if destinations not in ([FOLDER], [FOLDER, ON_VERTEX]):
            raise ValueError(
                "expected [folder] or [folder, vertex]: Vertex gets the models of the folder"
            )
        if ON_VERTEX in destinations and info.data.get(ON_VERTEX, True) is None:
            raise ValueError("expected push.vertex, the place on Vertex")
        return destinations

    def require_names(self, name: str) -> None:
        """Refuses a pipeline's name that Vertex does not take, where model and endpoint have none.

        Raises:
            pydantic.ValidationError: The name is the mistake.
        """
        try:
            if self.vertex is not None:
                self.vertex.named(name)
        except pydantic.ValidationError as error:
            problem = InitErrorDetails(
                type=PydanticCustomError(
                    "name_on_vertex",
                    "expected a name that begins with a letter, ends with a letter or digit and "
                    "has at most 63 characters, as Vertex wants it, or ids of their own in "
                    "push.vertex.model and push.vertex.endpoint",
                ),
                loc=("name",),
                input=name,
            )
            raise pydantic.ValidationError.from_exception_data("Settings", [problem]) from error

    @property
    def to_vertex(self) -> bool:
        """Whether Vertex is a destination."""
        return ON_VERTEX in self.destinations


class Settings(Section):
    """All settings of one pipeline; see pipeline/configs/taxi.yaml for every meaning and unit.

    `name`, `data.source`, `features` and `label` have no default.
    """

    name: Name
    pipeline: Literal["whole", "data", "training"] = WHOLE
    task: Literal["binary", "multiclass", "regression"]
    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)] = 20
    data: Data
    schema_: str | None = Field(default=None, alias="schema")
    gate: Gate = Gate()
    drift: Drift = Drift()
    features: Features
    label: Label
    weighting: Weighting = Weighting()
    code: Code = Code()
    model: Model = Model()
    transform: Transform = Transform()
    tuning: Tuning = Tuning()
    training: Training = Training()
    evaluation: Evaluation
    serving: Serving = Serving()
    feedback: Feedback = Feedback()
    monitoring: Monitoring = Monitoring()
    loop: Loop = Loop()
    push: Push = Push()
    card: Card = Card()
    metadata: Metadata = Metadata()
    beam: Beam = Beam()
    runners: Runners = Runners()

    _path: Path = pydantic.PrivateAttr(default=DEFAULT_PATH)
    _overridden: tuple[str, ...] = pydantic.PrivateAttr(default=())

    @pydantic.model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        return with_defaults(values)

    @pydantic.model_validator(mode="wrap")
    @classmethod
    def _tell_kind(cls, values: Any, handler: Callable[[Any], "Settings"]) -> "Settings":
        model = values.get("model") if isinstance(values, Mapping) else None
        kind = model.get("kind", WIDE_DEEP) if isinstance(model, Mapping) else WIDE_DEEP
        token = _KIND.set(kind)
        try:
            settings = handler(values)
        finally:
            _KIND.reset(token)
        settings.evaluation.require_known(settings.code.metrics)
        settings.push.require_names(settings.name)
        return settings

    @pydantic.field_validator("name")
    @classmethod
    def _is_no_data_pipeline(cls, name: str) -> str:
        ending = f"-{DATA}"
        if name.endswith(ending):
            raise ValueError(
                f"expected a name without {ending} at its end, since {name} is the data pipeline "
                f"of settings with the name {name.removesuffix(ending)}"
            )
        return name

    @pydantic.field_validator("label")
    @classmethod
    def _fits_task(cls, label: Label, info: pydantic.ValidationInfo):
        if "task" in info.data:  # otherwise the task is the mistake
            require_rule_of(info.data["task"], label)
        return label

    @property
    def pipeline_name(self) -> str:
        """Name of the pipeline in ML Metadata. Models have the name of the settings."""
        return self.data_pipeline_name if self.pipeline == DATA else self.name

    @property
    def data_pipeline_name(self) -> str:
        """Name of the pipeline that ends with the data, in ML Metadata."""
        return f"{self.name}-{DATA}"

    @property
    def vertex_target(self) -> dict[str, Any]:
        """The section `push.vertex` with the ids of model and endpoint, as plain values."""
        return self.push.vertex.named(self.name).model_dump(mode="json")

    @property
    def path(self) -> Path:
        """The file of these settings; relative paths in it start at its folder."""
        return self._path

    def wrong(self, problems: Iterable[str]) -> SettingsError:
        """The error with these problems, each a line that begins with a dotted key."""
        return wrong_settings(self._path, self._overridden, problems)

    @property
    def unserved_columns(self) -> list[str]:
        """The columns that only training knows; requests do not have them."""
        weights = [self.weighting.column] if self.weighting.column else []
        return [self.label.column, *weights]

    @property
    def unlogged_columns(self) -> frozenset[str]:
        """Columns that are left out of request logs: the named ones, and personal ones."""
        return frozenset((*self.serving.log_exclude, *self.data.personal_columns()))

    def resolve(self, path: str) -> Path:
        """The absolute path of a local path in these settings."""
        return self._path.parent / os.path.expanduser(path)

    @property
    def code_folder(self) -> Path:
        """The folder that the packages of `code` are in."""
        return self._path.parent if self.code.folder is None else self.resolve(self.code.folder)

    def search_section(self) -> dict[str, Any]:
        """The section `tuning` as JSON types, with what is searched of the kind of model."""
        section = self.section("tuning")["tuning"]
        if self.model.chosen is None:
            return section
        return section | self.model.chosen.model_dump(mode="json")

    def section(self, *names: str) -> dict[str, Any]:
        """The sections of these names in the file as plain JSON types, for `custom_config`."""
        fields = {field.alias or name: name for name, field in type(self).model_fields.items()}
        return self.model_dump(mode="json", by_alias=True, include={fields[name] for name in names})
