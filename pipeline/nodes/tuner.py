"""Arguments of Tuner beside the data: its settings, and the inputs of its decision.

Used by `pipeline.dag`. Imports TFX.
"""

from typing import Any

from tfx.dsl.components.common.resolver import Resolver
from tfx.types import BaseChannel, Channel
from tfx.types.standard_artifacts import HyperParameters, Model, ModelBlessing

from pipeline.artifacts import DataDrift
from pipeline.components.tuner import DRIFT_KEY, EARLIER_DRIFT_KEY, LAST_KEY
from pipeline.resolvers.last_hyperparameters import LastHyperparametersStrategy
from pipeline.settings.settings import TRAINING, Settings
from pipeline.tuning_decision import ALWAYS, NEVER, ON_DRIFT
from pipeline.user_code import TUNER_SOURCES, fingerprint_sources


def tuning_config(settings: Settings) -> dict[str, Any]:
    """The section `tuning` for Tuner's `custom_config`.

    It is part of the cache key: what has no effect by this policy is left out, so is the number of
    trials, a runtime parameter that travels by itself.
    """
    config = settings.search_section()
    policy, given = config.pop("policy"), config.pop("hyperparameters")
    del config["trials"]
    if policy == NEVER:
        config = {"hyperparameters": given}
    if policy != ALWAYS:
        config["policy"] = policy
        config["decision_fingerprint"] = fingerprint_sources(TUNER_SOURCES)
    return config


def find_last_hyperparameters(settings: Settings, examples: BaseChannel) -> Resolver | None:
    """The node that finds what may be reused; None where nothing may.

    Args:
        settings: Validated.
        examples: The data of the run.
    """
    if settings.tuning.policy != ON_DRIFT:
        return None
    config = {"pipeline": settings.name}
    if settings.pipeline == TRAINING:
        config["data_pipeline"] = settings.data_pipeline_name
    return Resolver(
        strategy_class=LastHyperparametersStrategy,
        config=config,
        examples=examples,
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
        hyperparameters=Channel(type=HyperParameters),
        earlier_drift=Channel(type=DataDrift),
    ).with_id("LastHyperparameters")


def inputs_to_decide_by(last: Resolver | None, drift: BaseChannel | None) -> dict[str, BaseChannel]:
    """The inputs of Tuner that say whether to search.

    Args:
        last: From `find_last_hyperparameters`.
        drift: Recorded drift; None without a comparison.

    Returns:
        Input to channel; empty if that does not depend on the data.
    """
    if last is None:
        return {}
    found = {
        LAST_KEY: last.outputs["hyperparameters"],
        EARLIER_DRIFT_KEY: last.outputs["earlier_drift"],
    }
    return found if drift is None else {**found, DRIFT_KEY: drift}
