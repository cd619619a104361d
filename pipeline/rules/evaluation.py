"""Rules for the section `evaluation`.

Imports neither TFX nor TensorFlow.
"""

from collections.abc import Collection, Iterator, Mapping

from fareline.near import near_names
from pipeline.settings.evaluation import Evaluation
from pipeline.settings.metrics import BY_NAME, metrics_of_task
from pipeline.settings.slicing import is_group_of, is_name_of

NUMBERS = ("int", "float")


def find_evaluation_mistakes(evaluation: Evaluation, task: str) -> Iterator[str]:
    """Applies the rules that need no schema."""
    yield from find_foreign_metrics(evaluation, task)
    yield from find_two_ways_of_slicing(evaluation)
    yield from find_unknown_slices(evaluation)


def find_foreign_metrics(evaluation: Evaluation, task: str) -> Iterator[str]:
    """All requirements are about metrics of the task.

    Of a slice, averages over the classes say little: a class that it lacks counts as all wrong.
    """
    judged = [m for m in metrics_of_task(task) if m.is_judged]
    for where, metric in evaluation.metrics_named():
        is_overall = where.startswith("evaluation.thresholds.")
        known = [m.name for m in judged if is_overall or m.average is None]
        if metric in BY_NAME and metric not in known:
            what = "no metric of slices" if metric in [m.name for m in judged] else "no metric"
            yield f"{where}: {what} of task {task}; expected one of {', '.join(known)}."


def find_two_ways_of_slicing(evaluation: Evaluation) -> Iterator[str]:
    """A column is sliced by in one way: names of slices would mean two things."""
    seen: dict[str, tuple[float, ...]] = {}
    for i, parts in enumerate(evaluation.columns_of_slices()):
        columns = [column for column, _ in parts]
        for column, boundaries in parts:
            if columns.count(column) > 1 or seen.setdefault(column, boundaries) != boundaries:
                yield (
                    f"evaluation.slices.{i}: {column} is sliced by in two ways; expected one. "
                    "Hint: use the same boundaries everywhere."
                )
                break


def find_unknown_slices(evaluation: Evaluation) -> Iterator[str]:
    """Slices with a threshold or a largest gap are in `evaluation.slices`."""
    groups = list(dict.fromkeys(evaluation.groups()))
    sliced = [[column for column, _ in parts] for parts in evaluation.columns_of_slices()]
    expected = f"expected one of {', '.join(map(repr, groups))}" if groups else "expected none"
    for name in evaluation.slice_thresholds:
        if not any(is_name_of(name, columns) for columns in sliced):
            near = near_names(name.partition("=")[0], groups)
            hint = f"did you mean {near[0]}" if near else "add it to evaluation.slices"
            yield (
                f"evaluation.slice_thresholds.{name}: no such slices; {expected}, or one slice of "
                f"them such as NAME=VALUE. Hint: {hint}."
            )
    for metric, limits in evaluation.max_gap.items() if evaluation.max_gap else ():
        for name in limits:
            if not any(is_group_of(name, columns) for columns in sliced):
                yield (
                    f"evaluation.max_gap.{metric}.{name}: no such slices; {expected}. "
                    "Hint: a gap is between all slices by the same columns."
                )


def find_mistakes_of_own_slices(
    evaluation: Evaluation, own: Collection[str], columns: Collection[str]
) -> Iterator[str]:
    """What a function of `code.slices` computes is no column, and has no boundaries."""
    for name in own:
        if name in columns:
            yield (
                f"code.slices.{name}: the data has a column {name}; expected another name. "
                "Hint: rename the slice."
            )
    for i, parts in enumerate(evaluation.columns_of_slices()):
        for column, boundaries in parts:
            if column in own and boundaries:
                yield (
                    f"evaluation.slices.{i}: {column} is computed by code.slices, and has "
                    "boundaries; expected none. Hint: let the function name the buckets."
                )


def find_bucketed_texts(evaluation: Evaluation, types: Mapping[str, str]) -> Iterator[str]:
    """Columns that are sliced in buckets are numbers."""
    for i, parts in enumerate(evaluation.columns_of_slices()):
        for column, boundaries in parts:
            if boundaries and types.get(column, NUMBERS[0]) not in NUMBERS:
                yield (
                    f"evaluation.slices.{i}: {column} is {types[column]} in the schema; expected "
                    "a number. Hint: slice by its values, without boundaries."
                )
