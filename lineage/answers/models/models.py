"""All models with their origin, their metrics and their destinations.

Called by cli.lineage.models; drawn by lineage.answers.models.view.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fareline.errors import UserMistake
from fareline.near import near_names
from fareline.recorded.data import sample_of, spans_of
from fareline.recorded.evaluation import metrics_of
from fareline.recorded.tuning import hyperparameters_of
from lineage.facts.models import ModelFacts, facts_of_models, source_examples
from lineage.graph.elements import Artifact
from lineage.graph.graph import Graph
from lineage.text.flat import number

CREATED = "created"
# Words in a metric's name that say which way is better; of all others, more is better.
_LESS_IS_BETTER = frozenset(
    {"loss", "error", "errors", "mse", "mae", "rmse", "mape", "msle", "squared", "absolute"}
    | {"brier", "crossentropy", "entropy", "perplexity", "divergence", "fpr", "fnr", "latency"}
)
_NEAREST_TO_ONE = frozenset({"calibration"})


@dataclasses.dataclass(frozen=True)
class ModelRow:
    """One model.

    Attributes:
        facts: Producer, verdicts and pushes of the model.
        examples: Examples, as they were ingested, that it was trained on.
        hyperparameters: Empty if they are not recorded.
        metrics: Overall ones of its latest evaluation; empty if they are not recorded.
    """

    facts: ModelFacts
    examples: tuple[Artifact, ...]
    hyperparameters: Mapping[str, Any]
    metrics: Mapping[str, float]

    @property
    def model(self) -> Artifact:
        """Artifact of type Model."""
        return self.facts.model

    @property
    def spans(self) -> list[int]:
        """Spans of its examples."""
        return sorted({span for a in self.examples for span, _ in spans_of(a)})

    @property
    def sample(self) -> int | None:
        """Number of rows of the sample that it is of; None: of all rows."""
        return sample_of(self.model)


def list_models(
    graph: Graph, pipeline: str | None = None, newest: int | None = None
) -> list[ModelRow]:
    """Lists the models of a store, the newest first.

    Args:
        graph: To read.
        pipeline: Leaves the models of other pipelines out.
        newest: Only so many, so that less is read; None: all.

    Raises:
        UserMistake: There is no such pipeline.
    """
    if pipeline is not None and pipeline not in (known := graph.places.pipelines()):
        expected = f"expected one of: {', '.join(known) or 'none'}"
        hint = "`fareline lineage runs` lists the runs of every pipeline"
        raise UserMistake.explain(pipeline, "is not a pipeline of this store", expected, hint)
    models = sorted(graph.artifacts_of_type("Model"), key=_age)
    if pipeline is None:
        facts = facts_of_models(graph, models[:newest])
    else:
        facts = [f for f in facts_of_models(graph, models) if f.pipeline == pipeline][:newest]
    examples = source_examples(graph, facts)
    return [
        ModelRow(
            found,
            tuple(examples[found.model.id]),
            hyperparameters_of(found.model),
            metrics_of(found.evaluations[-1]) if found.evaluations else {},
        )
        for found in facts
    ]


def metric_names(rows: Sequence[ModelRow]) -> list[str]:
    """Names of all metrics that any of the models has, sorted."""
    return sorted({name for row in rows for name in row.metrics})


def sort_by(rows: Sequence[ModelRow], name: str) -> list[ModelRow]:
    """Sorts models: by `created` the newest first, by a metric the best first.

    Models without the metric, or whose value is no number, come last.

    Raises:
        UserMistake: No model has this metric.
    """
    if name == CREATED:
        return sorted(rows, key=lambda row: _age(row.model))
    names = metric_names(rows)
    if name not in names:
        found = "is not a metric of these models"
        if not names:
            found = "no metrics are recorded for these models"
        expected = f"expected one of: {', '.join([*names, CREATED])}"
        near = near_names(name, [*names, CREATED])
        hint = f"did you mean {near[0]}" if near else "write it as it is there"
        raise UserMistake.explain(name, found, expected, hint)
    better = _better(name)

    def rank(row: ModelRow) -> tuple[bool, float, int, int]:
        value = number(row.metrics.get(name))
        return (value is None, 0.0 if value is None else better(value), *_age(row.model))

    return sorted(rows, key=rank)


def best_by(rows: Sequence[ModelRow], name: str) -> list[ModelRow]:
    """The one model with the best value of a metric; none if no value is a number.

    Raises:
        UserMistake: No model has this metric.
    """
    if name == CREATED:
        raise UserMistake.explain(
            name, "is not a metric", "expected a metric", "use --sort created"
        )
    return [row for row in sort_by(rows, name) if number(row.metrics.get(name)) is not None][:1]


def _better(name: str) -> Callable[[float], float]:
    """Returns the key that sorts the best value of a metric to the front."""
    words = frozenset(re.split(r"[^a-z]+", name.casefold()))
    if words & _NEAREST_TO_ONE and not words & _LESS_IS_BETTER:
        return lambda value: abs(value - 1)
    if words & _LESS_IS_BETTER:
        return lambda value: value
    return lambda value: -value


def _age(model: Artifact) -> tuple[int, int]:
    return (-model.created, -model.id)
