"""The defaults that depend on the task; other defaults are beside their setting, in this folder.

`name`, `data.source`, `label` and `features` are enough of a settings file. `fareline settings`
prints what the others are then. Called by pipeline.settings.settings. Standard library only.
"""

from collections.abc import Mapping
from typing import Any

from preprocessing.labels import BINARY, MULTICLASS, REGRESSION


def with_defaults(values: Any) -> Any:
    """Settings as they were written, with a task and thresholds where they name none.

    Args:
        values: From the file; what is no mapping is left to the validation.
    """
    if not isinstance(values, Mapping):
        return values
    values = dict(values)
    label = values.get("label")
    values.setdefault("task", task_of(label if isinstance(label, Mapping) else {}))
    evaluation = values.get("evaluation", {})
    if isinstance(evaluation, Mapping) and "thresholds" not in evaluation:
        thresholds = thresholds_of(values["task"], label if isinstance(label, Mapping) else {})
        values["evaluation"] = {**evaluation, "thresholds": thresholds}
    return values


def task_of(label: Mapping[str, Any]) -> str:
    """The task of a label that names none: classes, an amount with a logarithm, else 0 and 1."""
    if label.get("classes") is not None:
        return MULTICLASS
    return REGRESSION if label.get("log") is not None else BINARY


def thresholds_of(task: Any, label: Mapping[str, Any]) -> dict[str, Any]:
    """Better than a guess, and not much worse than the model before.

    Args:
        task: Task, as it was written.
        label: Label, as it was written.
    """
    if task == MULTICLASS:
        classes = label.get("classes")
        count = len(classes) if isinstance(classes, list) and classes else 1
        guess = round(1 / count, 4)
        return {"accuracy": {"at_least": guess, "at_most_below_baseline": 0.01}}
    if task == REGRESSION:
        return {"r2": {"at_least": 0.0, "at_most_below_baseline": 0.01}}
    return {"auc": {"at_least": 0.5, "at_most_below_baseline": 0.005}}
