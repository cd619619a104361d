"""Resumes a killed training at its last checkpoint, with identical final weights, bit for bit.

A checkpoint at an evaluation has everything that determines the further training: weights, state of
the optimizer and of dropout, state of early stopping, and the number of batches. The order of rows
depends only on the seed and the pass (models.input_data), so the training skips this number of
batches. Called by models.trainer. Must not import pipeline, runners or an orchestrator.
"""

import json
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from absl import logging

from fareline.files import written_beside

EVERY_SECONDS = 5.0  # at most so often: a training of seconds pays nothing
SHARE = 0.05  # of the time, at most, for writing where that takes long
_STOPPING = ("wait", "best", "best_epoch", "stopped_epoch")


class Checkpoint(keras.callbacks.Callback):
    """Keeps the state of a training in a file; has to stand behind early stopping.

    Args:
        path: Path of the file, `EXECUTION-KEY.npz`; one of another execution beside it with the
            same key is of a killed one, and is gone on with.
        stopping: Early stopping; its best weights are restored at the end.
    """

    def __init__(self, path: str, stopping: keras.callbacks.EarlyStopping):
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self._path, self._stopping = Path(path), stopping
        self._kept: dict[str, np.ndarray] = {}
        self._state: dict[str, Any] = {}
        self._next = time.monotonic() + EVERY_SECONDS

    def restore(self, model: keras.Model, epochs: int) -> int:
        """Restores a matching checkpoint; returns the number of its evaluations, or 0.

        Args:
            model: Compiled; gets the weights and the state of its optimizer.
            epochs: Evaluations at most; all of them where early stopping had stopped it.
        """
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        for file in self._of_this_key():
            try:
                with np.load(file, allow_pickle=False) as kept:
                    arrays = {name: kept[name] for name in kept.files}
                state = json.loads(str(arrays.pop("state")))
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
                logging.warning("%s: no checkpoint that can be read (%s)", file, error)
                continue
            if not _fits(arrays, model):
                logging.warning("%s: a checkpoint of another network", file)
                continue
            for name, variable in _variables(model).items():
                variable.assign(arrays[name])
            self._kept, self._state, self.history = arrays, state, state["history"]
            logging.info("goes on after evaluation %d, from %s", state["done"], file)
            return epochs if state["stopped"] else state["done"]
        return 0

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Restores the state of early stopping, which has been reset."""
        if not self._state:
            return
        for name in _STOPPING:
            setattr(self._stopping, name, self._state[name])
        best = sorted((n for n in self._kept if n.startswith("best")), key=lambda n: int(n[4:]))
        self._stopping.best_weights = [self._kept[name] for name in best] or None
        self._kept = {}

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Notes the evaluation, and saves the state if the last save was long ago."""
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        began = time.monotonic()
        if began < self._next:
            return
        try:
            self._keep(epoch + 1)
        except OSError as error:  # such as a full disk: no reason to end a training
            logging.warning("%s: no checkpoint is kept (%s)", self._path, error)
        took = time.monotonic() - began
        self._next = began + max(EVERY_SECONDS, took / SHARE)

    def _keep(self, done: int) -> None:
        best = self._stopping.best_weights or []
        state = {name: getattr(self._stopping, name) for name in _STOPPING}
        state["best"] = None if state["best"] is None else float(state["best"])
        state |= {"done": done, "stopped": self.model.stop_training, "history": self.history}
        arrays = {name: variable.numpy() for name, variable in _variables(self.model).items()}
        arrays |= {f"best{place}": weights for place, weights in enumerate(best)}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(self._path) as part, open(part, "wb") as file:
            np.savez(file, state=np.array(json.dumps(state)), **arrays)
        for file in self._of_this_key():
            if file != self._path:
                file.unlink(missing_ok=True)

    def _of_this_key(self) -> list[Path]:
        """The newest first."""
        found = self._path.parent.glob(f"*-{self._path.name.partition('-')[2]}")
        return sorted(found, key=lambda file: file.stat().st_mtime, reverse=True)


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    """All that training changes, by names that stay while the code does."""
    parts = {"model": model.variables, "optimizer": model.optimizer.variables}
    return {f"{part}{i}": each for part, found in parts.items() for i, each in enumerate(found)}


def _fits(arrays: Mapping[str, np.ndarray], model: keras.Model) -> bool:
    wanted = {name: tuple(variable.shape) for name, variable in _variables(model).items()}
    return wanted == {n: a.shape for n, a in arrays.items() if not n.startswith("best")}
