"""AUC of every kind of model on three seeds: `make bench ARGS="kinds WORKSPACE"`.

Searches and trains as Tuner and Trainer do, on the transformed taxi examples of a finished run, and
measures on the eval split, which neither of them sees. Needs XGBoost (docs/models.md).
"""

import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import tensorflow_transform as tft
from sklearn.metrics import roc_auc_score

from models import trainer, tuner
from models.input_data import EVAL_BATCH_SIZE, prepare_head, read_batches
from models.kinds import BOOSTED_TREES, LINEAR, WIDE_DEEP
from pipeline.settings.load import load_settings
from preprocessing.labels import parse_label

SEEDS = (20, 21, 22)
SECTIONS = ("task", "features", "label", "training", "seed")


def measure(workspace: Path, kind: str, seed: int) -> float:
    """Searches, trains and returns the AUC on the eval split.

    Args:
        workspace: Of a finished run of the default settings.
        kind: Of the model.
        seed: Of the search and the training.
    """
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
            train_steps=settings.tuning.steps,
        )
        search = tuner.tuner_fn(arguments)
        search.tuner.search(**search.fit_kwargs)
        best = search.tuner.get_best_hyperparameters()[0]
        arguments.train_steps = settings.training.steps
        output = tft.TFTransformOutput(str(graph))
        label = parse_label(config["label"], config["task"])
        head, _ = prepare_head(arguments, output, label)
        train = trainer.grow_trees if kind == BOOSTED_TREES else trainer.train_network
        model, _ = train(arguments, output, label, head, best)
    rows = read_batches([str(examples / "Split-eval" / "*")], output, label.output, EVAL_BATCH_SIZE)
    scored = [(model(inputs).numpy(), labels.numpy()) for inputs, labels in rows]
    scores, labels = (np.concatenate(each).ravel() for each in zip(*scored, strict=True))
    return float(roc_auc_score(labels, scores))


def main(arguments: list[str]) -> None:
    """Prints a table in Markdown, for the workspace that is named."""
    workspace = Path(arguments[0])
    lines = [f"| kind | {' | '.join(f'seed {seed}' for seed in SEEDS)} |", "| --- " * 4 + "|"]
    for kind in (WIDE_DEEP, LINEAR, BOOSTED_TREES):
        found = [f"{measure(workspace, kind, seed):.4f}" for seed in SEEDS]
        lines.append(f"| `{kind}` | {' | '.join(found)} |")
    sys.stderr.write("\n".join(lines) + "\n")
