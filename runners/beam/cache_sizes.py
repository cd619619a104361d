"""Estimates the size of Beam's cached state without a walk through all modules per answer.

Beam measures all that it puts into the cache of a worker. Before each measurement objsize notes the
globals of all modules, of which TFX loads ten thousand, so as not to count them: 10 ms each time.
Here an object is looked at for that when it is met. Called by `runners.beam.engine`; imports Beam.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import objsize
from absl import logging
from apache_beam.runners.worker import statecache

from runners.beam.replacing import is_known, replaces

_USED = ("_size_func", "_get_referents_func", "_filter_func")


def measure_without_modules() -> None:
    """Replaces a function of Beam's; once per process.

    Where it is not as this module knows it, it stays as it is, and the log says so.
    """
    if not is_known(statecache, "get_deep_size", "objs"):
        return
    original = statecache.get_deep_size
    found = _measure_or(original)
    some = {"a": [1, "b"]}
    try:
        agrees = found(some) == original(some)
    except (AttributeError, TypeError):
        agrees = False
    if agrees:
        statecache.get_deep_size = found
    else:
        logging.warning("%s measures otherwise; it stays as it is", statecache.__name__)


def _measure_or(original: Callable) -> Callable:
    size, referents, measured = (getattr(statecache, name, None) for name in _USED)

    def counts(found: Any) -> bool:
        return measured(found) and not _is_of_a_module(found)

    @replaces(original)
    def get_deep_size(*objs: Any) -> int:
        return objsize.get_deep_size(
            *objs,
            get_size_func=size,
            get_referents_func=referents,
            filter_func=counts,
            exclude_modules_globals=False,
        )

    return get_deep_size


def _is_of_a_module(found: Any) -> bool:
    """Whether it is the globals of a module, or None, which is everyone's."""
    if found is None:
        return True
    if type(found) is not dict:
        return False
    name = found.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    return isinstance(module, ModuleType) and vars(module) is found
