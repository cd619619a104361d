"""run_fn: trains the network with the best hyperparameters and exports it.

TFX's Trainer calls it by the dotted path `models.trainer.run_fn`. May import preprocessing.features
and TensorFlow, never pipeline, runners or an orchestrator.
"""

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from models.hyperparameters import read_hyperparameters
from models.input_data import LabelSurvey, prepare_head, read_for_fit
from models.network import build_model
from models.signatures import export_model
from preprocessing.features import parse_features
from preprocessing.labels import parse_label
from preprocessing.weighting import parse_weighting


def run_fn(fn_args) -> None:
    """Trains until the steps are used up or it stops getting better, and exports.

    Args:
        fn_args: `tfx.components.FnArgs`. `train_files` is the training split, `eval_files` the
            split that early stopping watches; `train_steps` the most steps; `hyperparameters`
            what Tuner found; `custom_config` has `task`, `features`, `label`, `training`, `seed`,
            and `weighting` where examples are weighed.

    Writes the SavedModel to `serving_model_dir`, and TensorBoard logs and `training.json` to
    `model_run_dir`.
    """
    config = fn_args.custom_config
    keras.utils.set_random_seed(config["seed"])
    transform_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    hyperparameters = read_hyperparameters(fn_args.hyperparameters)
    training = config["training"]
    epochs, every = divide_steps(fn_args.train_steps, training["evaluate_every"])
    label = parse_label(config["label"], config["task"])
    head, labels = prepare_head(fn_args, transform_output, label)
    features = parse_features(config["features"])
    model = build_model(features, hyperparameters, every, head, config["seed"])
    data = read_for_fit(fn_args, transform_output, label, head, passes=None)
    stopping = head.early_stopping(training["patience"])
    history = fit(model, data, epochs, every, stopping, fn_args.model_run_dir)

    report = describe_training(history, stopping, (epochs, every)) | {
        "hyperparameters": dict(hyperparameters.values)
    }
    _write_training_report(report, labels, fn_args.model_run_dir)
    weighting = parse_weighting(config.get("weighting"))
    export_model(
        model,
        transform_output,
        label.column,
        fn_args.serving_model_dir,
        head,
        weighting.column if weighting else None,
        label.some_value,
    )


def divide_steps(steps: int, evaluate_every: int) -> tuple[int, int]:
    """Divides the training into equal epochs.

    Args:
        steps: Batches at most.
        evaluate_every: Batches between evaluations, at most.

    Returns:
        The number of epochs and the batches of each; their product is `steps`, or less by fewer
        than one batch per epoch.
    """
    epochs = math.ceil(steps / evaluate_every)
    return epochs, steps // epochs


def fit(
    model: keras.Model,
    data: tuple[tf.data.Dataset, tf.data.Dataset],
    epochs: int,
    steps_per_epoch: int,
    stopping: keras.callbacks.EarlyStopping,
    log_dir: str | None = None,
) -> keras.callbacks.History:
    """Fits with early stopping; the best weights are restored.

    Args:
        model: Compiled.
        data: Passes over the training data, repeated as needed, and the validation data, in
            batches.
        epochs: Evaluations at most.
        steps_per_epoch: Batches between evaluations.
        stopping: What is watched, and for how long (models.heads).
        log_dir: Where TensorBoard logs go, if anywhere.

    Returns:
        Keras's history, one entry per evaluation.
    """
    train, validate = data
    callbacks: list[keras.callbacks.Callback] = [stopping]
    if log_dir:
        callbacks.append(keras.callbacks.TensorBoard(log_dir, write_graph=False))
    return model.fit(
        train.repeat(),
        steps_per_epoch=steps_per_epoch,
        epochs=epochs,
        validation_data=validate,
        callbacks=callbacks,
        verbose=2,
    )


def describe_training(
    history: keras.callbacks.History,
    stopping: keras.callbacks.EarlyStopping,
    planned: tuple[int, int],
) -> dict[str, Any]:
    """Describes how a training went.

    Args:
        history: Of Keras.
        stopping: Which watched it.
        planned: Evaluations at most, and the batches before each.

    Returns:
        `evaluations`, each metric at each evaluation; `monitor` and `mode`, what was watched and
        whether `max` or `min` is better; `planned` and `steps_per_evaluation`; `best`, the
        evaluation whose weights were kept, from 0.
    """
    evaluations, steps = planned
    return {
        "evaluations": {k: [float(v) for v in vs] for k, vs in history.history.items()},
        "monitor": stopping.monitor,
        "mode": stopping.mode,
        "planned": evaluations,
        "steps_per_evaluation": steps,
        "best": int(stopping.best_epoch),
    }


def _write_training_report(
    report: dict[str, Any],
    labels: Mapping[str, LabelSurvey],
    model_run_dir: str,
) -> None:
    """Writes what was trained and how it went, readable without TensorBoard."""
    if labels:
        report["labels"] = {
            split: {"rows": seen.rows, "without_label": seen.rows - seen.labelled}
            | ({} if seen.kept is None else {"learned_from": seen.kept})
            for split, seen in labels.items()
        }
    path = os.path.join(model_run_dir, "training.json")
    with tf.io.gfile.GFile(path, "w") as file:
        json.dump(report, file, indent=1, sort_keys=True)
