"""The graph and its settings, from the typed YAML file to the components in DAG order."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Gives `DataDecision` when it is asked for, since its module imports TFX."""
    if name == "DataDecision":
        from pipeline.decision_artifact import DataDecision

        return DataDecision
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
