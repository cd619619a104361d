"""How many examples each property is tried with, and from which seed."""

import os

from hypothesis import HealthCheck

# `make fuzz` sets it; `make test` takes few, the same each time.
_ASKED = os.environ.get("FUZZ_EXAMPLES")


def examples(share: int, each: int = 1) -> dict:
    """Arguments of hypothesis.settings.

    Args:
        share: How many examples `make test` takes.
        each: How many of what is tried, such as names, an example holds.
    """
    return {
        "max_examples": max(int(_ASKED) // each, 1) if _ASKED else share,
        "derandomize": _ASKED is None,
        "print_blob": True,  # what to repeat a failure with
        "deadline": None,
        "suppress_health_check": list(HealthCheck),
    }
