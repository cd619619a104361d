"""The typed section `monitoring.policy`: actions for alarms about a live model.

Every meaning stands in pipeline/configs/taxi.yaml. Called by pipeline.settings.drift. Imports no
TFX and no TensorFlow.
"""

from typing import Literal

from pipeline.settings.values import NotNegative, Positive, Section

Told = Literal["record", "warn"]


class Policy(Section):
    """The consequence of each kind of alarm; the strongest wins.

    Estimate and distribution can change although the model is still good: neither of them retrains.

    Attributes:
        performance: Performance of the AUC by labels.
        integrity: Integrity of rows, values and labels.
        estimate: Estimate of the AUC that the scores let expect.
        distribution: Distribution of columns and scores.
        age: Age of a live model that is older than `freshness_hours`.
        freshness_hours: Highest age of the live model; None: any age.
        cooldown_hours: Hours after a retraining or a rollback in which alarms start no action.
    """

    performance: Literal["record", "warn", "retrain", "roll_back"] = "warn"
    integrity: Literal["record", "warn", "retrain", "roll_back"] = "warn"
    estimate: Told = "warn"
    distribution: Told = "warn"
    age: Literal["record", "warn", "retrain"] = "warn"
    freshness_hours: Positive | None = None
    cooldown_hours: NotNegative = 24
