"""The prediction target: the label rules, one class each, read from settings.

Plain Python without TensorFlow, used by the settings, the transform, the network and the Evaluator.
Must import nothing but the standard library and preprocessing.names.

A row has no label if its column is empty or has a value outside the rule. With `other: error`
Transform fails on the first one; with `drop` it is transformed with weight 0, which training leaves
out and the Evaluator does not count.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from preprocessing.names import transformed_stem

BINARY, MULTICLASS, REGRESSION = TASKS = ("binary", "multiclass", "regression")
DROP, CLASS, ERROR = "drop", "class", "error"
ROUNDING = 1e-6  # eight times the spacing of float32, and far below a cent in 10,000 dollars
OTHER_CLASS = "other"  # the name of the class of everything else, with `other: class`

# Of transformed names, which a label of such a column would share (preprocessing.features).
_FEATURE_ENDINGS = ("_scaled", "_bucket", "_vocab", "_category", "_weight")

Value = int | str
Numbers = TypeVar("Numbers")  # an array of numpy, or a tensor


@dataclasses.dataclass(frozen=True)
class Label:
    """Base of all rules.

    Attributes:
        column: Raw column that is known in training only.
        other: `DROP` or `ERROR`, and for classes `CLASS`: what becomes of rows without a label.
    """

    task: ClassVar[str]
    column: str
    other: str = ERROR

    @property
    def output(self) -> str:
        """Transformed name, [batch, 1]; int64 of a class, float32 of a number."""
        stem = transformed_stem(self.column)
        # `tip` in buckets is the feature `tip_bucket_xf`; the label `tip_bucket` is another.
        return f"{stem}_label_xf" if stem.endswith(_FEATURE_ENDINGS) else f"{stem}_xf"

    @property
    def weight_output(self) -> str | None:
        """Transformed name of the weight, float32 [batch, 1]; None where every row has a label."""
        if self.other == ERROR:
            return None
        return f"{transformed_stem(self.column)}_weight_xf"

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that the rule reads."""
        return (self.column,)

    @property
    def some_value(self) -> Value:
        """A value of the column that is a label by the rule."""
        return 0

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each label, in the order of the outputs; empty for a number."""
        return ("0", "1") if self.task == BINARY else ()

    def name_of(self, value: Value | float | None) -> str | None:
        """The label of one value of `column`, by its name; None if it has none.

        Of a `Share`, which reads two columns, see `exceeds`.
        """
        return None


@dataclasses.dataclass(frozen=True)
class Share(Label):
    """1 where `column` > `times` × `reference`, else 0; a missing amount counts as 0.

    Attributes:
        reference: Raw column that it is compared with.
        times: Factor on the reference, without unit.
    """

    task = BINARY
    reference: str = ""
    times: float = 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that the rule reads."""
        return (self.column, self.reference)

    def exceeds(self, value: Numbers, reference: Numbers) -> Numbers:
        """Whether amounts are more than the share, row by row.

        tf.Examples hold float32: 165 of the taxi trips tip exactly 20 %, and rounding alone would
        call 8 of them more. What exceeds the bound by less than `ROUNDING` of it counts as equal.

        Args:
            value: float32, 0 where it is missing.
            reference: Likewise, of the same shape.
        """
        bound = self.times * reference
        return value - bound > ROUNDING * abs(bound)


@dataclasses.dataclass(frozen=True)
class Flag(Label):
    """1 where `column` holds `positive`, 0 where it holds `negative`.

    Attributes:
        positive: The value that means 1.
        negative: The value that means 0; None: every other value that is there.
    """

    task = BINARY
    positive: Value = 1
    negative: Value | None = 0

    def name_of(self, value: Value | float | None) -> str | None:
        """See `Label.name_of`."""
        if value is None:
            return None
        if self.negative is not None and value not in (self.positive, self.negative):
            return None
        return "1" if value == self.positive else "0"

    @property
    def some_value(self) -> Value:
        """The value that means 1."""
        return self.positive


@dataclasses.dataclass(frozen=True)
class Classes(Label):
    """The place of the value among `values`; with `other: class` one more for every other value.

    Attributes:
        values: The values that are classes of their own, in the order of the outputs.
    """

    task = MULTICLASS
    values: tuple[Value, ...] = ()

    @property
    def some_value(self) -> Value:
        """The first class."""
        return self.values[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Every class by its name, in the order of the outputs."""
        others = (OTHER_CLASS,) if self.other == CLASS else ()
        return (*map(str, self.values), *others)

    def name_of(self, value: Value | float | None) -> str | None:
        """See `Label.name_of`."""
        if value is None:
            return None
        if value in self.values:
            return str(value)
        return OTHER_CLASS if self.other == CLASS else None


@dataclasses.dataclass(frozen=True)
class Amount(Label):
    """The number in `column`, in its unit; numbers that are not finite are not labels.

    Attributes:
        log: Whether the network learns log(1 + x), for amounts with a long tail. Nothing else
            changes: labels, predictions and metrics are in the column's unit. A number below 0 is
            no label then.
    """

    task = REGRESSION
    log: bool = False


def parse_label(settings: Mapping[str, Any], task: str = BINARY) -> Label:
    """Reads the `label` section of the settings, already validated.

    Args:
        settings: `{column, above: {column, times}}`, `{column}` of 0 and 1, or `{column, positive,
            negative}` for binary; `{column, classes}` for multiclass; `{column, log}` for
            regression; `other` but with `above`. What is None counts as absent.
        task: One of `TASKS`.

    Returns:
        The rule.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    column, other = given["column"], given.get("other", ERROR)
    if task == REGRESSION:
        return Amount(column, other, log=bool(given.get("log")))
    if task == MULTICLASS:
        return Classes(column, other, values=tuple(given["classes"]))
    if "above" in given:
        above = given["above"]
        return Share(column, reference=above["column"], times=float(above["times"]))
    if "positive" in given:
        return Flag(column, other, positive=given["positive"], negative=given.get("negative"))
    return Flag(column, other)
