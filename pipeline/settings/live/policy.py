"""The typed section `monitoring.policy`: what comes of an alarm about a live model.

Every meaning stands in pipeline/configs/taxi.yaml. Called by pipeline.settings.drift. Imports no
TFX and no TensorFlow.
"""

from typing import Literal

from pipeline.settings.values import NotNegative, Positive, Section

Told = Literal["record", "warn"]


class Policy(Section):
    """What comes of each kind of alarm; the strongest wins.

    An estimate and a distribution may differ while the model is as good as ever: neither of them
    retrains.

    Attributes:
        performance: Of the AUC by labels.
        integrity: Of rows, values and labels.
        estimate: Of the AUC that the scores let expect.
        distribution: Of columns and scores.
        age: Of a live model that is older than `freshness_hours`.
        freshness_hours: How old the live model may be; None: any age.
        cooldown_hours: How long after a retraining or a rollback alarms start none again.
    """

    performance: Literal["record", "warn", "retrain", "roll_back"] = "warn"
    integrity: Literal["record", "warn", "retrain", "roll_back"] = "warn"
    estimate: Told = "warn"
    distribution: Told = "warn"
    age: Literal["record", "warn", "retrain"] = "warn"
    freshness_hours: Positive | None = None
    cooldown_hours: NotNegative = 24
