"""What Tuner and Trainer record: the hyperparameters, and whether there was a search for them."""

from typing import Any

from fareline.recorded import (
    HYPERPARAMETERS,
    REUSED_FROM,
    TUNING_DECISION,
    TUNING_POLICY,
    TUNING_REASONS,
)
from fareline.recorded.texts import Element, read_plain


def hyperparameters_of(model: Element) -> dict[str, Any]:
    """The hyperparameters of a Model; empty in a stock store."""
    return read_plain(dict, model, HYPERPARAMETERS) or {}


def tuning_of(hyperparameters: Element) -> dict[str, Any] | None:
    """Whether Tuner searched for HyperParameters, and why; None if that was not recorded.

    Returns:
        `policy`; `decision`; `reasons`, a list of texts; `reused_from`, a printable id or None.
    """
    properties = hyperparameters.properties
    if TUNING_DECISION not in properties:
        return None
    reused = properties.get(REUSED_FROM)
    return {
        "policy": properties.get(TUNING_POLICY),
        "decision": properties[TUNING_DECISION],
        "reasons": str(properties.get(TUNING_REASONS, "")).splitlines(),
        "reused_from": f"HyperParameters:{reused}" if reused else None,
    }
