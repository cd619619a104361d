"""The typed sections `drift` and `monitoring`: data, and a live model, compared with earlier data.

What becomes of a difference stands there as well; every meaning in pipeline/configs/taxi.yaml.

Called by pipeline.settings.settings. Imports no TFX and no TensorFlow.
"""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from pipeline.settings.live.policy import Policy as AlarmPolicy
from pipeline.settings.values import Count, Number, Positive, Section, Share

Policy = Literal["record", "warn", "retune", "stop"]


class DriftRule(Section):
    """The consequence of drift of one column.

    Attributes:
        policy: Policy of the column, as in taxi.yaml.
        distance: A fixed threshold of its distance, for one that is calibrated.
    """

    policy: Policy = "warn"
    distance: Positive | None = None


class Drift(Section):
    """The comparison of data with the previous data, and with prediction requests.

    Attributes:
        default: Policy of the features and the label; all other columns are only recorded.
        columns: Exceptions, by column; `(label)` is the label.
        false_alarms: Share of unchanged data that may raise an alarm; None: as
            `monitoring.drift.compare` says.
        least_change: Share of the rows below which a change is ignored; None: the default.
        least_new: Lowest relevant share of rows with new values; None: the default.
        serving_sample: File of rows that a prediction was asked for.
    """

    default: Policy = "warn"
    columns: dict[str, DriftRule] = Field(default_factory=dict)
    # Of a thousand divisions by chance one is the least that can be told.
    false_alarms: Annotated[Number, Field(ge=0.001, le=0.5)] | None = None
    least_change: Share | None = None
    least_new: Share | None = None
    serving_sample: str | None = None


class Monitoring(Section):
    """The comparison of windows of the prediction log with the evaluation.

    Attributes:
        window_hours: Length of a window.
        least_rows: Minimum rows of a slice in a window; a slice with fewer is too small.
        false_alarms: Share of unchanged windows that may raise an alarm of one kind.
        needed: In how many windows something must be found,
        among: of the last so many.
        least_change: Share of the rows below which a change is ignored.
        least_new: Lowest relevant share of rows with new values.
        least_loss: Loss of AUC below which a change is ignored.
        policy: Consequences of an alarm.
    """

    window_hours: Positive = 24
    least_rows: Count = 200
    false_alarms: Annotated[Number, Field(ge=0.001, le=0.5)] = 0.002
    needed: Count = 2
    among: Count = 3
    least_change: Share = 0.03
    least_new: Share = 0.01
    least_loss: Share = 0.015
    policy: AlarmPolicy = AlarmPolicy()

    @pydantic.field_validator("among")
    @classmethod
    def _not_fewer(cls, value: int, info: pydantic.ValidationInfo) -> int:
        needed = info.data.get("needed")
        if needed is not None and value < needed:
            raise ValueError(f"expected at least monitoring.needed, {needed}")
        return value
