"""AUC of every kind of model on three seeds: `make bench ARGS="kinds WORKSPACE"`.

Searches and trains as Tuner and Trainer do, on the transformed taxi examples of a finished run, and
measures on the eval split, which neither of them sees. Beside them XGBoost alone, with parameters
that were chosen by hand, on the same columns and splits. Needs XGBoost (docs/models.md).
"""

import contextlib
import dataclasses
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_transform as tft
import xgboost
from sklearn.metrics import roc_auc_score

from models import trainer, tuner
from models.boosting import kind_in_xgboost, read_matrices
from models.heads import Head
from models.input_data import EVAL_BATCH_SIZE, prepare_head, read_batches
from models.kinds import BOOSTED_TREES, LINEAR, WIDE_DEEP
from pipeline.settings.load import load_settings
from pipeline.settings.settings import Settings
from preprocessing.features import parse_features
from preprocessing.labels import Label, parse_label

SEEDS = (20, 21, 22)
SECTIONS = ("task", "features", "label", "training", "seed")
# Of XGBoost alone.
BY_HAND = {
    "objective": "binary:logistic",
    "eval_metric": "auc",
    "tree_method": "hist",
    "eta": 0.05,
    "max_depth": 6,
    "subsample": 0.8,
    "colsample_bytree": 0.7,
}
ROUNDS, PATIENCE = 1000, 50


@dataclasses.dataclass(frozen=True)
class Data:
    """What Tuner and Trainer get of a finished run.

    Attributes:
        settings: Of the kind and the seed.
        arguments: As TFX's `FnArgs`.
        output: Transform's.
        label: The rule.
        head: Of the task.
        eval_files: Glob of the eval split.
    """

    settings: Settings
    arguments: types.SimpleNamespace
    output: tft.TFTransformOutput
    label: Label
    head: Head
    eval_files: str


@contextlib.contextmanager
def data_of(workspace: Path, kind: str, seed: int) -> Iterator[Data]:
    """Finds the examples of a finished run of the default settings."""
    settings = load_settings(overrides=[f"model.kind={kind}", f"seed={seed}"])
    transform = workspace / "artifacts" / "Transform"
    graph = max((transform / "transform_graph").iterdir(), key=lambda path: int(path.name))
    examples = transform / "transformed_examples" / graph.name
    config = settings.section(*SECTIONS) | {"model": {"kind": kind}}
    config["tuning"] = settings.search_section()
    with tempfile.TemporaryDirectory() as folder:
        arguments = types.SimpleNamespace(
            custom_config=config,
            transform_graph_path=str(graph),
            train_files=[str(examples / "Split-train" / "*")],
            eval_files=[str(examples / "Split-validate" / "*")],
            working_dir=folder,
            model_run_dir=folder,
        )
        output = tft.TFTransformOutput(str(graph))
        label = parse_label(config["label"], config["task"])
        head, _ = prepare_head(arguments, output, label)
        files = str(examples / "Split-eval" / "*")
        yield Data(settings, arguments, output, label, head, files)


def measure(workspace: Path, kind: str, seed: int) -> float:
    """Searches, trains and returns the AUC on the eval split.

    Args:
        workspace: Of a finished run of the default settings.
        kind: Of the model.
        seed: Of the search and the training.
    """
    with data_of(workspace, kind, seed) as data:
        arguments = data.arguments
        arguments.train_steps = data.settings.tuning.steps
        search = tuner.tuner_fn(arguments)
        search.tuner.search(**search.fit_kwargs)
        best = search.tuner.get_best_hyperparameters()[0]
        arguments.train_steps = data.settings.training.steps
        train = trainer.grow_trees if kind == BOOSTED_TREES else trainer.train_network
        model, _ = train(arguments, data.output, data.label, data.head, best)
    rows = read_batches([data.eval_files], data.output, data.label.output, EVAL_BATCH_SIZE)
    scored = [(model(inputs).numpy(), labels.numpy()) for inputs, labels in rows]
    scores, labels = (np.concatenate(each).ravel() for each in zip(*scored, strict=True))
    return float(roc_auc_score(labels, scores))


def measure_xgboost(workspace: Path, seed: int) -> float:
    """Trains XGBoost alone and returns the AUC on the eval split.

    Args:
        workspace: Of a finished run of the default settings.
        seed: Of the rows and columns that each tree is grown from.
    """
    with data_of(workspace, BOOSTED_TREES, seed) as data:
        features = parse_features(data.arguments.custom_config["features"])
        rest = (data.output, data.label, data.head, features)
        splits = [*read_matrices(data.arguments, *rest)]
        data.arguments.eval_files = [data.eval_files]
        splits.append(read_matrices(data.arguments, *rest)[1])
    kinds = ["q"] * len(features.numeric) + [kind_in_xgboost(f) for f in features.categories]
    train, validate, judge = (
        xgboost.DMatrix(x.values, label=x.target, feature_types=kinds, enable_categorical=True)
        for x in splits
    )
    booster = xgboost.train(
        {**BY_HAND, "seed": seed},
        train,
        ROUNDS,
        evals=[(validate, "validate")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    scores = booster.predict(judge, iteration_range=(0, booster.best_iteration + 1))
    return float(roc_auc_score(splits[2].target, scores))


def main(arguments: list[str]) -> None:
    """Prints a table in Markdown, for the workspace that is named."""
    workspace = Path(arguments[0])
    found = {
        f"`{kind}`": [measure(workspace, kind, seed) for seed in SEEDS]
        for kind in (WIDE_DEEP, LINEAR, BOOSTED_TREES)
    }
    found["XGBoost alone"] = [measure_xgboost(workspace, seed) for seed in SEEDS]
    names = [*(f"seed {seed}" for seed in SEEDS), "mean"]
    lines = [f"| kind | {' | '.join(names)} |", "| --- " * (1 + len(names)) + "|"]
    for kind, values in found.items():
        cells = [f"{value:.4f}" for value in (*values, np.mean(values))]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    sys.stderr.write("\n".join(lines) + "\n")
