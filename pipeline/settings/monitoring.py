"""The typed section `monitoring`: how a model in use is watched.

Every meaning and unit stands in pipeline/configs/taxi.yaml. Called by pipeline.settings.settings.
Imports no TFX and no TensorFlow.
"""

from typing import Annotated

import pydantic
from pydantic import Field

from pipeline.settings.values import Count, Number, Positive, Section, Share


class Monitoring(Section):
    """How windows of the prediction log are held against the evaluation.

    Attributes:
        window_hours: Length of a window.
        least_rows: Of a slice in a window; with fewer it is too small.
        false_alarms: Share of unchanged windows that may raise an alarm of one kind.
        needed: In how many windows something must be found,
        among: of the last so many.
        least_change: Share of the rows below which a change is none.
        least_new: The same of rows with new values.
        least_loss: Loss of AUC below which it is none.
    """

    window_hours: Positive = 24
    least_rows: Count = 200
    false_alarms: Annotated[Number, Field(ge=0.001, le=0.5)] = 0.01
    needed: Count = 2
    among: Count = 3
    least_change: Share = 0.03
    least_new: Share = 0.01
    least_loss: Share = 0.015

    @pydantic.field_validator("among")
    @classmethod
    def _not_fewer(cls, value: int, info: pydantic.ValidationInfo) -> int:
        needed = info.data.get("needed")
        if needed is not None and value < needed:
            raise ValueError(f"expected at least monitoring.needed, {needed}")
        return value
