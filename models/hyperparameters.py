"""The hyperparameters of the network: their search space and how they travel to the Trainer.

The search space is read from the settings (`tuning.search`), so that it is part of the cache key.
Must not import pipeline, runners or an orchestrator.
"""

from collections.abc import Mapping
from typing import Any

import keras_tuner


def search_space(search: Mapping[str, Any]) -> keras_tuner.HyperParameters:
    """Declares what is searched.

    Args:
        search: `learning_rate` and `dropout` as [low, high] (learning rate on a log scale);
            `width`, `depth`, `embedding_size` as lists of choices.

    Returns:
        A space whose current values are the defaults: the first choice, the lowest number.
    """
    space = keras_tuner.HyperParameters()
    low, high = search["learning_rate"]
    space.Float("learning_rate", float(low), float(high), sampling="log")
    low, high = search["dropout"]
    space.Float("dropout", float(low), float(high))
    for name in ("width", "depth", "embedding_size"):
        space.Choice(name, [int(choice) for choice in search[name]], ordered=True)
    return space


def read_hyperparameters(config: Mapping[str, Any]) -> keras_tuner.HyperParameters:
    """Restores what Tuner wrote (`best_hyperparameters.txt`), as TFX hands it to `run_fn`."""
    return keras_tuner.HyperParameters.from_config(config)
