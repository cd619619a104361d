"""The typed section `gate`: what becomes of anomalies.

Called by pipeline.sections. Imports no TFX and no TensorFlow.
"""

import datetime
import difflib
from typing import Literal

import pydantic
from pydantic import Field

from pipeline.values import Section

_NEW_COLUMN = "SCHEMA_NEW_COLUMN"


class GateRule(Section):
    """What becomes of some anomalies; of several rules the narrowest counts, of equals the first.

    Attributes:
        action: What becomes of them.
        column: Of the anomalies; None: every one.
        kind: TFDV's name of the anomaly; None: every one.
        reason: Why.
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

        known = anomalies_pb2.AnomalyInfo.Type.keys()
        if kind is None or kind in known:
            return kind
        near = difflib.get_close_matches(kind, known, 3)
        hint = f", such as {' or '.join(near)}" if near else ", such as SCHEMA_MISSING_COLUMN"
        raise ValueError(f"expected TFDV's name of an anomaly{hint}")

    @pydantic.model_validator(mode="after")
    def _ignores_what_it_names(self) -> "GateRule":
        if self.action != "ignore":
            if self.column is None and self.kind is None:
                raise ValueError("expected a column or a kind; gate.default is of all others")
            return self
        given = ("column", "kind", "reason", "until")
        absent = [name for name in given if getattr(self, name) is None]
        if absent:
            raise ValueError(f"expected an ignore to have {', '.join(given)}; lacks {absent[0]}")
        if self.kind == _NEW_COLUMN:
            raise ValueError("expected no ignore of a new column; the schema can be told of it")
        return self


class Gate(Section):
    """What DataGate stops.

    Attributes:
        default: What becomes of an anomaly that no rule is about.
        rules: Exceptions.
    """

    default: Literal["stop", "warn"] = "stop"
    rules: list[GateRule] = Field(default_factory=list)

    @property
    def has_dates(self) -> bool:
        """Whether what it decides depends on the day."""
        return any(rule.until is not None for rule in self.rules)
