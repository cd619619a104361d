"""Starts a network with the weights of an earlier one, read from its SavedModel.

Called by models.trainer where TFX's `base_model` is given (`training.warm_start` in the settings).
Must not import pipeline, runners or an orchestrator.
"""

import dataclasses
import json
import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from models.signatures import name_variables
from preprocessing.features import Categories, Features

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
# The tables of models.network and models.linear that have a row for each category.
_TABLES = ("embeddings/embeddings", "wide/embeddings", "category_weights/embeddings")
_NO_ROW = -1


def begin_with(
    model: keras.Model,
    earlier_dir: str,
    transform_output: tft.TFTransformOutput,
    features: Features,
) -> dict[str, Any]:
    """Sets the weights that have the same name and shape in an earlier model.

    In the tables each category has rows of its own, and those of a vocabulary go by its words,
    which may stand elsewhere in the new one.

    Args:
        model: Built.
        earlier_dir: SavedModel of the earlier one.
        transform_output: Transform output of the new one.
        features: Features of the new one.

    Returns:
        `taken`, the names of the weights that were set; `left`, name to why not, of the others,
        and of categories and words that the earlier model did not have.
    """
    reader = tf.train.load_checkpoint(os.path.join(earlier_dir, "variables", "variables"))
    shapes = reader.get_variable_to_shape_map()
    rows = _Rows.find(reader, shapes, earlier_dir, transform_output, features)
    taken: list[str] = []
    left = dict(rows.left)
    for name, variable in name_variables(model.trainable_variables).items():
        key = f"weights/{_escaped(name)}{_VALUE}"
        is_table = name in _TABLES
        wanted, found = tuple(variable.shape), tuple(shapes.get(key, ()))
        if key not in shapes:
            left[name] = "none of that name"
        elif wanted[is_table:] != found[is_table:]:
            left[name] = f"{_of_shape(found)} there, {_of_shape(wanted)} here"
        else:
            value = reader.get_tensor(key)
            variable.assign(rows.taken(value, variable.numpy()) if is_table else value)
            taken.append(name)
    return {"taken": taken, "left": left}


def table_rows(features: Features) -> dict[str, tuple[int, int]]:
    """Category to the first of its rows in the tables, and how many it has."""
    found, first = {}, 0
    for feature in features.categories:
        found[feature.output] = (first, feature.index_count)
        first += feature.index_count
    return found


@dataclasses.dataclass(frozen=True)
class _Rows:
    """For each row of a table the one that it had; and what had none, with the reason."""

    rows: np.ndarray
    left: dict[str, str]

    @classmethod
    def find(
        cls,
        reader,
        shapes: dict[str, Sequence[int]],
        earlier_dir: str,
        transform_output: tft.TFTransformOutput,
        features: Features,
    ) -> "_Rows":
        key = f"table_rows{_VALUE}"
        earlier = json.loads(reader.get_tensor(key)) if key in shapes else {}
        rows: list[np.ndarray] = []
        left: dict[str, str] = {}
        for feature in features.categories:
            first, count = earlier.get(feature.output, (0, 0))
            found = np.full(feature.index_count, _NO_ROW)
            vocabulary = os.path.join(earlier_dir, "assets", feature.file_name)
            if not count:
                left[feature.output] = "no such category"
            elif feature.kind == "vocab" and tf.io.gfile.exists(vocabulary):
                new = _read_lines(transform_output.vocabulary_file_by_name(feature.file_name))
                places = _places_of_words(_read_lines(vocabulary), new, feature, count)
                found[: len(places)] = places
                if unknown := int((places < 0).sum()):
                    left[feature.output] = f"{unknown} of {len(new)} words are new"
            elif count != feature.index_count:
                left[feature.output] = f"{count} indices there, {feature.index_count} here"
            else:
                found = np.arange(count)
            rows.append(np.where(found < 0, _NO_ROW, found + first))
        return cls(np.concatenate(rows) if rows else np.zeros(0, np.int64), left)

    def taken(self, earlier: np.ndarray, fresh: np.ndarray) -> np.ndarray:
        """The table with the rows that are known, and its own first ones for the others."""
        return np.where(self.rows[:, None] < 0, fresh, earlier[self.rows])


def _places_of_words(
    old: Sequence[bytes], new: Sequence[bytes], feature: Categories, count: int
) -> np.ndarray:
    """Of each index of a vocabulary the earlier one: missing, words, then the hash buckets."""
    known = {word: place for place, word in enumerate(old, start=1)}
    buckets = range(len(old) + 1, len(old) + 1 + feature.oov_buckets)
    places = [0, *(known.get(word, _NO_ROW) for word in new), *buckets]
    return np.array([place if place < count else _NO_ROW for place in places])


def _read_lines(path: str) -> list[bytes]:
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read().split(b"\n")[:-1]


def _escaped(name: str) -> str:
    """As TensorFlow writes a name into the keys of a checkpoint."""
    return name.replace(".", "..").replace("/", ".S")


def _of_shape(shape: Sequence[int]) -> str:
    return " by ".join(map(str, shape)) or "a number"
