"""A training that was stopped anywhere goes on and ends with the same weights, bit for bit."""

import json
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import checkpoints
from models.heads import BinaryHead
from models.network import build_model
from models.trainer import fit
from preprocessing.features import parse_features

FEATURES = parse_features({"numeric": {"fare": {}}, "bucketized": {"miles": 4}})
HYPERPARAMETERS = {
    "learning_rate": 0.05,
    "dropout": 0.3,
    "width": 8,
    "depth": 1,
    "embedding_size": 2,
}
EVALUATIONS, STEPS, BATCH = 6, 3, 8
ROWS = 28  # no whole number of batches: a border of passes lies within an evaluation


class Killed(Exception):
    """In place of a signal."""


class KillAfter(keras.callbacks.Callback):
    """Stops the process, as it were, in the middle of an evaluation or behind it."""

    def __init__(self, batches=None, evaluations=None):
        super().__init__()
        self.batches, self.evaluations = batches, evaluations

    def on_train_batch_end(self, batch, logs=None):
        if self.batches is not None and int(self.model.optimizer.iterations) >= self.batches:
            raise Killed

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.evaluations:
            raise Killed


@pytest.fixture(scope="module")
def tables():
    random = np.random.default_rng(3)
    rows = {
        "fare_scaled_xf": random.normal(size=(ROWS, 1)).astype(np.float32),
        "miles_bucket_xf": random.integers(0, 5, size=(ROWS, 1)),
    }
    label = (random.random((ROWS, 1)) < 0.4).astype(np.float32)
    table = tf.data.Dataset.from_tensor_slices((rows, label))

    def read_pass(seed):  # as models.input_data reads: another order each pass, by its number alone
        return table.shuffle(ROWS, seed=seed, reshuffle_each_iteration=False).batch(BATCH)

    return tf.data.Dataset.range(7, 1000).flat_map(read_pass), table.batch(BATCH)


@pytest.fixture(scope="module")
def data(tables):
    """The rows, and a network that `train` puts back to its first state: it is traced once."""
    model = build_model(FEATURES, HYPERPARAMETERS, STEPS, seed=5)
    variables = [*model.variables, *model.optimizer.variables]
    return tables, model, [(variable, variable.numpy()) for variable in variables]


def train(data, path=None, killer=None, patience=9, evaluations=EVALUATIONS):
    tables, model, first = data
    for variable, value in first:
        variable.assign(value)
    stopping = BinaryHead().early_stopping(patience)
    with pytest.MonkeyPatch.context() as patch:
        if killer is not None:
            whole_fit = model.fit
            patch.setattr(
                model,
                "fit",
                lambda *given, callbacks, **named: whole_fit(
                    *given, callbacks=[*callbacks, killer], **named
                ),
            )
            with pytest.raises(Killed):
                fit(model, tables, evaluations, STEPS, stopping, checkpoint=path)
            return None
        history = fit(model, tables, evaluations, STEPS, stopping, checkpoint=path)
    return types.SimpleNamespace(
        weights=[v.numpy().tobytes() for v in model.trainable_variables],
        history=history.history,
        best=stopping.best_epoch,
        stopped=stopping.stopped_epoch,
    )


@pytest.fixture(scope="module")
def whole(data):
    return train(data)


@pytest.fixture(autouse=True)
def always(monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)


def files(path):
    return sorted(file.name for file in path.parent.iterdir())


@pytest.mark.parametrize(
    "killers",
    [
        [{"batches": 1}, {"batches": 5}],  # nothing is kept yet, then the first evaluation
        [{"evaluations": 2}, {"batches": 13}],
        [{"evaluations": EVALUATIONS}],  # trained, and not exported
    ],
)
def test_it_ends_as_one_that_was_not_stopped(data, whole, tmp_path, killers):
    for execution, killer in enumerate(killers):
        train(data, str(tmp_path / "kept" / f"{execution}-key.npz"), KillAfter(**killer))
    last = tmp_path / "kept" / "99-key.npz"
    found = train(data, str(last))
    assert found.weights == whole.weights
    assert found.history == whole.history
    assert found.best == whole.best


def test_early_stopping_remembers_and_stays_stopped(data, tmp_path):
    whole = train(data, patience=1, evaluations=30)
    assert 0 < whole.stopped < 29
    path = str(tmp_path / "1-key.npz")
    for evaluations in (whole.stopped, whole.stopped + 1):  # with one to go, and none
        train(data, path, KillAfter(evaluations=evaluations), patience=1, evaluations=30)
    found = train(data, path, patience=1, evaluations=30)
    assert (found.weights, found.history) == (whole.weights, whole.history)
    assert found.best == whole.best


def test_only_one_of_the_same_key_is_gone_on_with_and_the_older_goes(data, whole, tmp_path):
    other, mine = tmp_path / "1-other.npz", tmp_path / "2-key.npz"
    train(data, str(other), KillAfter(evaluations=3))
    train(data, str(mine), KillAfter(evaluations=1))
    assert files(mine) == ["1-other.npz", "2-key.npz"]
    later = tmp_path / "3-key.npz"
    found = train(data, str(later))
    assert found.weights == whole.weights
    assert files(later) == ["1-other.npz", "3-key.npz"]


def test_what_cannot_be_read_is_begun_anew(data, whole, tmp_path):
    path = tmp_path / "1-key.npz"
    for place, content in enumerate((b"", b"no archive", b"PK\x03\x04")):
        (tmp_path / f"{place + 2}-key.npz").write_bytes(content)
    np.savez(path, state=np.array(json.dumps({})), model0=np.zeros((3, 3)))  # of another network
    assert train(data, str(path)).weights == whole.weights


def test_a_place_that_cannot_be_written_ends_no_training(data, whole, tmp_path):
    (tmp_path / "file").write_text("")
    assert train(data, str(tmp_path / "file" / "1-key.npz")).weights == whole.weights


def test_a_training_of_seconds_writes_nothing(data, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 60.0)
    train(data, str(tmp_path / "kept" / "1-key.npz"))
    assert not (tmp_path / "kept").exists()
