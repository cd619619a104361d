"""The section `label` of a settings file: what is predicted, and which rules go with which task.

Every meaning stands in docs/tasks.md. Called by pipeline.settings.settings. Imports no TFX and no
TensorFlow.
"""

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from pipeline.settings.values import NotNegative, Section
from preprocessing.labels import BINARY, CLASS, MULTICLASS, OTHER_CLASS, REGRESSION

MOST_CLASSES = 1000

# Beside `column`: what each task's label can have.
_SETTINGS = {
    BINARY: ("above", "positive", "negative", "other"),
    MULTICLASS: ("classes", "other"),
    REGRESSION: ("log", "other"),
}


def _take_value(value: Any) -> Any:
    # YAML reads an unquoted yes as true, and nobody's column holds that.
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("expected a text or a whole number. Hint: put yes and no in quotes")
    return value


ColumnValue = Annotated[Any, pydantic.BeforeValidator(_take_value)]


class Above(Section):
    """The right-hand side of the label rule: `times` × `column`."""

    column: str
    times: NotNegative


class Label(Section):
    """The prediction target; the available rules depend on the task."""

    column: str
    above: Above | None = None
    positive: ColumnValue | None = None
    negative: ColumnValue | None = None
    classes: Annotated[list[ColumnValue], Field(min_length=2, max_length=MOST_CLASSES)] | None = (
        None
    )
    log: bool | None = None
    other: Literal["drop", "class", "error"] | None = None

    @pydantic.field_validator("classes")
    @classmethod
    def _distinct(cls, classes: list[int | str] | None):
        if classes is not None and len({(type(c), c) for c in classes}) < len(classes):
            raise ValueError("expected every class once")
        if classes is not None and len({type(c) for c in classes}) > 1:
            raise ValueError("expected either texts or whole numbers")
        return classes

    @pydantic.model_serializer(mode="wrap")
    def _only_what_is_set(self, serialize: Any) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}

    def values(self) -> list[tuple[str, int | str]]:
        """Pairs of (path of the setting, value of the column) of every value that is named."""
        named = [("label.positive", self.positive), ("label.negative", self.negative)]
        named += [(f"label.classes.{i}", value) for i, value in enumerate(self.classes or ())]
        return [(where, value) for where, value in named if value is not None]

    @property
    def num_classes(self) -> int:
        """Number of classes of a multiclass model; 0 for the other tasks."""
        return len(self.classes or ()) + (self.other == CLASS)


def require_rule_of(task: str, label: Label) -> None:
    """Refuses a label that does not fit the task.

    Raises:
        ValueError: The label does not fit; the message has the expectation.
    """
    known = _SETTINGS[task]
    given = [name for name in type(label).model_fields if getattr(label, name) is not None]
    strange = [name for name in given if name not in ("column", *known)]
    if strange:
        raise ValueError(
            f"{' and '.join(strange)} is not for task {task}; expected column and some of "
            f"{', '.join(known)}"
        )
    if task == MULTICLASS and label.classes is None:
        raise ValueError("expected classes, a list of the column's values")
    if label.above is not None and len(given) > 2:
        raise ValueError("expected above without positive, negative and other")
    if label.negative is not None and label.positive is None:
        raise ValueError("expected positive beside negative")
    if label.negative is not None and label.positive == label.negative:
        raise ValueError("expected two values, positive and negative")
    if label.negative is not None and type(label.positive) is not type(label.negative):
        raise ValueError("expected positive and negative both texts or both whole numbers")
    if label.other == CLASS and task != MULTICLASS:
        raise ValueError(f"other: class is not for task {task}; expected drop or error")
    if label.other == CLASS and OTHER_CLASS in map(str, label.classes or ()):
        raise ValueError(
            f"other: class makes a class {OTHER_CLASS}; expected no other of that name"
        )
