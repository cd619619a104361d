"""Rules about the section `gate` that one section cannot see.

Called by pipeline.rules.settings. Imports no TFX and no TensorFlow.
"""

from collections.abc import Collection, Iterator

from fareline.near import near_names
from pipeline.settings.settings import Settings
from preprocessing.labels import REGRESSION


def find_gate_mistakes(settings: Settings, columns: Collection[str] = ()) -> Iterator[str]:
    """Enough is demanded of splits, labels and slices that there are; no column is misspelt.

    Args:
        settings: Valid in themselves.
        columns: Columns of the schema. A rule may be about one that it lacks, or about a slice.
    """
    for index, rule in enumerate(settings.gate.rules):
        near = near_names(rule.column or "", columns, 1, 0.8)
        if near and rule.column not in columns and "=" not in rule.column:
            yield (
                f"gate.rules.{index}.column: no column {rule.column} in the schema; expected one "
                f"of its columns, or a new one. Hint: did you mean {near[0]}."
            )
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
