"""The label: candidate columns, the task, and the positive value.

Called by `data.profile.profile`. Imports numpy and pyarrow alone.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.profile.facts import Facts
from data.profile.names import sounds_like_amount, sounds_like_label, words_of
from fareline.errors import DataError

BINARY, MULTICLASS, REGRESSION = "binary", "multiclass", "regression"
_MOST_CLASSES = 50
_YES = {
    "yes", "true", "y", "t", "positive", "pos", "ja", "oui", "si", "on", "churned", "churn",
    "fraud", "default", "bad", "malignant", "spam", "sick", "died", "left", "bought", "m",
}  # fmt: skip
_ANY_NUMBER = {"num", "number", "nr", "n", "value", "level"}  # an amount, or a class
_NO = {"no", "false", "n", "f", "negative", "neg", "nein", "non", "off", "none", "stayed"}


@dataclasses.dataclass(frozen=True)
class Target:
    """The target of the prediction.

    Attributes:
        column: The label's.
        task: `binary`, `multiclass` or `regression`.
        values: Values of classes: the values, the positive one first, or by name; none of a number.
        shares: Share of the labelled rows of each, in that order.
        labelled: Rows that have a label.
        mean: Mean, for a number.
        deviation: For a number, the error of always answering the mean.
        has_tail: Whether its logarithm is learned.
        why: Evidence for the choice.
        codes: float64 [rows], place in `values` or the number; NaN where there is no label.
    """

    column: str
    task: str
    values: tuple[str | int, ...]
    shares: tuple[float, ...]
    labelled: int
    mean: float
    deviation: float
    has_tail: bool
    why: str
    codes: np.ndarray

    @property
    def names_values(self) -> bool:
        """Whether the settings must name the values: they are not 0 and 1."""
        return self.task == BINARY and set(self.values) != {0, 1}

    @property
    def is_imbalanced(self) -> bool:
        """Whether one of two labels is rare."""
        return self.task == BINARY and min(self.shares) < 0.2


def find_candidates(facts: Sequence[Facts]) -> list[str]:
    """Columns that may be a label, the likeliest first."""
    ranked = []
    for place, column in enumerate(facts):
        if column.distinct < 2 or not (column.is_number or column.type == "string"):
            continue
        few = column.distinct <= 20
        if not few and not column.is_number:
            continue
        rank = 4 * sounds_like_label(column.name) + 2 * (column.distinct == 2) + few
        rank += 2 * (place == len(facts) - 1)
        ranked.append((-rank, -place, column.name))
    return [name for _, _, name in sorted(ranked)][:5]


def find_target(facts: Facts) -> Target:
    """The target that a column gives.

    Raises:
        DataError: The column cannot be a label.
    """
    if facts.array is None or facts.distinct < 2:
        values = "one value" if facts.distinct == 1 else "no value"
        raise DataError.explain(
            f"column {facts.name!r}, the label",
            f"holds {values} in {facts.rows:,} row{'s' * (facts.rows != 1)}",
            "expected at least two values to tell apart",
            "name another column with --label",
        )
    task, why = _find_task(facts)
    if task == REGRESSION:
        return _of_numbers(facts, why)
    return _of_classes(facts, task, why)


def _find_task(facts: Facts) -> tuple[str, str]:
    count = facts.distinct
    if count == 2 and (facts.type == "string" or facts.is_whole):
        return BINARY, "two values"
    if facts.type == "string":
        if count > _MOST_CLASSES or count > max(2, facts.present // 3):
            raise DataError.explain(
                f"column {facts.name!r}, the label",
                f"holds {count:,} different texts",
                f"expected at most {_MOST_CLASSES} classes, or a number",
                "name another column with --label",
            )
        return MULTICLASS, f"{count} texts"
    if facts.is_whole and count <= 20 and not _is_scale(facts):
        return MULTICLASS, f"{count} whole numbers, from {facts.low:g} to {facts.high:g}"
    return REGRESSION, f"{count:,} different numbers"


def _is_scale(facts: Facts) -> bool:
    """Whether few whole numbers are amounts: by their name, or with gaps as no classes have."""
    spread = facts.high - facts.low + 1
    few_rows = facts.present < 10 * facts.distinct
    by_name = sounds_like_amount(facts.name) and words_of(facts.name)[-1] not in _ANY_NUMBER
    return by_name or few_rows or spread > 3 * facts.distinct + 5


def _of_classes(facts: Facts, task: str, why: str) -> Target:
    counts = {_plain(value): count for value, count in facts.counts.items()}
    values = sorted(counts, key=lambda value: (isinstance(value, str), value))
    if task == BINARY:
        positive = _positive(counts)
        values = [positive, *(value for value in values if value != positive)]
    array = facts.array
    wanted = pa.string() if isinstance(values[0], str) else pa.int64()
    array = array.cast(wanted, safe=False)
    codes = pc.index_in(array, value_set=pa.array(values, array.type))
    codes = pc.fill_null(codes.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False)
    if task == BINARY:
        codes = 1.0 - codes  # the positive one is 1
    shares = tuple(counts[value] / facts.present for value in values)
    return Target(
        facts.name, task, tuple(values), shares, facts.present, 0.0, 0.0, False, why, codes
    )


def _plain(value: str | float) -> str | int:
    return value if isinstance(value, str) else int(value)


def _positive(counts: Mapping[str | int, int]) -> str | int:
    """Of two values the one that means yes; else the rarer."""
    if all(isinstance(value, int) for value in counts) and set(counts) <= {-1, 0, 1}:
        return 1 if 1 in counts else max(counts)
    for wanted, other in ((_YES, _NO), (_NO, _YES)):
        alike = [value for value in counts if str(value).strip().lower() in wanted]
        if len(alike) == 1:
            [value] = alike
            rest = next(v for v in counts if v != value)
            is_pair = str(rest).strip().lower() in other
            if is_pair or str(value).strip().lower() not in {"m", "t", "f", "n", "y"}:
                return value if wanted is _YES else rest
    return min(counts, key=lambda value: (counts[value], str(value)))


def _of_numbers(facts: Facts, why: str) -> Target:
    codes = facts.numbers()
    known = codes[~np.isnan(codes)]
    middle, high = np.quantile(known, (0.5, 0.99))
    tail = bool(known.min() >= 0 and middle > 0 and high > 20 * middle)
    mean, deviation = float(known.mean()), float(known.std())
    return Target(facts.name, REGRESSION, (), (), facts.present, mean, deviation, tail, why, codes)
