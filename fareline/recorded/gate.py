"""Records of DataPolicy: the decision about each anomaly. DataGate stops the run by them."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from fareline.recorded import DECISIONS
from fareline.recorded.texts import Element, parse, read

SCHEMA = "the schema"


@dataclasses.dataclass(frozen=True)
class Decision:
    """The decision about one anomaly.

    Attributes:
        column: Column, or `(data set)`.
        kind: TFDV's name of the anomaly.
        found: The finding, in TFDV's words.
        splits: The splits in which it was found.
        action: `stop`, `warn` or `ignore`.
        by: The setting with this action, such as `gate.rules.0`.
        reason: Reason of the rule; for an expired rule, a note about this.
        expected: Expectation of the schema, or of the source named in `who`.
        rows: Number of rows with the anomaly; None if no single row has it.
        example: A value at fault; None without one.
        who: Source of the expectation.
    """

    column: str
    kind: str
    found: str
    splits: tuple[str, ...]
    action: str
    by: str
    reason: str
    expected: str
    rows: int | None = None
    example: str | None = None
    who: str = SCHEMA

    def to_json(self) -> dict[str, Any]:
        """As it is recorded, in plain JSON values."""
        return {**dataclasses.asdict(self), "splits": list(self.splits)}


def decisions_of(decision: Element) -> list[Decision]:
    """The decisions that a DataDecision records; empty without a record."""
    return read(list[Decision], decision, DECISIONS) or []


def parse_decisions(text: str) -> list[Decision]:
    """The decisions from the text of `decisions.json`.

    Raises:
        ValueError: The text has another format.
    """
    return parse(list[Decision], text)


def decisions_text(decisions: Iterable[Decision]) -> str:
    """Writes the property, and the file."""
    return json.dumps([each.to_json() for each in decisions], ensure_ascii=False)
