"""What comes of what was noticed: a table of situations, and what holds in every one of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.live.decision import (
    ACTING,
    ACTIONS,
    AGE,
    CRON,
    NEW_DATA,
    NOTHING,
    RECORD,
    REQUEST,
    RETRAIN,
    ROLL_BACK,
    WARN,
    Cause,
    Rules,
    decide,
)

RULES = Rules(
    {
        "performance": ROLL_BACK,
        "integrity": RETRAIN,
        "estimate": WARN,
        "distribution": RECORD,
        AGE: RETRAIN,
        NEW_DATA: RETRAIN,
    },
    cooldown_ms=100,
)
NOW = 1000


@pytest.mark.parametrize(
    ("kinds", "acted_ms", "action", "told", "held_until_ms"),
    [
        ("", None, NOTHING, "", None),
        ("distribution", None, RECORD, "distribution", None),
        ("distribution estimate", None, WARN, "estimate", None),
        ("estimate integrity", None, RETRAIN, "integrity", None),
        ("integrity age new_data", None, RETRAIN, "integrity age new_data", None),
        ("integrity performance", None, ROLL_BACK, "performance", None),
        # The cooldown ends with its last millisecond.
        ("performance", 901, WARN, "performance", 1001),
        ("performance", 900, ROLL_BACK, "performance", None),
        ("performance estimate", 950, WARN, "performance estimate", 1050),
        ("age distribution", 950, WARN, "age", 1050),
        # New data waits for it without a word.
        ("new_data", 950, NOTHING, "new_data", 1050),
        ("new_data distribution", 950, RECORD, "distribution", 1050),
        # What a person asks for does not wait; nor does it wait for what has to.
        ("cron", 950, RETRAIN, "cron", None),
        ("request", 950, RETRAIN, "request", None),
        ("performance cron", 950, RETRAIN, "cron", None),
        ("performance cron", None, ROLL_BACK, "performance", None),
    ],
)
def test_the_strongest_action_wins_and_a_cooldown_turns_it_into_a_warning(
    kinds, acted_ms, action, told, held_until_ms
):
    found = decide(_causes(kinds), RULES, NOW, acted_ms)
    assert (found.action, found.held_until_ms) == (action, held_until_ms)
    assert found.causes == tuple(_causes(told))
    assert found.acts is (action in ACTING)


def _causes(kinds):
    return [Cause(kind.replace("_", " "), f"said of {kind}") for kind in kinds.split()]


_KINDS = [*RULES.actions, CRON, REQUEST]


@given(
    st.lists(st.sampled_from(_KINDS)),
    st.dictionaries(st.sampled_from(list(RULES.actions)), st.sampled_from(ACTIONS)),
    st.none() | st.integers(0, NOW),
    st.integers(0, 2 * NOW),
)
def test_what_nobody_asked_for_acts_by_its_own_rule_only_and_never_in_a_cooldown(
    kinds, actions, acted_ms, cooldown_ms
):
    found = decide([Cause(kind, "") for kind in kinds], Rules(actions, cooldown_ms), NOW, acted_ms)
    if found.acts:
        for cause in found.causes:
            assert cause.kind in (CRON, REQUEST) or (
                actions.get(cause.kind) == found.action
                and (acted_ms is None or acted_ms + cooldown_ms <= NOW)
            )
    assert set(found.causes) <= {Cause(kind, "") for kind in kinds}
