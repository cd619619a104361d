"""Conditions on metrics before a push or a hook (`when`): which of them a model does not meet.

Called by `pipeline.components.pusher` and `runners.looping.hooks`. Imports neither TFX nor TFMA.
"""

from collections.abc import Mapping, Sequence
from typing import Any

AT_LEAST, AT_MOST = "at_least", "at_most"


def unmet(
    conditions: Sequence[Mapping[str, Any]],
    values: Mapping[str, float | None],
    where: str = "push.when",
) -> list[str]:
    """Judges conditions.

    Args:
        conditions: Each with `metric`, and `at_least` or `at_most` or both.
        values: Metric to value over all examples; None where it is undefined.
        where: Setting with the conditions.

    Returns:
        A sentence for each bound that is not met; a metric without a value meets none.
    """
    found = []
    for condition in conditions:
        name = condition["metric"]
        value = values.get(name)
        for bound in (AT_LEAST, AT_MOST):
            wanted = condition.get(bound)
            if wanted is None or _is_met(value, bound, wanted):
                continue
            said = "undefined" if value is None else f"{value:.6g}"
            words = bound.replace("_", " ")
            found.append(f"{name} is {said}; expected {words} {wanted:.6g} ({where})")
    return found


def _is_met(value: float | None, bound: str, wanted: float) -> bool:
    if value is None:
        return False
    return value >= wanted if bound == AT_LEAST else value <= wanted
