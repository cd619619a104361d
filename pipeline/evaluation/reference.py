"""A simple reference model: gradient boosting on the raw columns.

scikit-learn's, with its own defaults, trained on the split `train` and measured on `eval`, as the
network is. Called by the Evaluator, if the settings have `evaluation.reference`. Imports
scikit-learn on first use.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from data.reading.examples import read_columns
from fareline.errors import UserMistake
from monitoring.drift.samples import first_values
from preprocessing.features import parse_features
from preprocessing.labels import BINARY, MULTICLASS, Amount, Label, Share, parse_label

BOOSTING = "boosting"
MOST_ROWS = 500_000  # to learn from
_MOST_VALUES = 250  # of a category; scikit-learn takes 255


@dataclasses.dataclass(frozen=True)
class Rule:
    """The training task of the reference.

    Attributes:
        numbers: Columns that are numbers.
        categories: Columns that are categories.
        label: The rule.
        seed: Seed of the training.
    """

    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    label: Label
    seed: int

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> "Rule":
        """From `features`, `label`, `task` and `seed` of the settings."""
        features = parse_features(settings["features"])
        kinds: dict[str, bool] = {f.column: True for f in features.numeric}
        for feature in features.categories:
            kinds.setdefault(feature.column, feature.kind == "bucket")
        return cls(
            tuple(name for name, is_number in kinds.items() if is_number),
            tuple(name for name, is_number in kinds.items() if not is_number),
            parse_label(settings["label"], settings["task"]),
            int(settings["seed"]),
        )


def measure_boosting(
    train_files: Sequence[str], eval_files: Sequence[str], rule: Rule
) -> tuple[int, dict[str, float]]:
    """Trains on one split and measures on the other.

    Args:
        train_files: TFRecord files of tf.Examples.
        eval_files: Files of the eval split.
        rule: Label rule.

    Returns:
        Number of training rows; and metric to value, by the names of the settings.

    Raises:
        UserMistake: scikit-learn is not there, or the rows have too few labels.
    """
    try:
        from sklearn import ensemble
    except ImportError as error:
        raise UserMistake.explain(
            "evaluation.reference",
            "scikit-learn is not installed",
            "expected it for boosting",
            "pip install scikit-learn, or set evaluation.reference to null",
        ) from error
    codes: dict[str, dict[Any, int]] = {}
    inputs, labels = _read(train_files, rule, codes, MOST_ROWS)
    asked, truth = _read(eval_files, rule, codes, None)
    _require_labels(labels, truth)
    columns = len(rule.numbers)
    makers = {
        False: ensemble.HistGradientBoostingClassifier,
        True: ensemble.HistGradientBoostingRegressor,
    }
    is_amount = isinstance(rule.label, Amount)
    model = makers[is_amount](
        categorical_features=list(range(columns, inputs.shape[1])), random_state=rule.seed
    )
    log = is_amount and rule.label.log
    model.fit(inputs, np.log1p(labels) if log else labels)
    if is_amount:
        found = model.predict(asked)
        measured = _of_amounts(truth, np.expm1(found) if log else found)
    else:
        measured = _of_classes(truth, model.predict_proba(asked), model.classes_, rule.label)
    return len(labels), measured


def _require_labels(labels: np.ndarray, truth: np.ndarray) -> None:
    count = len(np.unique(labels))
    if count < 2 or not len(truth):
        raise UserMistake.explain(
            "evaluation.reference",
            f"{len(labels):,} rows to learn from hold {count} label{'s' * (count != 1)}, and "
            f"{len(truth):,} are judged",
            "expected two labels at least, and rows to judge",
            "set evaluation.reference to null",
        )


def _read(
    files: Sequence[str], rule: Rule, codes: dict[str, dict[Any, int]], most: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """float64 [rows, columns] and [rows], of the rows that have a label."""
    inputs, labels, rows = [], [], 0
    for batch in read_columns(files):
        label = _labels(batch, rule.label)
        known = np.isfinite(label)
        columns = [_numbers(batch, name, len(label)) for name in rule.numbers]
        columns += [
            _codes(batch, name, len(label), codes.setdefault(name, {}), most is not None)
            for name in rule.categories
        ]
        inputs.append(np.stack(columns, axis=1)[known])
        labels.append(label[known])
        rows += int(known.sum())
        if most is not None and rows >= most:
            break
    if not inputs:
        return np.empty((0, len(rule.numbers) + len(rule.categories))), np.empty(0)
    return np.concatenate(inputs), np.concatenate(labels)


def _firsts(batch: Mapping[str, pa.Array], name: str, rows: int) -> pa.Array:
    array = batch.get(name)
    return pa.nulls(rows) if array is None else first_values(array)


def _numbers(batch: Mapping[str, pa.Array], name: str, rows: int) -> np.ndarray:
    array = _firsts(batch, name, rows)
    if not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
        return np.full(rows, np.nan)
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _codes(
    batch: Mapping[str, pa.Array], name: str, rows: int, known: dict[Any, int], learn: bool
) -> np.ndarray:
    """A number for each value; NaN where it is missing, or new after the training."""
    found = np.full(rows, np.nan)
    for row, value in enumerate(_firsts(batch, name, rows).to_pylist()):
        if value is None:
            continue
        if learn and value not in known and len(known) < _MOST_VALUES:
            known[value] = len(known)
        found[row] = known.get(value, np.nan)
    return found


def _labels(batch: Mapping[str, pa.Array], label: Label) -> np.ndarray:
    """float64 [rows]: 0 and 1, the place of the class, or the number; NaN without a label."""
    rows = len(next(iter(batch.values()))) if batch else 0
    if isinstance(label, Share):
        value, reference = (
            np.nan_to_num(_numbers(batch, name, rows)).astype(np.float32) for name in label.columns
        )
        return label.exceeds(value, reference).astype(np.float64)
    if isinstance(label, Amount):
        values = _numbers(batch, label.column, rows)
        return np.where(values < 0, np.nan, values) if label.log else values
    place = {name: float(index) for index, name in enumerate(label.names)}
    values = _firsts(batch, label.column, rows).to_pylist()
    return np.array([place.get(label.name_of(_plain(value)), np.nan) for value in values])


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return value


def _of_amounts(truth: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    errors = answers - truth
    measured = {
        "rmse": float(np.sqrt(np.mean(errors**2))),
        "mae": float(np.abs(errors).mean()),
    }
    if truth.std() > 0 and answers.std() > 0:
        measured["r2"] = float(np.corrcoef(truth, answers)[0, 1] ** 2)
    return measured


def _of_classes(
    truth: np.ndarray, scores: np.ndarray, classes: Iterable[float], label: Label
) -> dict[str, float]:
    from sklearn import metrics

    all_scores = np.zeros((len(truth), len(label.names)))
    all_scores[:, np.asarray(list(classes), int)] = scores
    right = all_scores[np.arange(len(truth)), truth.astype(int)]
    measured = {"accuracy": float((all_scores.argmax(axis=1) == truth).mean())}
    if label.task == MULTICLASS:
        measured["log_loss"] = float(-np.log(np.maximum(right, 1e-15)).mean())
    elif label.task == BINARY and len(np.unique(truth)) == 2:
        measured["auc"] = float(metrics.roc_auc_score(truth, all_scores[:, 1]))
        measured["pr_auc"] = float(metrics.average_precision_score(truth, all_scores[:, 1]))
    return measured
