"""Result of a comparison of two samples: each measure of each column, as data and in words.

Written by `monitoring.drift.compare`, read back by the run summary, Tuner and reports. Standard
library alone.
"""

import dataclasses
import json
from collections.abc import Collection, Mapping
from typing import Any

from fareline.printable import printable

LABEL = "(label)"  # the column that stands for the label
_MOST_WHERE = 40  # characters of a value in a sentence


@dataclasses.dataclass(frozen=True)
class Measure:
    """One measure of one column.

    Attributes:
        name: `jensen_shannon` (bits); `shift`, a share of pairs of rows; or a share of rows:
            `l_infinity`, `label_rate`, `by_label`, `missing`, `zeros`, `new_values`.
        value: Measured value.
        threshold: Threshold of drift; calibrated, or fixed by the settings.
        reference: Share of the rows of the reference that the change is about: at or below `where`
            of a number, with the value `where` of a category, else as the name says. By label the
            share of the label is that of both together.
        batch: Share in the batch.
        where: A value of the column; None where the share is of the whole column.
        least: The smallest difference of the two shares that counts; None: the threshold is fixed.
        chance: Share of divisions by chance in which any column stood out as far; None if fixed.
        drifted: Whether it has.
    """

    name: str
    value: float
    threshold: float
    reference: float
    batch: float
    where: float | int | str | None
    least: float | None
    chance: float | None
    drifted: bool

    def in_words(self) -> str:
        """Such as `share of Cash 66.1 % -> 59.4 %`."""
        where = self.where
        text = f"{where:.6g}" if isinstance(where, float) else str(where)
        text = "a value" if where is None else printable(text)
        text = text if len(text) <= _MOST_WHERE else f"{text[: _MOST_WHERE - 1]}…"
        about = {
            "jensen_shannon": f"share up to {text}",
            "shift": f"share up to {text}",
            "l_infinity": f"share of {text}",
            "by_label": f"share of {text}",
            "label_rate": f"share of label {text}",
            "missing": "share missing",
            "zeros": "share of zeros",
            "new_values": "share of new values" + (f", such as {text}" if where else ""),
        }[self.name]
        return f"{about} {self.reference:.1%} -> {self.batch:.1%}".replace("%", " %")


@dataclasses.dataclass(frozen=True)
class ColumnDrift:
    """One column.

    Attributes:
        name: Name of the column; `(label)` for the label.
        kind: `number` or `category`.
        policy: Consequence of drift: `record`, `warn`, `retune`, `stop`.
        measures: Measures of the column, the distance first.
    """

    name: str
    kind: str
    policy: str
    measures: tuple[Measure, ...]

    @property
    def drifted(self) -> list[Measure]:
        """The measures that have."""
        return [measure for measure in self.measures if measure.drifted]

    def without_values(self) -> "ColumnDrift":
        """The measure without values of the column."""
        measures = (dataclasses.replace(measure, where=None) for measure in self.measures)
        return dataclasses.replace(self, measures=tuple(measures))

    def say(self) -> list[str]:
        """One line for each of the measures that have drifted."""
        return [
            f"{measure.in_words()} ({measure.name} {measure.value:.4f}, threshold "
            f"{measure.threshold:.4f})"
            for measure in self.drifted
        ]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The comparison of a batch with a reference.

    Attributes:
        reference_rows: Compared, of the reference.
        batch_rows: Compared, of the batch.
        columns: All, drifted or not.
    """

    reference_rows: int
    batch_rows: int
    columns: tuple[ColumnDrift, ...]

    def drifted(self, *policies: str) -> list[ColumnDrift]:
        """The columns of these policies, or all, that have drifted."""
        return [c for c in self.columns if c.drifted and (not policies or c.policy in policies)]

    def without_values(self, columns: Collection[str]) -> "Comparison":
        """The report without values of these columns."""
        return dataclasses.replace(
            self,
            columns=tuple(
                column.without_values() if column.name in columns else column
                for column in self.columns
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, which `from_dict` reads."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Comparison":
        """Reads what `to_dict` wrote."""
        columns = (
            ColumnDrift(
                **{**column, "measures": tuple(Measure(**each) for each in column["measures"])}
            )
            for column in content["columns"]
        )
        return cls(content["reference_rows"], content["batch_rows"], tuple(columns))


def dump(content: Mapping[str, Any]) -> str:
    """JSON text, the same for the same content."""
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"
