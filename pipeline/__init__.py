"""The graph and its settings, from the typed YAML file to the components in DAG order."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Gives artifact types when they are asked for, since their module imports TFX."""
    if name in ("DataDecision", "DataDrift"):
        from pipeline import artifacts

        return getattr(artifacts, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
