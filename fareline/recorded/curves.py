"""Records of Evaluator for the pictures: predictions for curves, and details of slices.

They are files in the folder of a ModelEvaluation, because a property of the store cannot hold
thousands of numbers. Written by `pipeline.components.evaluator`, read by the page of a run.
"""

import dataclasses
import json
from collections.abc import Mapping

from fareline.recorded.evaluation import Number, Values, finite
from fareline.recorded.texts import parse

CURVES_FILE = "curves.json"
SLICES_FILE = "slices.json"


@dataclasses.dataclass(frozen=True)
class Scores:
    """Distribution of a score over the positive and the negative examples.

    Attributes:
        positives: Weight of the examples in each of equal bins from 0 to 1; trailing zeros are left
            out. A score of 1 is in the last bin.
        negatives: Weight of the other examples in each bin.
        bins: Number of bins.
    """

    positives: list[float]
    negatives: list[float]
    bins: int


@dataclasses.dataclass(frozen=True)
class Amounts:
    """Labels and predictions of numbers.

    Attributes:
        labels: Labels of every `every`-th example, in the order of the files.
        predictions: Predictions of the same.
        every: One of how many was kept.
    """

    labels: list[float]
    predictions: list[float]
    every: int


@dataclasses.dataclass(frozen=True)
class ModelCurves:
    """Predictions of one model on the examples of the evaluation.

    Attributes:
        scores: Scores of a binary model one; of several classes one for each, against the others.
        matrix: Matrix of several classes, weight by class of the label and likeliest class.
        amounts: Amounts of a regression.
    """

    scores: list[Scores] = dataclasses.field(default_factory=list)
    matrix: list[list[float]] = dataclasses.field(default_factory=list)
    amounts: Amounts | None = None


@dataclasses.dataclass(frozen=True)
class Curves:
    """Curves of the candidate and of the baseline.

    Attributes:
        candidate: Curves of the candidate.
        baseline: None if there was none, or if it is the same model.
    """

    candidate: ModelCurves
    baseline: ModelCurves | None = None

    def to_text(self) -> str:
        """Writes the file: JSON without spaces, whole weights as whole numbers."""
        content = _shorten(finite(dataclasses.asdict(self)))
        return json.dumps(content, separators=(",", ":"), allow_nan=False)


@dataclasses.dataclass(frozen=True)
class BesideMetrics:
    """Measurements of a slice in addition to the model's own metrics.

    Attributes:
        baseline: Metric to the value of the model that it was compared with.
        intervals: Metric to the ends of its 95 % interval.
    """

    baseline: Values = dataclasses.field(default_factory=dict)
    intervals: dict[str, tuple[Number | None, Number | None]] = dataclasses.field(
        default_factory=dict
    )


def slices_text(slices: Mapping[str, BesideMetrics]) -> str:
    """Writes the file of slices: JSON, by name."""
    content = {name: dataclasses.asdict(each) for name, each in slices.items()}
    return json.dumps(finite(content), ensure_ascii=False, allow_nan=False)


def parse_slices(text: str) -> dict[str, BesideMetrics]:
    """Reads the file of slices.

    Raises:
        ValueError: The text has another format.
    """
    return parse(dict[str, BesideMetrics], text)


def parse_curves(text: str) -> Curves:
    """Reads the file.

    Raises:
        ValueError: The text has another format.
    """
    return parse(Curves, text)


def _shorten(content):
    if isinstance(content, float):
        return int(content) if content.is_integer() else float(f"{content:.7g}")
    if isinstance(content, dict):
        return {name: _shorten(part) for name, part in content.items()}
    return [_shorten(part) for part in content] if isinstance(content, list) else content
