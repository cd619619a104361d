"""The typed section `weighting`: how much each example counts in training.

What it computes stands in preprocessing.weighting. Called by pipeline.settings.settings. Imports no
TFX and no TensorFlow.
"""

import math
from typing import Annotated, Any

import pydantic
from pydantic import Field

from pipeline.settings.values import Number, Section
from preprocessing.weighting import BALANCED


def _name_labels(value: Any) -> Any:
    # YAML reads the label 1 as a number, and an unquoted yes as true, which nobody's label is.
    if not isinstance(value, dict):
        return value
    if any(isinstance(name, bool) or not isinstance(name, int | str) for name in value):
        raise ValueError("expected the names of labels. Hint: put yes and no in quotes")
    return {str(name): inner for name, inner in value.items()}


def _take_classes(value: Any) -> Any:
    if value is None or value == BALANCED:
        return value
    value = _name_labels(value)
    weights = value.values() if isinstance(value, dict) else [None]
    if not all(_is_weight(weight) for weight in weights):
        raise ValueError(f"expected {BALANCED}, or labels with a weight of at least 0 each")
    return {name: float(weight) for name, weight in value.items()}


def _is_weight(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value >= 0


KeptShare = Annotated[Number, Field(gt=0, le=1)]


class Weighting(Section):
    """The weight of each example in training; default: 1.

    Attributes:
        classes: Label to its weight; or `balanced`; None: each weighs 1.
        column: Column with the weight; None: no column.
        down_sample: Label to the share of its examples that training keeps.
    """

    classes: Annotated[Any, pydantic.BeforeValidator(_take_classes)] = None
    column: str | None = None
    down_sample: Annotated[dict[str, KeptShare], pydantic.BeforeValidator(_name_labels)] = Field(
        default_factory=dict
    )

    @property
    def is_on(self) -> bool:
        """Whether examples may weigh differently."""
        return bool(self.classes or self.column or self.down_sample)
