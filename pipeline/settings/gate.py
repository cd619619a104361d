"""The typed section `gate`: decisions about anomalies.

Called by pipeline.settings.settings. Imports no TFX and no TensorFlow.
"""

import datetime
from collections.abc import Iterator
from typing import Literal

import pydantic
from pydantic import Field

from fareline.near import near_names
from pipeline.settings.values import Count, Section

_NEW_COLUMN = "SCHEMA_NEW_COLUMN"
# Anomalies of our own: see `pipeline.data_gate.coverage`.
FEW_EXAMPLES, FEW_OF_LABEL, FEW_OF_SLICE = COVERAGE_ANOMALIES = (
    "TOO_FEW_EXAMPLES",
    "TOO_FEW_EXAMPLES_OF_LABEL",
    "TOO_FEW_EXAMPLES_OF_SLICE",
)


class GateRule(Section):
    """A rule for some anomalies; the narrowest rule wins, among equal ones the first.

    Attributes:
        action: Consequence.
        column: Column of the anomalies; None: every one.
        kind: TFDV's name of the anomaly; None: every one.
        reason: Reason of the rule.
        until: The last day that the rule holds, UTC; None: always.
    """

    action: Literal["stop", "warn", "ignore"]
    column: str | None = None
    kind: str | None = None
    reason: str | None = Field(default=None, min_length=1)
    until: datetime.date | None = None

    @pydantic.field_validator("kind")
    @classmethod
    def _is_known(cls, kind: str | None) -> str | None:
        from tensorflow_metadata.proto.v0 import anomalies_pb2

        known = [*COVERAGE_ANOMALIES, *anomalies_pb2.AnomalyInfo.Type.keys()]
        if kind is None or kind in known:
            return kind
        near = near_names(kind, known, 3)
        hint = f", such as {' or '.join(near)}" if near else ", such as SCHEMA_MISSING_COLUMN"
        raise ValueError(f"expected TFDV's name of an anomaly{hint}")

    @pydantic.model_validator(mode="after")
    def _ignores_what_it_names(self) -> "GateRule":
        if self.action != "ignore":
            if self.column is None and self.kind is None:
                raise ValueError("expected a column or a kind; gate.default applies to all others")
            return self
        given = ("column", "kind", "reason", "until")
        absent = [name for name in given if getattr(self, name) is None]
        if absent:
            raise ValueError(f"expected an ignore to have {', '.join(given)}; lacks {absent[0]}")
        if self.kind == _NEW_COLUMN:
            raise ValueError("expected no ignore of a new column; add it to the schema")
        return self


class Coverage(Section):
    """Minimum numbers of examples by split; a smaller number is an anomaly like others.

    Attributes:
        min_examples: Minimum number of examples in each split.
        min_label_examples: Minimum number of examples of each label, present or not.
        min_slice_examples: Minimum number of examples in each existing slice of
            `evaluation.slices`.
    """

    min_examples: dict[str, Count] = Field(default_factory=dict)
    min_label_examples: dict[str, Count] = Field(default_factory=dict)
    min_slice_examples: dict[str, Count] = Field(default_factory=dict)

    def splits(self) -> Iterator[tuple[str, str]]:
        """Pairs of (path of the setting, split)."""
        for name in type(self).model_fields:
            for split in getattr(self, name):
                yield f"gate.coverage.{name}.{split}", split


class Gate(Section):
    """Rules of DataGate.

    Attributes:
        default: Consequence of an anomaly without a rule.
        rules: Exceptions.
        coverage: Minimum numbers of examples.
    """

    default: Literal["stop", "warn"] = "stop"
    rules: list[GateRule] = Field(default_factory=list)
    coverage: Coverage = Coverage()

    @property
    def has_dates(self) -> bool:
        """Whether what it decides depends on the day."""
        return any(rule.until is not None for rule in self.rules)
