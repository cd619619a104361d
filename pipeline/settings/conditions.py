"""A condition on a metric, of a push or of a hook.

Called by pipeline.settings.settings and pipeline.settings.live.loop. Imports no TFX and no
TensorFlow.
"""

from typing import Annotated, Any

import pydantic
from pydantic import Field

from pipeline.settings.values import Number, Section


class Condition(Section):
    """Bounds of a metric over all examples of the eval split.

    Attributes:
        metric: Name of the metric.
        at_least: Lowest value; None: no bound.
        at_most: Highest value; None: no bound.
    """

    metric: str
    at_least: Number | None = None
    at_most: Number | None = None

    @pydantic.model_validator(mode="after")
    def _has_a_bound(self) -> "Condition":
        if self.at_least is None and self.at_most is None:
            raise ValueError("expected at_least or at_most")
        if None not in (self.at_least, self.at_most) and self.at_least > self.at_most:
            raise ValueError("expected at_least to be no higher than at_most")
        return self


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


# One, or a list of them; all must hold.
Conditions = Annotated[
    list[Condition], pydantic.BeforeValidator(_as_list), Field(default_factory=list)
]
