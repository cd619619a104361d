"""The scripts `fareline` and `fareline-beam-worker`, under a name of their own.

A package `fareline` of somebody else on PYTHONPATH comes before ours, and would be imported instead
of `fareline.start`, which secures our names. Ours is the one beside this file.
"""

import importlib
import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import ModuleType


def main() -> None:
    """Entry point of the `fareline` script."""
    _start().main()


def work() -> None:
    """Entry point of the `fareline-beam-worker` script, which Beam engines start."""
    _start().work()


def _start() -> ModuleType:
    spec = PathFinder.find_spec("fareline", [os.path.dirname(os.path.abspath(__file__))])
    sys.modules["fareline"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["fareline"])
    return importlib.import_module("fareline.start")
