"""Records of Tuner and Trainer: hyperparameters, the search decision, a warm start."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from fareline.recorded import (
    HYPERPARAMETERS,
    REUSED_FROM,
    TUNING_DECISION,
    TUNING_POLICY,
    TUNING_REASONS,
    WARM_START,
)
from fareline.recorded.texts import Element, read, read_plain, text_of


@dataclasses.dataclass(frozen=True)
class WarmStart:
    """The earlier model whose weights a Model started with.

    Attributes:
        model_id: Id of the earlier one.
        taken: Names of the weights that it began with.
        left: Name to why not: of weights, and of categories with new words or indices.
    """

    model_id: int
    taken: Sequence[str] = ()
    left: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def to_text(self) -> str:
        """As JSON."""
        return text_of(dataclasses.asdict(self))

    def as_json(self) -> dict[str, Any]:
        """The fields, the earlier model by its printable id."""
        return {"model": f"Model:{self.model_id}", "taken": [*self.taken], "left": {**self.left}}

    @property
    def line(self) -> str:
        """The warm start in words."""
        said = f"Trainer began with the weights of Model:{self.model_id}: {len(self.taken)} taken"
        left = "; ".join(f"{name}: {why}" for name, why in self.left.items())
        return f"{said}, new are {left}" if left else said


def warm_start_of(model: Element) -> WarmStart | None:
    """The warm start of a Model; None: it started with new weights."""
    return read(WarmStart, model, WARM_START)


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
