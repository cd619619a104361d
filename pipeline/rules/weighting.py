"""Rules about the section `weighting` that one section cannot see.

Called by pipeline.rules.settings. Imports no TFX and no TensorFlow.
"""

from collections.abc import Iterator, Sequence

from fareline.near import near_names
from pipeline.settings.settings import Settings
from preprocessing.labels import MULTICLASS, REGRESSION, parse_label

_MOST_NAMES = 10


def find_weighting_mistakes(settings: Settings) -> Iterator[str]:
    """Labels that there are weigh something, and a column that is nothing else."""
    yield from _unfit_columns(settings)
    weighting = settings.weighting
    by_label = {"classes": weighting.classes, "down_sample": weighting.down_sample}
    if settings.task == REGRESSION:
        for name in (name for name, given in by_label.items() if given):
            yield (
                f"weighting.{name}: a number has no labels; expected none with task regression. "
                "Hint: weighting.column can weigh examples."
            )
        return
    label = parse_label(settings.section("label")["label"], settings.task)
    named = "label.classes names them"
    if settings.task != MULTICLASS:
        named = "1 is what the rule in label is true of, 0 is the rest"
    for name, given in by_label.items():
        for unknown in sorted(set(given if isinstance(given, dict) else ()) - set(label.names)):
            near = near_names(unknown, label.names)
            hint = f"did you mean {near[0]}" if near else named
            yield (
                f"weighting.{name}: no label {unknown}; expected some of "
                f"{_enumerate(label.names)}. Hint: {hint}."
            )
    if isinstance(weighting.classes, dict):
        left = [name for name in label.names if weighting.classes.get(name, 1.0) > 0]
        if len(left) < 2:
            yield (
                f"weighting.classes: {len(left)} of {len(label.names)} labels weigh more than 0; "
                "expected at least 2. Hint: leave one out, and it weighs 1."
            )


def _enumerate(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _unfit_columns(settings: Settings) -> Iterator[str]:
    column = settings.weighting.column
    if column is None:
        return
    if column == settings.label.column:
        yield (
            f"weighting.column: {column} makes the label; expected a column of its own. "
            "Hint: weigh by another column, or by weighting.classes."
        )
    for where, feature in settings.features.columns():
        if feature == column:
            yield (
                f"weighting.column: {column} is a feature, {where}; expected a column that only "
                "weighs examples. Hint: remove it there, or weigh by another column."
            )
