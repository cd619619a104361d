"""Replacing a function of a library: only where it is as expected, once, and marked.

Called by the modules that set Beam and TFT up for runs on this machine.
"""

import functools
import inspect
from collections.abc import Callable

from absl import logging


def is_known(owner, name: str, *parameters: str) -> bool:
    """Whether a function is there, takes these parameters, and is not replaced already."""
    function = getattr(owner, name, None)
    if hasattr(function, "replaces"):
        return False
    if function is None or list(inspect.signature(function).parameters) != list(parameters):
        logging.warning("%s.%s is not as expected; it stays as it is", owner.__name__, name)
        return False
    return True


def replaces(original: Callable) -> Callable:
    """Marks what stands in for a function, with its name and text."""

    def mark(function: Callable) -> Callable:
        function.replaces = original
        return functools.wraps(original)(function)

    return mark
