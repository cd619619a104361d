"""Prints what Python loads of some packages with modules: `python -m tests.loaded_modules JSON`."""

import importlib
import json
import pkgutil
import sys

modules, packages = json.loads(sys.argv[1])
for name in modules:
    module = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
        importlib.import_module(found.name)
loaded = json.dumps([name for name in sys.modules if name.partition(".")[0] in packages])
sys.stdout.write(loaded + "\n")
