"""The evaluation of a version in the Model Registry: its metrics, and those of each slice."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fareline.recorded.evaluation import Values
from runners.platforms.vertex.connection import api, connect
from runners.platforms.vertex.errors import explained
from runners.platforms.vertex.lease import Lease
from runners.platforms.vertex.shown.story import Story
from runners.platforms.vertex.target import ADVICE, Target

_SECONDS = 60.0
_SLICES_AT_ONCE = 50
_SCHEMAS = "gs://google-cloud-aiplatform/schema/modelevaluation"
# Our metric to the name in Google's schema; the schemas have no other of ours.
_CLASSIFICATION = {"auc": "auRoc", "pr_auc": "auPrc", "log_loss": "logLoss"}
_REGRESSION = {"rmse": "rootMeanSquaredError", "mae": "meanAbsoluteError", "r2": "rSquared"}


def import_evaluation(target: Target, version: int, story: Story, lease: Lease) -> None:
    """Imports metrics and slices, unless they are there.

    Args:
        target: Place of the model.
        version: Version of the model.
        story: With the metrics.
        lease: Held.

    Raises:
        PlatformError, UnreachableError, RefusedRequestError: One line.
    """
    if not story.metrics.overall:
        return
    models = connect("ModelServiceClient", target.address)
    model = f"{target.model}@{version}"
    with explained(ADVICE, target.address, model):
        found = models.list_model_evaluations(parent=model, timeout=_SECONDS)
        name = next((each.name for each in found if each.display_name == story.name), None)
        if name is None:
            evaluation = _evaluation(story)
            name = models.import_model_evaluation(
                parent=model, model_evaluation=evaluation, timeout=_SECONDS
            ).name
        there = models.list_model_evaluation_slices(parent=name, timeout=_SECONDS)
        known = {each.slice_.value for each in there}
        for slices in _batches(_slices(story, known)):
            models.batch_import_model_evaluation_slices(
                parent=name, model_evaluation_slices=slices, timeout=_SECONDS
            )


def _evaluation(story: Story) -> Any:
    """All metrics are in `metadata`; those that Google's schema has are in `metrics` too."""
    schema, names = _schema(story.metrics.overall)
    return api().ModelEvaluation(
        display_name=story.name,
        metrics_schema_uri=schema,
        metrics=_named(story.metrics.overall, names),
        metadata={"made_by": "fareline", "metrics": _defined(story.metrics.overall)},
        slice_dimensions=["slice"] if story.metrics.slices else [],
    )


def _slices(story: Story, known: set[str]) -> Iterator[Any]:
    schema, names = _schema(story.metrics.overall)
    types = api().ModelEvaluationSlice
    for name, values in story.metrics.slices.items():
        if name not in known:
            yield types(
                slice_=types.Slice(dimension="slice", value=name),
                metrics_schema_uri=schema,
                metrics=_named(values, names),
            )


def _schema(overall: Values) -> tuple[str, Mapping[str, str]]:
    regression = set(overall) & set(_REGRESSION)
    kind = "regression" if regression else "classification"
    return f"{_SCHEMAS}/{kind}_metrics_1.0.0.yaml", _REGRESSION if regression else _CLASSIFICATION


def _named(values: Values, names: Mapping[str, str]) -> dict[str, float]:
    return {names[name]: value for name, value in _defined(values).items() if name in names}


def _defined(values: Values) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None}


def _batches(slices: Iterable[Any]) -> Iterator[list[Any]]:
    slices = iter(slices)
    while batch := list(itertools.islice(slices, _SLICES_AT_ONCE)):
        yield batch
