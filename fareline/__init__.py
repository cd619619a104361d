"""What every room of the project stands on: the version and the errors. Imports nothing of ours.

`fareline.open` is the way in from Python. It stands in `report.api`, above this package, and is
found there by its dotted name when somebody asks for it.
"""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name != "open":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fareline.start import import_ours

    return import_ours("report.api.workspace").open_workspace
