"""tuner_fn: a seeded search over the network's hyperparameters.

TFX's Tuner calls it by the dotted path `models.tuner.tuner_fn`. May import preprocessing.features
and TensorFlow, never pipeline, runners or an orchestrator.
"""

import keras
import keras_tuner
import tensorflow_transform as tft
from tfx.components.tuner.component import TunerFnResult

from models.hyperparameters import search_space
from models.input_data import prepare_head, read_for_fit
from models.network import build_model
from preprocessing.features import parse_features
from preprocessing.labels import parse_label


def tuner_fn(fn_args) -> TunerFnResult:
    """Prepares the search; TFX runs it and writes the best hyperparameters.

    Args:
        fn_args: `tfx.components.FnArgs`. `train_files` and `eval_files` as in the Trainer;
            `train_steps` the batches per trial; `custom_config` has `task`, `features`,
            `label`, `training`, `tuning` (`trials`, `search`), `seed`, and `weighting` where
            examples are weighed.

    Returns:
        A Bayesian search of `trials` trials for the best of what the task watches (models.heads),
        and its data.
    """
    config = fn_args.custom_config
    keras.utils.set_random_seed(config["seed"])
    features = parse_features(config["features"])
    label = parse_label(config["label"], config["task"])
    transform_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    head, _ = prepare_head(fn_args, transform_output, label)
    train, validate = read_for_fit(fn_args, transform_output, label, head, passes=None)
    tuner = keras_tuner.BayesianOptimization(
        lambda hyperparameters: build_model(
            features, hyperparameters, fn_args.train_steps, head, config["seed"]
        ),
        objective=keras_tuner.Objective(head.monitor, head.mode),
        max_trials=config["tuning"]["trials"],
        hyperparameters=search_space(config["tuning"]["search"]),
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
