"""Decides about a live model, from causes alone.

A function of its arguments alone, so that a table of situations tests it. Called by
`runners.watching`. Standard library alone.
"""

import dataclasses
from collections.abc import Mapping, Sequence

NOTHING, RECORD, WARN, RETRAIN, ROLL_BACK = ACTIONS = (
    "nothing",
    "record",
    "warn",
    "retrain",
    "roll_back",
)
ACTING = (RETRAIN, ROLL_BACK)
AGE = "age"
# What is no alarm: somebody wants a model, or there is something to learn from.
NEW_DATA, CRON, REQUEST = "new data", "cron", "request"
_ASKED = (CRON, REQUEST)  # by a person, who need not wait


@dataclasses.dataclass(frozen=True)
class Cause:
    """Something that may be a reason to act.

    Attributes:
        kind: Kind of an alarm, or `age`, `new data`, `cron`, `request`.
        said: In words, one line.
    """

    kind: str
    said: str


@dataclasses.dataclass(frozen=True)
class Rules:
    """The consequence of a cause.

    Attributes:
        actions: Kind to one of `ACTIONS`; what a person asks for is a retraining always.
        cooldown_ms: Time after an action in which only a person's request starts another.
    """

    actions: Mapping[str, str]
    cooldown_ms: int = 0


@dataclasses.dataclass(frozen=True)
class Decision:
    """The decision and its reasons.

    Attributes:
        action: One of `ACTIONS`.
        causes: Causes of this action; in a cooldown also the waiting ones.
        held_until_ms: End of the cooldown, where it is why nothing more is done; else None.
    """

    action: str
    causes: tuple[Cause, ...]
    held_until_ms: int | None = None

    @property
    def acts(self) -> bool:
        """Whether another model is to be live."""
        return self.action in ACTING


def decide(
    causes: Sequence[Cause], rules: Rules, now_ms: int, acted_ms: int | None = None
) -> Decision:
    """Decides.

    Args:
        causes: Observations and requests.
        rules: Consequence of each kind of cause.
        now_ms: Milliseconds since 1970.
        acted_ms: When something was done last; None: never.
    """
    by_action: dict[str, list[Cause]] = {action: [] for action in ACTIONS}
    for cause in causes:
        asked = cause.kind in _ASKED
        by_action[RETRAIN if asked else rules.actions.get(cause.kind, WARN)].append(cause)
    free_ms = 0 if acted_ms is None else acted_ms + rules.cooldown_ms
    held: list[Cause] = []
    for action in (ROLL_BACK, RETRAIN):
        found = by_action[action]
        if now_ms < free_ms:
            held += [cause for cause in found if cause.kind not in _ASKED]
            found = [cause for cause in found if cause.kind in _ASKED]
        if found:
            return Decision(action, tuple(found))
    until_ms = free_ms if held else None
    # New data can wait in silence: it is still there when the cooldown is over.
    by_action[WARN] = [c for c in held if c.kind != NEW_DATA] + by_action[WARN]
    for action in (WARN, RECORD):
        if by_action[action]:
            return Decision(action, tuple(by_action[action]), until_ms)
    return Decision(NOTHING, tuple(held), until_ms)
