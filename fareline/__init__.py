"""The lowest package: version, errors, files. Imports no other package of the project.

`fareline.open` is the entry point for Python programs. It is defined in `report.api`, a higher
package, and is imported from there by its dotted name on first use.
"""

from typing import Any

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    if name != "open":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fareline.start import import_ours

    return import_ours("report.api.workspace").open_workspace
