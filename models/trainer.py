"""run_fn: trains a model with the best hyperparameters and exports it.

TFX's Trainer calls it by the dotted path `models.trainer.run_fn`. May import preprocessing.features
and TensorFlow, never pipeline, runners or an orchestrator.
"""

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import keras
import keras_tuner
import tensorflow as tf
import tensorflow_transform as tft

from models.boosting import grow, read_matrices
from models.checkpoints import Checkpoint
from models.forest import Forest
from models.heads import Head
from models.hyperparameters import read_hyperparameters
from models.input_data import LabelSurvey, prepare_head, read_for_fit
from models.kinds import BOOSTED_TREES, NETWORKS, kind_of
from models.signatures import export_model
from models.warm_start import begin_with, table_rows
from preprocessing.features import parse_features
from preprocessing.labels import Label, parse_label
from preprocessing.weighting import parse_weighting


def run_fn(fn_args) -> None:
    """Trains until the steps are used up or the model stops improving, and exports it.

    Args:
        fn_args: `tfx.components.FnArgs`. `train_files` is the training split, `eval_files` the
            split that early stopping watches; `train_steps` the largest number of steps;
            `hyperparameters` the result of Tuner; `base_model`, if given, the SavedModel whose
            weights a network begins with; `custom_config` has `task`, `features`, `label`,
            `model`, `training`, `seed`, `weighting` if examples have weights, and `checkpoint`,
            the file from which a killed training resumes, if there may be one.

    Writes the SavedModel to `serving_model_dir`, and TensorBoard logs and `training.json` to
    `model_run_dir`.
    """
    config = fn_args.custom_config
    keras.utils.set_random_seed(config["seed"])
    transform_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    hyperparameters = read_hyperparameters(fn_args.hyperparameters)
    label = parse_label(config["label"], config["task"])
    head, labels = prepare_head(fn_args, transform_output, label)
    train = grow_trees if kind_of(config) == BOOSTED_TREES else train_network
    model, report = train(fn_args, transform_output, label, head, hyperparameters)
    report |= {"hyperparameters": dict(hyperparameters.values)}
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
        table_rows(parse_features(config["features"])),
    )


def train_network(
    fn_args,
    transform_output: tft.TFTransformOutput,
    label: Label,
    head: Head,
    hyperparameters: keras_tuner.HyperParameters,
) -> tuple[keras.Model, dict[str, Any]]:
    """Fits a network of the kind that the settings name.

    Returns:
        The model with its best weights, and the history of the training.
    """
    config = fn_args.custom_config
    epochs, every = divide_steps(fn_args.train_steps, config["training"]["evaluate_every"])
    build = NETWORKS[kind_of(config)]
    features = parse_features(config["features"])
    model = build(features, hyperparameters, every, head, config["seed"])
    earlier = getattr(fn_args, "base_model", None)
    warm = begin_with(model, earlier, transform_output, features) if earlier else None
    data = read_for_fit(fn_args, transform_output, label, head, passes=None)
    stopping = head.early_stopping(config["training"]["patience"])
    kept = config.get("checkpoint")
    history = fit(model, data, epochs, every, stopping, fn_args.model_run_dir, kept)
    report = describe_training(history, stopping, (epochs, every))
    return model, report | ({} if warm is None else {"warm_start": warm})


def grow_trees(
    fn_args,
    transform_output: tft.TFTransformOutput,
    label: Label,
    head: Head,
    hyperparameters: keras_tuner.HyperParameters,
) -> tuple[Forest, dict[str, Any]]:
    """Trains boosted trees. A step is a round, and each round is evaluated.

    Returns:
        The trees up to the best round, and the history of the training.
    """
    config = fn_args.custom_config
    features, training = parse_features(config["features"]), config["training"]
    grown = grow(
        read_matrices(fn_args, transform_output, label, head, features),
        features,
        head,
        hyperparameters.values,
        fn_args.train_steps,
        training["patience"] * training["evaluate_every"],
        config["seed"],
    )
    return grown.forest, {
        "evaluations": dict(grown.evaluations),
        "monitor": grown.monitor,
        "mode": head.mode,
        "planned": fn_args.train_steps,
        "steps_per_evaluation": 1,
        "best": grown.rounds - 1,
    }


def divide_steps(steps: int, evaluate_every: int) -> tuple[int, int]:
    """Divides the training into equal epochs.

    Args:
        steps: Largest number of batches.
        evaluate_every: Largest number of batches between evaluations.

    Returns:
        The number of epochs and the batches of each. Their product is `steps`, or smaller by less
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
    checkpoint: str | None = None,
) -> keras.callbacks.History:
    """Fits with early stopping, and restores the best weights.

    Args:
        model: The compiled model.
        data: Passes over the training data, repeated as needed, and the validation data, in
            batches.
        epochs: Largest number of evaluations.
        steps_per_epoch: Batches between evaluations.
        stopping: The watched metric and the patience (models.heads).
        log_dir: Folder of TensorBoard logs; None: no logs.
        checkpoint: File from which a killed training resumes; None: none is kept
            (models.checkpoints).

    Returns:
        Keras's history, one entry per evaluation.
    """
    train, validate = data
    callbacks: list[keras.callbacks.Callback] = [stopping]
    kept = Checkpoint(checkpoint, stopping) if checkpoint else None
    done = kept.restore(model, epochs) if kept else 0
    if kept:
        callbacks.append(kept)
    if log_dir:
        callbacks.append(keras.callbacks.TensorBoard(log_dir, write_graph=False))
    batches = train.repeat()
    history = model.fit(
        batches.skip(done * steps_per_epoch) if done else batches,
        steps_per_epoch=steps_per_epoch,
        initial_epoch=done,
        epochs=epochs,
        validation_data=validate,
        callbacks=callbacks,
        verbose=2,
    )
    if kept:
        history.history = kept.history
    return history


def describe_training(
    history: keras.callbacks.History,
    stopping: keras.callbacks.EarlyStopping,
    planned: tuple[int, int],
) -> dict[str, Any]:
    """Describes a finished training.

    Args:
        history: The history of Keras.
        stopping: The early stopping that was used.
        planned: Largest number of evaluations, and the batches before each.

    Returns:
        `evaluations`, each metric at each evaluation; `monitor` and `mode`, the watched metric and
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
    tf.io.gfile.makedirs(model_run_dir)
    path = os.path.join(model_run_dir, "training.json")
    with tf.io.gfile.GFile(path, "w") as file:
        json.dump(report, file, indent=1, sort_keys=True)
