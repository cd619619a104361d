"""The typed section `drift`: what is compared with earlier data, and what becomes of a difference.

Called by pipeline.settings.settings. Imports no TFX and no TensorFlow.
"""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.settings.values import Number, Positive, Section, Share

Policy = Literal["record", "warn", "retune", "stop"]


class DriftRule(Section):
    """What becomes of the drift of one column.

    Attributes:
        policy: See taxi.yaml.
        distance: A fixed threshold of its distance, for one that is calibrated.
    """

    policy: Policy = "warn"
    distance: Positive | None = None


class Drift(Section):
    """How this data is compared with the data before it, and with what is asked of the model.

    Attributes:
        default: Policy of the features and the label; all other columns are only recorded.
        columns: Exceptions, by column; `(label)` is the label.
        false_alarms: Share of unchanged data that may raise an alarm; None: as
            `monitoring.drift.compare` says.
        least_change: Share of the rows below which a change is none; None: the same.
        least_new: The same of rows with new values; None: the same.
        serving_sample: File of rows that a prediction was asked for.
    """

    default: Policy = "warn"
    columns: dict[str, DriftRule] = Field(default_factory=dict)
    # Of a thousand divisions by chance one is the least that can be told.
    false_alarms: Annotated[Number, Field(ge=0.001, le=0.5)] | None = None
    least_change: Share | None = None
    least_new: Share | None = None
    serving_sample: str | None = None
