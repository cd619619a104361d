"""The hyperparameters of each kind of model: their search space and how they travel to the Trainer.

The search space is read from the settings (`tuning.search`, `model.KIND.search`), so that it is
part of the cache key.
Must not import pipeline, runners or an orchestrator.
"""

from collections.abc import Mapping
from typing import Any

import keras_tuner

# Of each kind of model (`models.kinds`): what is searched on a logarithmic scale, on a plain one,
# and among choices.
_SPACES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "wide_deep": (("learning_rate",), ("dropout",), ("width", "depth", "embedding_size")),
    "linear": (("learning_rate", "l2"), (), ()),
    "boosted_trees": (
        ("learning_rate",),
        ("subsample", "colsample_bytree"),
        ("max_depth", "min_child_weight"),
    ),
}


def search_space(search: Mapping[str, Any], kind: str = "wide_deep") -> keras_tuner.HyperParameters:
    """Declares what is searched.

    Args:
        search: By name [low, high], or a list of choices; learning rates and penalties are searched
            on a log scale.
        kind: Kind of the model.

    Returns:
        A space whose current values are the defaults: the first choice, the lowest number.
    """
    space = keras_tuner.HyperParameters()
    logarithmic, plain, choices = _SPACES[kind]
    for name in (*logarithmic, *plain):
        low, high = search[name]
        sampling = "log" if name in logarithmic else "linear"
        space.Float(name, float(low), float(high), sampling=sampling)
    for name in choices:
        space.Choice(name, [int(choice) for choice in search[name]], ordered=True)
    return space


def read_hyperparameters(config: Mapping[str, Any]) -> keras_tuner.HyperParameters:
    """Restores what Tuner wrote (`best_hyperparameters.txt`), as TFX hands it to `run_fn`."""
    return keras_tuner.HyperParameters.from_config(config)
