"""tuner_fn: a seeded search for the hyperparameters of a kind of model.

TFX's Tuner calls it by the dotted path `models.tuner.tuner_fn`. May import preprocessing.features
and TensorFlow, never pipeline, runners or an orchestrator.
"""

import keras
import keras_tuner
import tensorflow_transform as tft
from tfx.components.tuner.component import TunerFnResult

from models.boosting import TreeSearch, read_matrices, search_objective
from models.heads import Head
from models.hyperparameters import search_space
from models.input_data import prepare_head, read_for_fit
from models.kinds import BOOSTED_TREES, NETWORKS, kind_of
from preprocessing.features import parse_features
from preprocessing.labels import Label, parse_label


def tuner_fn(fn_args) -> TunerFnResult:
    """Prepares the search. TFX runs it and writes the best hyperparameters.

    Args:
        fn_args: `tfx.components.FnArgs`. `train_files` and `eval_files` as in the Trainer;
            `train_steps` the batches per trial; `custom_config` has `task`, `features`,
            `label`, `model`, `training`, `tuning` (`trials`, `search`), `seed`, and `weighting`
            if examples have weights.

    Returns:
        A Bayesian search with `trials` trials for the best value of the metric of the task
        (models.heads), and its data.
    """
    config = fn_args.custom_config
    keras.utils.set_random_seed(config["seed"])
    features = parse_features(config["features"])
    label = parse_label(config["label"], config["task"])
    transform_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    head, _ = prepare_head(fn_args, transform_output, label)
    if kind_of(config) == BOOSTED_TREES:
        return _search_trees(fn_args, transform_output, label, head)
    build = NETWORKS[kind_of(config)]
    train, validate = read_for_fit(fn_args, transform_output, label, head, passes=None)
    tuner = keras_tuner.BayesianOptimization(
        lambda hyperparameters: build(
            features, hyperparameters, fn_args.train_steps, head, config["seed"]
        ),
        objective=keras_tuner.Objective(head.monitor, head.mode),
        max_trials=config["tuning"]["trials"],
        hyperparameters=search_space(config["tuning"]["search"], kind_of(config)),
        tune_new_entries=False,
        seed=config["seed"],
        directory=fn_args.working_dir,
        project_name="search",
        overwrite=True,
    )
    fit_kwargs = {
        "x": train,
        "steps_per_epoch": fn_args.train_steps,
        "epochs": 1,
        "validation_data": validate,
        "verbose": 2,
    }
    return TunerFnResult(tuner=tuner, fit_kwargs=fit_kwargs)


def _search_trees(
    fn_args, transform_output: tft.TFTransformOutput, label: Label, head: Head
) -> TunerFnResult:
    """The search over boosted trees; the steps of a trial are its rounds."""
    config = fn_args.custom_config
    features, training = parse_features(config["features"]), config["training"]
    oracle = keras_tuner.oracles.BayesianOptimizationOracle(
        objective=search_objective(head),
        max_trials=config["tuning"]["trials"],
        hyperparameters=search_space(config["tuning"]["search"], BOOSTED_TREES),
        tune_new_entries=False,
        seed=config["seed"],
    )
    tuner = TreeSearch(
        oracle=oracle, directory=fn_args.working_dir, project_name="search", overwrite=True
    )
    growing = {
        "data": read_matrices(fn_args, transform_output, label, head, features),
        "features": features,
        "head": head,
        "rounds": fn_args.train_steps,
        "patience": training["patience"] * training["evaluate_every"],
        "seed": config["seed"],
    }
    return TunerFnResult(tuner=tuner, fit_kwargs=growing)
