"""The section `model` of a settings file: the kind of model, and what is searched of each kind.

Every meaning stands in docs/models.md. What is searched of `wide_deep` stands in `tuning`. Called
by pipeline.settings.settings. Imports no TFX and no TensorFlow.
"""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from pipeline.settings.values import Choices, Count, NotNegative, Number, Range, Section

WIDE_DEEP, LINEAR, BOOSTED_TREES = "wide_deep", "linear", "boosted_trees"

Rate = Annotated[Number, Field(ge=1e-8, le=1)]
Fraction = Annotated[Number, Field(gt=0, le=1)]


def _require_order(value: tuple[float, float], lowest: float, highest: float):
    low, high = value
    if not lowest <= low < high <= highest:
        raise ValueError(f"expected [low, high] with {lowest} <= low < high <= {highest}")
    return value


class LinearSearch(Section):
    """The search space of `linear`."""

    learning_rate: Range = (0.003, 0.1)
    l2: Range = (1e-7, 1e-3)

    @pydantic.field_validator("learning_rate", "l2")
    @classmethod
    def _ordered(cls, value: tuple[float, float]):
        return _require_order(value, 1e-8, 1)


class LinearHyperparameters(Section):
    """One value of each."""

    learning_rate: Rate
    l2: NotNegative


class Linear(Section):
    """One weight for each number and each category."""

    search: LinearSearch = LinearSearch()
    hyperparameters: LinearHyperparameters | None = None


class TreesSearch(Section):
    """The search space of `boosted_trees`, by XGBoost's names."""

    learning_rate: Range = (0.03, 0.2)
    max_depth: Choices = [4, 6, 8]  # noqa: RUF012 - pydantic copies it
    min_child_weight: Choices = [1, 5, 20]  # noqa: RUF012
    subsample: Range = (0.6, 1.0)
    colsample_bytree: Range = (0.5, 1.0)

    @pydantic.field_validator("learning_rate", "subsample", "colsample_bytree")
    @classmethod
    def _ordered(cls, value: tuple[float, float]):
        return _require_order(value, 1e-8, 1)

    @pydantic.field_validator("max_depth")
    @classmethod
    def _shallow(cls, value: list[int]):
        if max(value) > 16:
            raise ValueError("expected depths of at most 16")
        return value


class TreesHyperparameters(Section):
    """One value of each."""

    learning_rate: Rate
    max_depth: Annotated[Count, Field(le=16)]
    min_child_weight: NotNegative
    subsample: Fraction
    colsample_bytree: Fraction


class BoostedTrees(Section):
    """Trees grown by XGBoost."""

    search: TreesSearch = TreesSearch()
    hyperparameters: TreesHyperparameters | None = None


class Model(Section):
    """The kind of model to search, train and publish."""

    kind: Literal["wide_deep", "linear", "boosted_trees"] = WIDE_DEEP
    linear: Linear = Linear()
    boosted_trees: BoostedTrees = BoostedTrees()

    @property
    def chosen(self) -> Linear | BoostedTrees | None:
        """The section of the kind; None of `wide_deep`, whose values are in `tuning`."""
        return {LINEAR: self.linear, BOOSTED_TREES: self.boosted_trees}.get(self.kind)
