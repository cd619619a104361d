"""Boosted trees: grown by XGBoost on the transformed examples, exported as plain tensors.

Called by models.trainer and models.tuner where `model.kind` is `boosted_trees`. XGBoost, an extra,
is imported inside the functions. Must not import pipeline, runners or an orchestrator.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from models.forest import Forest
from models.heads import Head
from models.input_data import EVAL_BATCH_SIZE, example_weight_of, read_batches
from preprocessing.features import Categories, Features
from preprocessing.labels import Label

# Objective of XGBoost, and what it measures, by the activation of the head. The last metric is what
# early stopping watches; names as Keras has them in the report.
_TASKS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "sigmoid": ("binary:logistic", {"logloss": "loss", "auc": "auc"}),
    "softmax": ("multi:softprob", {"merror": "error", "mlogloss": "loss"}),
    "linear": ("reg:squarederror", {"mae": "mae", "rmse": "rmse"}),
}
_DIFFERENCE = 1e-4  # of an answer of the exported trees from XGBoost's, which is about 1e-7


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Rows of a split.

    Attributes:
        values: float32 [rows, columns].
        target: Target values, [rows].
        weights: Weights of the rows; None: all the same.
    """

    values: np.ndarray
    target: np.ndarray
    weights: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Grown:
    """A trained booster.

    Attributes:
        forest: Trees of the best rounds, as tensors.
        evaluations: Metric to its value after each round.
        monitor: The one that was watched.
        rounds: Number of kept rounds.
    """

    forest: Forest
    evaluations: Mapping[str, Sequence[float]]
    monitor: str
    rounds: int

    @property
    def best(self) -> float:
        """The watched value of the round that was kept."""
        return self.evaluations[self.monitor][self.rounds - 1]


def read_matrices(
    fn_args, transform_output: tft.TFTransformOutput, label: Label, head: Head, features: Features
) -> tuple[Matrix, Matrix]:
    """Reads the two splits whole, in the order of the files: trees see all rows at once.

    Args:
        fn_args: Fn args, as `models.input_data.read_for_fit`.
        transform_output: Knows the feature spec of the transformed examples.
        label: The rule.
        head: Says what is learned from a label.
        features: The columns, in the order of the matrix.
    """
    names = {"label": label.output, "weight": label.weight_output}
    found = []
    for files, weight in (
        (fn_args.train_files, example_weight_of(fn_args)),
        (fn_args.eval_files, None),
    ):
        batches = read_batches(
            files, transform_output, batch_size=EVAL_BATCH_SIZE, example_weight=weight, **names
        )
        parts = [
            (_stacked(inputs, features), head.to_target(target).numpy()[:, 0], *weights)
            for inputs, target, *weights in batches
        ]
        values, target, *weights = (np.concatenate(column) for column in zip(*parts, strict=True))
        found.append(Matrix(values, target, *weights))
    return found[0], found[1]


def columns_of(features: Features) -> list[str]:
    """Transformed names in the order of the matrix."""
    return [f.output for f in (*features.numeric, *features.categories)]


def grow(
    data: tuple[Matrix, Matrix],
    features: Features,
    head: Head,
    hyperparameters: Mapping[str, Any],
    rounds: int,
    patience: int,
    seed: int,
) -> Grown:
    """Trains until all rounds are done or the validation metric stops improving.

    Args:
        data: To learn from, and to watch.
        features: The columns.
        head: Parts that depend on the task.
        hyperparameters: By XGBoost's names.
        rounds: Largest number of rounds.
        patience: Rounds without a better one after which it stops.
        seed: Seed for the choice of rows and columns of each tree.

    Raises:
        ValueError: The exported trees answer otherwise than XGBoost.
    """
    import xgboost

    objective, metrics = _TASKS[head.activation]
    several = {"num_class": head.units} if head.units > 1 else {}
    kinds = ["q"] * len(features.numeric) + [kind_in_xgboost(f) for f in features.categories]
    train, validate = (
        xgboost.DMatrix(
            each.values,
            label=each.target,
            weight=each.weights,
            feature_types=kinds,
            enable_categorical=True,
        )
        for each in data
    )
    history: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        {
            "objective": objective,
            "eval_metric": list(metrics),
            "tree_method": "hist",
            "seed": seed,
            **hyperparameters,
            **several,
        },
        train,
        rounds,
        evals=[(train, ""), (validate, "val_")],
        evals_result=history,
        early_stopping_rounds=patience,
        verbose_eval=False,
    )
    kept = booster.best_iteration + 1
    columns = columns_of(features)
    cuts = {name: np.unique(data[0].values[:, place]) for place, name in enumerate(columns)}
    model = json.loads(bytes(booster.save_raw("json")))
    parts = (model, columns, kept, head.units, head.activation)
    # With XGBoost's own thresholds: a row between two training values may fall otherwise later.
    _require_alike(booster, validate, data[1], Forest(*parts), columns)
    evaluations = {
        f"{split}{metrics[name]}": values
        for split, found in history.items()
        for name, values in found.items()
    }
    return Grown(Forest(*parts, cuts), evaluations, f"val_{list(metrics.values())[-1]}", kept)


class TreeSearch(keras_tuner.Tuner):
    """A search of KerasTuner whose trials grow trees; `search` is given what `grow` takes."""

    def run_trial(self, trial, **growing) -> dict[str, float]:
        """Grows the trees of one trial and returns their score."""
        grown = grow(hyperparameters=trial.hyperparameters.values, **growing)
        return {self.oracle.objective.name: grown.best}


def search_objective(head: Head) -> keras_tuner.Objective:
    """The metric of trials and of early stopping."""
    monitor = f"val_{list(_TASKS[head.activation][1].values())[-1]}"
    return keras_tuner.Objective(monitor, head.mode)


def kind_in_xgboost(feature: Categories) -> str:
    """Buckets have an order, which splits use; other categories are in a set or not."""
    return "q" if feature.kind == "bucket" else "c"


def _stacked(inputs: Mapping[str, tf.Tensor], features: Features) -> np.ndarray:
    names = columns_of(features)
    return np.concatenate([inputs[name].numpy().astype(np.float32) for name in names], axis=1)


def _require_alike(booster, matrix, rows: Matrix, forest: Forest, columns: Sequence[str]) -> None:
    """Refuses trees that answer otherwise than those that were trained.

    Raises:
        ValueError: They do; another version of XGBoost writes them in another way.
    """
    limit = (0, forest.rounds)
    wanted = booster.predict(matrix, iteration_range=limit).reshape(len(rows.values), -1)
    inputs = {name: rows.values[:, place, None] for place, name in enumerate(columns)}
    found = forest(inputs).numpy()
    worst = float(np.abs(found - wanted).max())
    if not worst <= _DIFFERENCE:
        raise ValueError(
            f"the exported trees differ from XGBoost's by {worst:.2g}; expected at most "
            f"{_DIFFERENCE:.2g}. Hint: take a version of XGBoost that setup.py names."
        )
