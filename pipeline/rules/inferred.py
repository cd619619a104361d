"""The use of columns whose types are known only when the data has been read.

With a curated schema `pipeline.rules.settings` compares before anything starts; whether floats that
are categories are whole numbers only the data tells. Without one, DataGate compares with the
inferred schema, before Transform; what it is told is made here. Imports neither TFX nor TensorFlow.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from pipeline.rules.settings import NUMBERS, WHOLE, Use, curated_types, uses_of_types
from pipeline.settings.settings import Settings
from preprocessing.labels import MULTICLASS


@dataclasses.dataclass(frozen=True)
class InferredUse:
    """The use of a column, with its inferred type.

    Attributes:
        setting: Its path.
        column: Raw column.
        fit: The types that it can take, of `int`, `float` and `bytes`.
        hint: Advice for another type.
        whole: Whether floats are taken as categories, and so must be whole numbers.
        values: Values of which a row must have one.
    """

    setting: str
    column: str
    fit: tuple[str, ...]
    hint: str
    whole: bool = False
    values: tuple[int | str, ...] = ()


def inferred_uses(settings: Settings) -> list[dict[str, Any]]:
    """Uses of columns, as plain JSON types; with a curated schema only those of floats as whole."""
    uses = [_of_inferred(use) for use in uses_of_types(settings)]
    if settings.schema_ is not None:
        types = curated_types(settings)
        floats = [use for use in uses if use.whole and types.get(use.column) == "float"]
        return [dataclasses.asdict(use) for use in floats]
    uses += [
        InferredUse(f"evaluation.slices.{i}", column, NUMBERS, "slice by its values")
        for i, parts in enumerate(settings.evaluation.columns_of_slices())
        for column, boundaries in parts
        if boundaries
    ]
    uses += _values_of_label(settings, uses)
    return [dataclasses.asdict(use) for use in uses]


def _values_of_label(settings: Settings, uses: Sequence[InferredUse]) -> list[InferredUse]:
    """Each value of two labels must be there, and one of several classes."""
    values = settings.label.values()
    if not values:
        return []
    [use] = [use for use in uses if use.setting == values[0][0]]
    wanted = [(where, (value,)) for where, value in values]
    if settings.task == MULTICLASS:
        wanted = [("label.classes", tuple(value for _, value in values))]
    hint = "name values as the column holds them, or another column"
    return [
        dataclasses.replace(use, setting=where, values=each, hint=hint) for where, each in wanted
    ]


def _of_inferred(use: Use) -> InferredUse:
    """With floats beside whole numbers, and a hint about quotes for the values of a label."""
    whole = use.setting.startswith(WHOLE)
    fit = (*use.fit, "float") if "int" in use.fit and "float" not in use.fit else use.fit
    hint = use.hint
    if use.setting.startswith("label.") and use.fit != NUMBERS:
        quoted = "without quotes" if use.fit == ("bytes",) else "in quotes"
        hint = f"write the values {quoted}, as the column holds them, or name another column"
    return InferredUse(use.setting, use.column, fit, hint, whole)
