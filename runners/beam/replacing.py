"""Replacing a function of a library: only where it is as expected, once, and marked.

Called by the modules that set Beam and TFT up for runs on this machine.
"""

import functools
import inspect
from collections.abc import Callable

from absl import logging

from pipeline.tested_versions import untested


def is_known(owner, name: str, *parameters: str) -> bool:
    """Whether a function is of a tested version, takes these parameters, and is the library's."""
    function = getattr(owner, name, None)
    if hasattr(function, "replaces"):
        return False
    if function is None or list(inspect.signature(function).parameters) != list(parameters):
        logging.warning("%s.%s is not as expected; it stays as it is", owner.__name__, name)
        return False
    if said := untested(owner.__name__ if not isinstance(owner, type) else owner.__module__):
        logging.warning("%s; %s.%s stays as it is", said, owner.__name__, name)
        return False
    return True


def replaces(original: Callable) -> Callable:
    """Marks what stands in for a function, with its name and text."""

    def mark(function: Callable) -> Callable:
        function.replaces = original
        return functools.wraps(original)(function)

    return mark
