"""The typed settings: one YAML file is one pipeline. Load, override, validate.

A wrong file gives every problem at once. Called by runners and tests; imports no TFX and no
TensorFlow, so that a typing mistake is answered at once.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import Field

from fareline.errors import SettingsError

DEFAULT_PATH = Path(__file__).parent / "configs" / "taxi.yaml"
METRICS = ("auc", "pr_auc", "accuracy", "calibration", "example_count")
PATH_SETTINGS = ("data.source.csv", "schema", "push.destination")
SPLIT_NAMES = ("train", "validate", "eval")


class _Section(pydantic.BaseModel):
    """A section of the settings: unknown keys are mistakes, and nothing changes after loading."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,127}$")]
Count = Annotated[int, Field(ge=1, strict=True)]
Positive = Annotated[float, Field(gt=0)]
Range = Annotated[tuple[float, float], Field(description="[low, high]")]
Choices = Annotated[list[Count], Field(min_length=1)]


class Dataset(_Section):
    """A data set that the project knows by name."""

    dataset: Literal["chicago_taxi"]


class Csv(_Section):
    """A CSV file, or a folder of them with one header."""

    csv: str


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

    source: Dataset | Csv
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
    times: Annotated[float, Field(ge=0)]


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


class Threshold(_Section):
    """What a model must reach to be blessed; at least one bound."""

    at_least: float | None = None
    at_most: float | None = None
    at_most_below_baseline: Annotated[float, Field(ge=0)] | None = None

    @pydantic.model_validator(mode="after")
    def _bounded(self) -> "Threshold":
        if self.at_least is None and self.at_most is None and self.at_most_below_baseline is None:
            raise ValueError("expected at_least, at_most or at_most_below_baseline")
        return self


class Evaluation(_Section):
    """What the Evaluator measures and demands. No threshold at all is a mistake: TFX would then
    bless nothing, without a word (tfx issue 5148)."""

    slices: list[Annotated[list[str], Field(min_length=1)]] = []
    thresholds: Annotated[dict[Literal[METRICS], Threshold], Field(min_length=1)]

    @pydantic.field_validator("thresholds")
    @classmethod
    def _in_range(cls, thresholds: dict[str, Threshold]):
        for metric, threshold in thresholds.items():
            for bound in (threshold.at_least, threshold.at_most):
                if metric in ("auc", "pr_auc", "accuracy") and bound is not None:
                    if not 0 <= bound <= 1:
                        raise ValueError(f"{metric}: expected a bound between 0 and 1, not {bound}")
        return thresholds


class Serving(_Section):
    """What InfraValidator demands of a saved model."""

    examples: Count = 32
    load_seconds: Positive = 60
    rpc_seconds: Positive = 10
    latency_ms: Positive = 200
    memory_mb: Positive = 2048
    size_mb: Positive = 512


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

    _path: Path = pydantic.PrivateAttr(default=DEFAULT_PATH)

    @property
    def path(self) -> Path:
        """The file that these settings came from; relative paths in it start at its folder."""
        return self._path

    def resolve(self, path: str) -> Path:
        """The absolute path of a local path in these settings."""
        return self._path.parent / Path(path).expanduser()

    def section(self, *names: str) -> dict[str, Any]:
        """The named sections as plain JSON types, for `custom_config`."""
        return self.model_dump(mode="json", by_alias=True, include=set(names))


def load_settings(path: Path = DEFAULT_PATH, overrides: Sequence[str] = ()) -> Settings:
    """Reads a settings file, applies `KEY.PATH=VALUE` overrides and validates the result.

    Args:
        path: YAML file.
        overrides: As given to `--set`, applied in order; values are YAML.

    Returns:
        The settings.

    Raises:
        SettingsError: With one line per problem.
    """
    values = _read_yaml(path)
    for override in overrides:
        _apply_override(values, override)
    try:
        settings = Settings.model_validate(values)
    except pydantic.ValidationError as error:
        problems = [_describe(problem, values) for problem in error.errors()]
        raise SettingsError("\n".join(f"{path}: {line}" for line in problems)) from error
    settings._path = path.resolve()
    return settings


def _read_yaml(path: Path) -> dict[str, Any]:
    hint = "copy pipeline/configs/taxi.yaml and change that"
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError.explain(
            str(path), f"cannot be read ({error.strerror})", "expected a settings file", hint
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        found = " ".join(str(error).split())
        raise SettingsError.explain(str(path), found, "expected YAML in UTF-8", hint) from error
    if not isinstance(values, dict):
        found = f"found {type(values).__name__}"
        raise SettingsError.explain(str(path), found, "expected a mapping of settings", hint)
    return values


def _apply_override(values: dict[str, Any], override: str) -> None:
    where = f"--set {override}"
    key, equals, text = override.partition("=")
    if not equals or not all(key.split(".")):
        raise SettingsError.explain(
            where,
            "found no KEY=VALUE",
            "expected a dotted key and a value",
            "write for example --set training.steps=50",
        )
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError.explain(
            where, f"found {text!r}", "expected a YAML value", "quote the value"
        ) from error
    *parents, last = key.split(".")
    if key in PATH_SETTINGS and isinstance(value, str) and _is_relative_path(value):
        value = str(Path.cwd() / value)  # the command line's paths start where it was typed
    if ".".join(parents) == "data.source" and isinstance(values.get("data"), dict):
        values["data"]["source"] = {}  # one of several kinds: naming one replaces the other
    section = values
    for name in parents:
        if section.get(name) is None:
            section[name] = {}
        section = section[name]
        if not isinstance(section, dict):
            raise SettingsError.explain(
                where, f"{name} is a single value", "expected a section", "see the settings file"
            )
    section[last] = value


def _is_relative_path(value: str) -> bool:
    """Whether a text is a relative path: no URI, not absolute, and no bare name of a schema."""
    bare_name = "/" not in value and "." not in value
    return "://" not in value and not bare_name and not Path(value).is_absolute()


def _describe(problem: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """One line for one pydantic problem: path, what was found, what was expected, nearest key."""
    location = [str(part) for part in problem["loc"] if part not in ("Dataset", "Csv", "[key]")]
    where = ".".join(location)
    if problem["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1)
        guess = f"Did you mean {near[0]}? " if near else ""
        return f"{where}: unknown setting; {guess}Known here: {', '.join(known)}."
    if problem["type"] == "missing":
        return f"{where}: missing; expected a value. Hint: see pipeline/configs/taxi.yaml."
    expected = problem["msg"].removeprefix("Value error, ")
    expected = expected[0].lower() + expected[1:]
    return f"{where}: found {_shorten(problem['input'])}; {expected}."


def _known_keys(location: Sequence[str]) -> list[str]:
    """The keys that a section knows, found by walking the models along `location`."""
    model: Any = Settings
    for name in location:
        fields = {f.alias or key: f for key, f in getattr(model, "model_fields", {}).items()}
        model = fields[name].annotation if name in fields else model
    models = [m for m in (model, *getattr(model, "__args__", ())) if hasattr(m, "model_fields")]
    return [f.alias or key for m in models for key, f in m.model_fields.items()]


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
