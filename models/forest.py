"""A boosted forest as plain tensors: trees as arrays, walked by gather.

No custom op and no library in the server: what is exported is read by any server of SavedModels.
Reads the JSON that XGBoost writes of a booster. Imports no XGBoost: called by models.boosting. Must
not import pipeline, runners or an orchestrator.

Source: XGBoost's JSON model format, https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

_WORD = 32  # bits of a set of categories, in one int32
_LEAF = -1


@dataclasses.dataclass(frozen=True)
class Input:
    """One input of the forest, as a Keras model names its own."""

    name: str


class Forest:
    """The interface for `models.signatures`: inputs, variables, a call.

    Args:
        model: XGBoost's JSON, parsed.
        columns: Transformed names, in the order of the matrix that it was trained on.
        rounds: Number of boosting rounds to use.
        classes: Trees of each round; 1 but for several classes.
        activation: `sigmoid`, `softmax` or `linear`.
        cuts: Column to the sorted values that occur in training, for `_move_thresholds`.
    """

    variables: tuple = ()

    def __init__(
        self,
        model: Mapping[str, Any],
        columns: Sequence[str],
        rounds: int,
        classes: int = 1,
        activation: str = "sigmoid",
        cuts: Mapping[str, np.ndarray] | None = None,
    ):
        learner = model["learner"]
        trees = learner["gradient_booster"]["model"]["trees"][: rounds * classes]
        self.inputs = [Input(name) for name in columns]
        self._columns = tuple(columns)
        self.rounds = rounds
        self._classes, self._activation = classes, activation
        self._base = _base_margin(learner["learner_model_param"]["base_score"], activation)
        self._size = max(len(tree["left_children"]) for tree in trees)
        self._depth = max(map(_depth_of, trees))
        self._offset = np.arange(len(trees), dtype=np.int32) * self._size
        left = self._table(trees, "left_children", _LEAF, np.int32)
        right = self._table(trees, "right_children", _LEAF, np.int32)
        leaf = left == _LEAF
        own = np.broadcast_to(np.arange(self._size, dtype=np.int32), left.shape)
        self._left = np.where(leaf, own, left)  # a leaf leads to itself
        self._right = np.where(leaf, own, right)
        self._feature = np.where(leaf, 0, self._table(trees, "split_indices", 0, np.int32))
        self._value = self._table(trees, "split_conditions", 0.0, np.float32)  # of a leaf its score
        self._by_category = self._table(trees, "split_type", 0, np.int32) == 1
        self._sets, self._set_offset, self._set_words = self._category_sets(trees)
        if cuts is not None:
            self._move_thresholds(cuts, ~leaf & ~self._by_category)

    def __call__(self, inputs: Mapping[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Scores: {transformed name: [batch, 1]} -> float32 [batch, classes]."""
        return _activate(self.margin(inputs), self._activation)

    def margin(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """XGBoost's margin: the sum of leaves, float32 [batch, classes]."""
        rows = tf.concat([tf.cast(inputs[name], tf.float32) for name in self._columns], axis=1)
        offset = tf.constant(self._offset[None, :])
        node = tf.zeros_like(rows[:, :1], tf.int32) + offset
        for _ in range(self._depth):
            value = tf.gather(rows, self._of(self._feature, node), batch_dims=1)
            to_right = value >= self._of(self._value, node)
            if self._sets.size:
                in_set = self._is_in_set(value, node)
                to_right = tf.where(self._of(self._by_category, node), in_set, to_right)
            step = tf.where(to_right, self._of(self._right, node), self._of(self._left, node))
            node = step + offset
        leaves = self._of(self._value, node)
        by_round = tf.reshape(leaves, [-1, len(self._offset) // self._classes, self._classes])
        return tf.reduce_sum(by_round, axis=1) + tf.constant(self._base)

    def _of(self, table: np.ndarray, node: tf.Tensor) -> tf.Tensor:
        """A table's entries at nodes, int32 [batch, trees]."""
        return tf.gather(tf.constant(table.reshape(-1)), node)

    def _is_in_set(self, value: tf.Tensor, node: tf.Tensor) -> tf.Tensor:
        """Whether a category is among those that go right at a node; others go left."""
        words = self._of(self._set_words, node)
        category = tf.cast(tf.maximum(value, 0.0), tf.int32)
        word = category // _WORD
        known = word < words
        place = self._of(self._set_offset, node) + tf.where(known, word, 0)
        bits = tf.gather(tf.constant(self._sets), place)
        bit = tf.bitwise.bitwise_and(tf.bitwise.right_shift(bits, category % _WORD), 1)
        return known & (bit > 0)

    def _table(self, trees: Sequence[Mapping], key: str, fill: float, dtype: Any) -> np.ndarray:
        """One value for each node of each tree, [trees, size]."""
        table = np.full((len(trees), self._size), fill, dtype)
        for place, tree in enumerate(trees):
            table[place, : len(tree[key])] = tree[key]
        return table

    def _category_sets(self, trees: Sequence[Mapping]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The sets of categories as bits: words of all nodes, where a node's begin, how many."""
        words: list[int] = []
        begins = np.zeros((len(trees), self._size), np.int32)
        counts = np.zeros((len(trees), self._size), np.int32)
        for place, tree in enumerate(trees):
            segments = zip(
                tree["categories_nodes"],
                tree["categories_segments"],
                tree["categories_sizes"],
                strict=True,
            )
            for node, begin, size in segments:
                categories = tree["categories"][begin : begin + size]
                bits = np.zeros(max(categories) // _WORD + 1, np.uint32)
                for category in categories:
                    bits[category // _WORD] |= np.uint32(1 << (category % _WORD))
                begins[place, node], counts[place, node] = len(words), len(bits)
                words.extend(bits.view(np.int32).tolist())
        return np.array(words, np.int32), begins, counts

    def _move_thresholds(self, cuts: Mapping[str, np.ndarray], splits: np.ndarray) -> None:
        """Moves each threshold to the middle between two values that occur in training.

        XGBoost cuts at values that occur. The last bit of a transformed number may depend on the
        size of the batch, and with it the side that such a row would fall on. Training rows fall
        on the same side as before; others between two of them may not.
        """
        for place, name in enumerate(self._columns):
            values = cuts.get(name, ())
            if len(values) < 2:
                continue
            above = np.searchsorted(values, self._value)
            here = splits & (self._feature == place) & (above > 0) & (above < len(values))
            low, high = values[above[here] - 1], values[above[here]]
            middle = ((low.astype(np.float64) + high) / 2).astype(np.float32)
            self._value[here] = np.where(middle > low, middle, high)  # of two neighbouring floats


def _depth_of(tree: Mapping[str, Any]) -> int:
    """Steps from the root to the deepest leaf; parents stand before their children."""
    depths = {0: 0}
    for node, (left, right) in enumerate(
        zip(tree["left_children"], tree["right_children"], strict=True)
    ):
        if left != _LEAF:
            depths[left] = depths[right] = depths[node] + 1
    return max(depths.values())


def _base_margin(base_score: str, activation: str) -> np.ndarray:
    """The score before any tree: XGBoost writes "[2.2E-1]", or "5E-1" in older versions."""
    base = np.atleast_1d(np.array(json.loads(base_score), np.float64))
    if activation == "sigmoid":
        base = np.log(base / (1 - base))
    return base.astype(np.float32)


def _activate(margin: tf.Tensor, activation: str) -> tf.Tensor:
    if activation == "sigmoid":
        return tf.sigmoid(margin)
    return tf.nn.softmax(margin) if activation == "softmax" else margin
