"""Rules for the kind of model: its library and its hyperparameters.

Called by pipeline.rules.settings.
"""

import importlib.util
from collections.abc import Iterator

from pipeline.settings.model.kinds import (
    BOOSTED_TREES,
    LinearHyperparameters,
    TreesHyperparameters,
)
from pipeline.settings.settings import Settings

EXTRA = "pip install 'xgboost-cpu>=3.2,<4'"  # as setup.py has it


def find_model_mistakes(settings: Settings) -> Iterator[str]:
    """The kind can be trained here, and has what it needs and nothing that it cannot use."""
    kind, chosen = settings.model.kind, settings.model.chosen
    if kind == BOOSTED_TREES and not _is_installed("xgboost"):
        yield (
            "model.kind: found boosted_trees, and XGBoost is not installed; expected the library. "
            f"Hint: {EXTRA}, or take another kind."
        )
    if kind == BOOSTED_TREES and settings.training.warm_start is not None:
        yield (
            f"training.warm_start: found {settings.training.warm_start}, and boosted_trees have no "
            "weights to begin with; expected null. Hint: leave it out, or take another kind."
        )
    if chosen is None:
        return
    where, policy = f"model.{kind}.hyperparameters", settings.tuning.policy
    if policy == "never" and chosen.hyperparameters is None:
        named = TreesHyperparameters if kind == BOOSTED_TREES else LinearHyperparameters
        names = ", ".join(named.model_fields)
        yield (
            f"{where}: found null; expected {names} with tuning.policy never. "
            "Hint: give one value of each, or search."
        )
    if policy != "never" and chosen.hyperparameters is not None:
        yield (
            f"{where}: found values; expected null with tuning.policy {policy}, which searches for "
            "them. Hint: leave them out, or set tuning.policy to never."
        )


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # of a finder that refuses it
        return False
