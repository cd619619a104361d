"""The `fareline` script, under a name of its own.

A package `fareline` of somebody else on PYTHONPATH comes before ours, and would be imported instead
of `fareline.start`, which secures our names. Ours is the one beside this file.
"""

import importlib
import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec


def main() -> None:
    """Entry point of the script."""
    spec = PathFinder.find_spec("fareline", [os.path.dirname(os.path.abspath(__file__))])
    sys.modules["fareline"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["fareline"])
    importlib.import_module("fareline.start").main()
