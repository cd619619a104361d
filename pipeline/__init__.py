"""The graph and its settings, from the typed YAML file to the components in DAG order."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Gives artifact types when they are asked for, since their modules import TFX."""
    if name == "DataDecision":
        from pipeline.artifacts import DataDecision

        return DataDecision
    if name == "DataDrift":
        from pipeline.drift_artifact import DataDrift

        return DataDrift
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
