"""Weights of examples in training: by label, by a column, and exclusions.

Plain Python, no TensorFlow: the settings, the transform and the training ask here. Must import
nothing but the standard library.

The weight of an example is a product: of its class's weight, of what its column says, and of
1 / share where its label is down-sampled and it is one of those that are kept. Those that are not
kept weigh 0, and training leaves them out.
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
        What weighs an example; None where every one counts the same.
    """
    given = {name: value for name, value in (settings or {}).items() if value}
    return Weighting(**given) if given else None
