"""The project's packages: the one list, for setup.py, fingerprints, import contracts and tests.

Imports nothing of ours and nothing that has to be installed: setup.py runs this file by its path.
"""

from pathlib import Path

# From the ground up: each may import those above its line, and none below it.
PACKAGES = (
    "fareline",
    "preprocessing", "lineage", "schema", "data", "serving",
    "monitoring",
    "report", "models", "pipeline",
    "runners",
    "cli",
)  # fmt: skip
CHECKOUT = Path(__file__).resolve().parents[1]


def find_packages() -> list[str]:
    """Dotted names of the packages and of all packages below them, sorted."""
    files = [file for name in PACKAGES for file in (CHECKOUT / name).rglob("__init__.py")]
    return sorted(".".join(file.parent.relative_to(CHECKOUT).parts) for file in files)
