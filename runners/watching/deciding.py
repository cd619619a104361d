"""Decides about the live model by the policy of the settings, and records the decision.

Called by `runners.watching.watching` and by the loop.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lineage.facts.alarms import Trigger, last_decided, record_trigger
from lineage.graph.graph import Graph
from monitoring.live.decision import ACTING, AGE, NEW_DATA, RETRAIN, Cause, Decision, Rules, decide
from monitoring.live.report import KINDS, Alarm
from monitoring.live.series import HOUR_MS
from runners.stores import open_to_write
from runners.watching.live_model import Live
from runners.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings


def rules_of(settings: "Settings") -> Rules:
    """The consequence of a cause, by the settings."""
    policy = settings.monitoring.policy
    actions = {kind: getattr(policy, kind) for kind in (*KINDS, AGE)}
    return Rules({**actions, NEW_DATA: RETRAIN}, round(policy.cooldown_hours * HOUR_MS))


def cause_of(alarm: Alarm) -> Cause:
    """An alarm as a cause."""
    return Cause(alarm.kind, alarm.in_words().removeprefix(f"{alarm.kind}: "))


def causes_of_age(made_ms: int, settings: "Settings", now_ms: int) -> list[Cause]:
    """Whether the live model is older than allowed, counted from its training.

    Args:
        made_ms: Time of its training, milliseconds since 1970.
        settings: Settings with the policy.
        now_ms: Milliseconds since 1970.
    """
    promised = settings.monitoring.policy.freshness_hours
    old = (now_ms - made_ms) / HOUR_MS
    if promised is None or old <= promised:
        return []
    return [Cause(AGE, f"the live model is {old:,.1f} h old; at most {promised:g} h allowed")]


def decide_now(
    causes: Sequence[Cause], settings: "Settings", graph: Graph, now_ms: int
) -> Decision:
    """Decides; a cooldown counts from what the store has recorded last."""
    acted_ms = last_decided(graph.store, settings.name, ACTING)
    return decide(causes, rules_of(settings), now_ms, acted_ms)


def record(
    workspace: Workspace,
    settings: "Settings",
    decision: Decision,
    live: Live | None,
    evidence: Mapping[str, Path],
    now_ms: int,
) -> str:
    """Records a decision; returns the printable id of the execution.

    Raises:
        WorkspaceError: A run is using the workspace.
    """
    said = tuple(f"{cause.kind}: {cause.said}" for cause in decision.causes)
    trigger = Trigger(settings.name, decision.action, said, now_ms)
    pushed = live.version.recorded.artifact if live is not None else None
    with workspace.locked():
        return record_trigger(open_to_write(workspace.root, None), trigger, pushed, evidence)
