"""The kinds of model (`model.kind` in the settings): what builds each, what is searched of each.

Called by models.trainer and models.tuner. Must not import pipeline, runners or an orchestrator.
"""

from collections.abc import Mapping
from typing import Any

from models.linear import build_linear
from models.network import build_model

WIDE_DEEP, LINEAR, BOOSTED_TREES = "wide_deep", "linear", "boosted_trees"
NETWORKS = {WIDE_DEEP: build_model, LINEAR: build_linear}


def kind_of(config: Mapping[str, Any]) -> str:
    """The kind that the settings name; `wide_deep` where they have no section `model`."""
    return config.get("model", {}).get("kind", WIDE_DEEP)
