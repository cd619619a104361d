"""Rules about the section `gate` that one section cannot see.

Called by pipeline.checks. Imports no TFX and no TensorFlow.
"""

from collections.abc import Iterator

from pipeline.sections import Settings
from preprocessing.labels import REGRESSION


def find_gate_mistakes(settings: Settings) -> Iterator[str]:
    """Enough is demanded of splits, labels and slices that there are."""
    coverage = settings.gate.coverage
    splits = [name for name, _ in settings.data.splits.shares()]
    for where, split in coverage.splits():
        if split not in splits:
            yield (
                f"{where}: no split {split}; expected one of {', '.join(splits)}. Hint: "
                "data.splits names them."
            )
    if coverage.min_label_examples and settings.task == REGRESSION:
        yield (
            "gate.coverage.min_label_examples: a number has no labels to count; expected none with "
            "task regression. Hint: demand min_slice_examples of a bucketed column."
        )
    if coverage.min_slice_examples and not settings.evaluation.slices:
        yield (
            "gate.coverage.min_slice_examples: there are no slices; expected some in "
            "evaluation.slices. Hint: name the columns to slice by there."
        )
