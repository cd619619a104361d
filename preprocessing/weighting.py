"""Weights of examples in training: by label, by a column, and exclusions.

Plain Python without TensorFlow, used by the settings, the transform and the training. Must import
nothing but the standard library.

The weight of an example is the product of the weight of its class, the value of the weight column,
and 1 / share if its label is down-sampled. Examples that down-sampling removes have the weight 0,
and training leaves them out.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

BALANCED = "balanced"
# Transformed name of the weight, float32 [batch, 1]. All others end in _xf, so it is no one else's.
EXAMPLE_WEIGHT = "example_weight"
MISSING_WEIGHT = 1.0  # of an example whose column is empty


@dataclasses.dataclass(frozen=True)
class Weighting:
    """Rules for the weight of an example.

    Attributes:
        classes: Name of the label to its weight, 1 where it is not named; or `BALANCED`; None: 1.
        column: Raw column that holds a weight; None: 1.
        down_sample: Name of the label to the share of its examples that is kept, 1 where it is not
            named.
    """

    classes: str | Mapping[str, float] | None = None
    column: str | None = None
    down_sample: Mapping[str, float] = dataclasses.field(default_factory=dict)


def parse_weighting(settings: Mapping[str, Any] | None) -> Weighting | None:
    """Reads the `weighting` section of the settings, already validated.

    Args:
        settings: `{classes, column, down_sample}`; each may be absent.

    Returns:
        The rules; None if all examples have the same weight.
    """
    given = {name: value for name, value in (settings or {}).items() if value}
    return Weighting(**given) if given else None
