"""Thresholds that a model has to exceed: scores of constant answers, measured on the table.

Called by `pipeline.proposal.text`.
"""

import dataclasses
import math

import numpy as np

from data.profile.target import BINARY, MULTICLASS, Target

_EVAL_SHARE = 5 / 15  # of the rows, by the default splits


@dataclasses.dataclass(frozen=True)
class Threshold:
    """A bound on a metric, and where it comes from.

    Attributes:
        metric: Its name in the settings.
        bounds: Thresholds, as YAML on one line.
        why: The figure of an answer without a model.
    """

    metric: str
    bounds: str
    why: str


def rows_to_judge(target: Target) -> float:
    """About how many labelled rows the eval split has."""
    return target.labelled * _EVAL_SHARE


def propose_thresholds(target: Target) -> list[Threshold]:
    """Bounds that constant answers do not reach."""
    if target.task == BINARY:
        return _of_two(target)
    if target.task == MULTICLASS:
        return [_of_classes(target)]
    return [_of_numbers(target)]


def _of_two(target: Target) -> list[Threshold]:
    rows, share = rows_to_judge(target), target.shares[0]
    ones, zeros = max(rows * share, 1.0), max(rows * (1 - share), 1.0)
    # Of Mann and Whitney's statistic where labels and scores have nothing to do with each other.
    error = math.sqrt((ones + zeros + 1) / (12 * ones * zeros))
    least = min(round(0.5 + 2 * error, 3), 0.7)
    found = [
        Threshold(
            "auc",
            f"{{at_least: {least}, at_most_below_baseline: 0.01}}",
            f"always the same answer: 0.5; a random model passes {least} in 2 of 100 runs",
        )
    ]
    if target.is_imbalanced:
        found.append(
            Threshold(
                "pr_auc",
                f"{{at_least: {round(share, 4)}}}",
                f"always the same answer: {share:.4f}, the share of {target.values[0]!r}",
            )
        )
    return found


def _of_classes(target: Target) -> Threshold:
    most = int(np.argmax(target.shares))
    share = target.shares[most]
    return Threshold(
        "accuracy",
        f"{{at_least: {round(share, 3)}, at_most_below_baseline: 0.02}}",
        f"always {target.values[most]!r}, the most frequent: {share:.3f}",
    )


def _of_numbers(target: Target) -> Threshold:
    known = target.codes[~np.isnan(target.codes)]
    if target.has_tail:
        middle = float(np.median(known))
        error = float(np.abs(known - middle).mean())
        return Threshold(
            "mae",
            f"{{at_most: {_short(error)}, at_most_above_baseline: {_short(error / 20)}}}",
            f"always the median, {middle:.6g}: {error:.6g}",
        )
    error = target.deviation
    return Threshold(
        "rmse",
        f"{{at_most: {_short(error)}, at_most_above_baseline: {_short(error / 20)}}}",
        f"always the mean, {target.mean:.6g}: {error:.6g}",
    )


def _short(number: float) -> str:
    """Four digits, in a form that YAML reads as a number."""
    text = f"{number:.4g}"
    return text if "e" not in text else f"{number:.4e}".replace("e+", "e+")
