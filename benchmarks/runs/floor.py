"""What the work of a run costs without TFX: the floor under `local_run`.

One script in one process: it reads the taxi trips with pyarrow, makes the features with NumPy,
searches and trains the same network with the same budgets, measures the AUC on the eval split and
exports the model. No components, no metadata, no statistics, no validation, no slices. NumPy draws
the splits and the search, so that figures differ from those of a run.

    make bench ARGS="floor"
"""

import argparse
import contextlib
import io
import tempfile
import time

import numpy as np
import pyarrow.compute as pc
from pyarrow import csv

SPLITS = {"train": 8, "validate": 2, "eval": 5}
VALIDATE_BATCH, SHUFFLED = 2048, 10_000


def read_columns(path: str) -> dict[str, np.ndarray]:
    """Reads every column: float64 with NaN for what is missing, or text with "" for it."""
    columns = {}
    table = csv.read_csv(path)
    for name in table.column_names:
        column = table.column(name)
        try:
            columns[name] = column.cast("float64").to_numpy()
        except ValueError:
            columns[name] = np.asarray(pc.fill_null(column, "").to_pylist())
    return columns


def make_features(columns, features, train: np.ndarray) -> dict[str, np.ndarray]:
    """Makes what Transform makes, from the training rows: float32 or int64 [rows, 1] by name."""
    made = {}
    for feature in features.numeric:
        values = columns[feature.column]
        values = np.log1p(np.maximum(values, 0)) if feature.log else values
        scaled = (values - np.nanmean(values[train])) / np.nanstd(values[train])
        made[feature.output] = np.nan_to_num(scaled).astype(np.float32)[:, None]
    for feature in features.categories:
        index = _INDEX[feature.kind](columns[feature.column], feature, train)
        made[feature.output] = index.astype(np.int64)[:, None]
    return made


def _bucket(values, feature, train):
    bounds = np.nanquantile(values[train], np.linspace(0, 1, feature.size + 1)[1:-1])
    return np.where(np.isnan(values), 0, np.searchsorted(bounds, values, side="right") + 1)


def _rank(values, feature, train):
    values = np.asarray(values, dtype=str)
    known, counts = np.unique(values[train & (values != "")], return_counts=True)
    top = known[np.argsort(-counts, kind="stable")][: feature.size]
    ranks = {"": 0} | {value: rank + 1 for rank, value in enumerate(top)}
    return np.array([ranks.get(value, len(top) + 1) for value in values])


def _category(values, feature, train):
    inside = (values >= 0) & (values < feature.size)
    index = np.where(inside, np.nan_to_num(values), feature.size) + 1
    return np.where(np.isnan(values), 0, index)


_INDEX = {"bucket": _bucket, "vocab": _rank, "category": _category}


def measure_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The share of pairs of a positive and a negative that are in order, by ranks."""
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(1, len(scores) + 1)
    positives = labels.sum()
    pairs = positives * (len(labels) - positives)
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / pairs)


class Stopwatch:
    """Prints seconds of processor time and of wall time, part by part."""

    def __init__(self):
        self._last = (0.0, time.monotonic())
        self._start = time.monotonic()

    def lap(self, part: str) -> None:
        """Ends a part."""
        now = (time.process_time(), time.monotonic())
        cpu, wall = (after - before for after, before in zip(now, self._last, strict=True))
        print(f"{part:12s} {cpu:6.2f} s processor {wall:6.2f} s wall")
        self._last = now

    def end(self) -> None:
        """Ends the last part."""
        wall = time.monotonic() - self._start
        print(f"{'total':12s} {time.process_time():6.2f} s processor {wall:6.2f} s wall")


def main(arguments: list[str]) -> None:
    """Does all of it, and prints what it took."""
    argparse.ArgumentParser(prog="python -m benchmarks floor", description=__doc__).parse_args(
        arguments
    )
    watch = Stopwatch()
    from fareline import collector

    with collector.paused():
        import keras
        import tensorflow as tf

        from data.taxi import taxi_csv_path
        from models.heads import BinaryHead
        from models.network import build_model
        from models.trainer import divide_steps, fit
        from pipeline.settings.load import load_settings
        from preprocessing.features import parse_features
    watch.lap("imports")

    settings = load_settings()
    columns = read_columns(str(taxi_csv_path()))
    generator = np.random.default_rng(settings.seed)
    shares = np.array(list(SPLITS.values())) / sum(SPLITS.values())
    split = generator.choice(list(SPLITS), len(columns["fare"]), p=shares)
    watch.lap("read")

    features = parse_features(settings.section("features")["features"])
    made = make_features(columns, features, split == "train")
    tips, fares = (np.nan_to_num(columns[name]) for name in ("tips", "fare"))
    labels = (tips > 0.2 * fares).astype(np.int64)[:, None]
    watch.lap("features")

    def read(name):
        rows = split == name
        inputs = {feature: values[rows] for feature, values in made.items()}
        return tf.data.Dataset.from_tensor_slices((inputs, labels[rows]))

    def data():
        train = read("train").shuffle(SHUFFLED, seed=settings.seed)
        batches = train.batch(settings.training.batch_size).prefetch(2)
        return batches, read("validate").batch(VALIDATE_BATCH).cache()

    keras.utils.set_random_seed(settings.seed)
    head, best = BinaryHead(), (-1.0, {})
    for _ in range(settings.tuning.trials):
        search = settings.section("tuning")["tuning"]["search"]
        drawn = {name: _draw(generator, name, values) for name, values in search.items()}
        model = build_model(features, drawn, settings.tuning.steps, head)
        train, validate = data()
        history = model.fit(
            train.repeat(),
            steps_per_epoch=settings.tuning.steps,
            validation_data=validate,
            verbose=0,
        )
        best = max(best, (history.history["val_auc"][-1], drawn), key=lambda each: each[0])
    watch.lap("search")

    epochs, every = divide_steps(settings.training.steps, settings.training.evaluate_every)
    model = build_model(features, best[1], every, head)
    with contextlib.redirect_stdout(io.StringIO()):  # a line for each epoch
        fit(model, data(), epochs, every, head.early_stopping(settings.training.patience))
    watch.lap("training")

    rows = split == "eval"
    scores = model.predict({n: v[rows] for n, v in made.items()}, VALIDATE_BATCH, verbose=0)
    print(f"auc {measure_auc(labels[rows].ravel(), scores.ravel()):.4f}")
    watch.lap("evaluation")
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
    watch.lap("export")
    watch.end()


def _draw(generator: np.random.Generator, name: str, values: list):
    if name == "learning_rate":  # a range, searched by its logarithm
        return float(np.exp(generator.uniform(*np.log(values))))
    if name == "dropout":
        return float(generator.uniform(*values))
    return int(generator.choice(values))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
