"""Decides about anomalies: rules by column and kind decide whether one stops the run.

Plain functions, called by `pipeline.components.data_policy` and `.data_gate`, and by the summary of
a run through what these record. Imports tensorflow_metadata and no TensorFlow.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Sequence

from fareline.recorded.gate import Decision
from schema.gate.anomalies import Anomaly, DataAnomalies
from schema.gate.evidence import Evidence, say_finding

STOP, WARN, IGNORE = "stop", "warn", "ignore"
_BY_DEFAULT = "gate.default"


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule for some anomalies.

    Attributes:
        action: `stop`, `warn` or `ignore`.
        column: Column of the anomalies; None: every one.
        kind: TFDV's name of the anomaly; None: every one.
        reason: Reason, in the words of the rule's author.
        until: The last day that the rule holds; None: always.
    """

    action: str
    column: str | None = None
    kind: str | None = None
    reason: str = ""
    until: datetime.date | None = None

    def matches(self, anomaly: Anomaly) -> bool:
        """Whether the rule applies to an anomaly."""
        return self.column in (None, anomaly.column) and self.kind in (None, anomaly.kind)

    @property
    def narrowness(self) -> int:
        """Specificity: column and kind 3, column 2, kind 1. The highest wins."""
        return 2 * (self.column is not None) + (self.kind is not None)


def decide(
    anomalies: Sequence[Anomaly],
    evidence: Sequence[Evidence],
    rules: Sequence[Rule],
    default: str,
    today: datetime.date,
) -> list[Decision]:
    """Decides about each anomaly.

    The narrowest rule counts, and among equal ones the first. An expired rule has no effect, and
    the decision says so.

    Args:
        anomalies: From `schema.gate.anomalies.list_anomalies`.
        evidence: Evidence of each anomaly.
        rules: In the order of the settings.
        default: Consequence of an anomaly without a rule.
        today: Rules that end before this day are over.

    Returns:
        One for each anomaly, in their order.
    """
    decided = []
    for anomaly, seen in zip(anomalies, evidence, strict=True):
        about = [(i, rule) for i, rule in enumerate(rules) if rule.matches(anomaly)]
        holding = [(i, rule) for i, rule in about if rule.until is None or today <= rule.until]
        ended = [(i, rule) for i, rule in about if rule.until is not None and rule.until < today]
        by, action, reason = _BY_DEFAULT, default, ""
        if holding:
            index, rule = max(holding, key=lambda pair: (pair[1].narrowness, -pair[0]))
            by, action, reason = f"gate.rules.{index}", rule.action, rule.reason
        for index, rule in ended:
            said = f"gate.rules.{index} ({rule.action}: {rule.reason or 'no reason'}) ended on"
            reason = f"{reason}; {said} {rule.until}".removeprefix("; ")
        decided.append(
            Decision(
                anomaly.column,
                anomaly.kind,
                anomaly.found,
                anomaly.splits,
                action,
                by,
                reason,
                seen.expected,
                seen.rows,
                seen.example,
                seen.who,
            )
        )
    return decided


def require_passing(decisions: Iterable[Decision], drifted: Sequence[str] = ()) -> None:
    """Raises if an anomaly, or a drift, is to stop the run.

    Args:
        decisions: On all anomalies.
        drifted: A line for each drift that stops the run.

    Raises:
        DataAnomalies: An anomaly or a drift stops the run; one line for each.
    """
    stopping = [say(each) for each in decisions if each.action == STOP]
    lines = []
    if stopping:
        noun = "anomaly" if len(stopping) == 1 else "anomalies"
        lines += [
            f"the data breaks the schema: {len(stopping)} {noun}; expected none. Hint: correct the "
            "data, or review the schema if the data is right.",
            *(f"  {line}" for line in stopping),
        ]
    if drifted:
        noun = "difference" if len(drifted) == 1 else "differences"
        lines += [
            f"the data has drifted: {len(drifted)} {noun} with policy stop; expected none. Hint: "
            "look at the data; if it is right, set drift.columns.COLUMN.policy to warn.",
            *(f"  {line}" for line in drifted),
        ]
    if lines:
        raise DataAnomalies("\n".join(lines))


def say(decision: Decision) -> str:
    """One line: column, what was found, what the schema says, an example, how many rows."""
    said = (decision.column, decision.found, decision.expected, decision.example, decision.who)
    parts = say_finding(*said)
    if decision.rows is not None:
        parts.append(f"{decision.rows:,} row" + "s" * (decision.rows != 1))
    if decision.reason:
        parts.append(decision.reason)
    return f"{'; '.join(parts)} ({decision.kind}; in {', '.join(decision.splits)})"
