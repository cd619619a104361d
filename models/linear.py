"""The linear model: one weight for each number and each category, no hidden layer.

Must not import pipeline, runners or an orchestrator.
"""

from collections.abc import Mapping
from typing import Any

import keras

from models.heads import BinaryHead, Head
from models.network import compile_scores, make_inputs, shared_indices
from preprocessing.features import Features


def build_linear(
    features: Features,
    hyperparameters: Mapping[str, Any],
    steps_per_epoch: int = 1,
    head: Head | None = None,
    seed: int | None = None,
) -> keras.Model:
    """Builds and compiles the model.

    Args:
        features: The inputs, and the number of categories of each.
        hyperparameters: `learning_rate`, and `l2`, the weight of the sum of squares in the loss.
        steps_per_epoch: Batches between evaluations, as it will be trained.
        head: Parts that depend on the task; default: a probability.
        seed: Seed of the initial weights, which are zeros here.

    Returns:
        A compiled model from {transformed name: [batch, 1]} to scores, float32 [batch, units].
    """
    head = head or BinaryHead()
    inputs = make_inputs(features)
    penalty = keras.regularizers.L2(hyperparameters["l2"])
    numbers = [inputs[f.output] for f in features.numeric]
    logits = []
    if features.categories:
        indices = shared_indices([inputs[f.output] for f in features.categories], features)
        weights = keras.layers.Embedding(
            sum(f.index_count for f in features.categories),
            head.units,
            embeddings_initializer="zeros",
            embeddings_regularizer=penalty,
            name="category_weights",
        )
        bias = keras.layers.Embedding(1, head.units, embeddings_initializer="zeros", name="bias")
        logits.append(keras.ops.sum(weights(indices), axis=1))
        logits.append(keras.ops.sum(bias(indices[:, :1] * 0), axis=1))
    if numbers:
        joined = keras.layers.Concatenate(name="numbers")(numbers) if numbers[1:] else numbers[0]
        dense = keras.layers.Dense(
            head.units,
            kernel_initializer="zeros",
            kernel_regularizer=penalty,
            use_bias=not features.categories,
            name="number_weights",
        )
        logits.append(dense(joined))
    return compile_scores(inputs, logits, hyperparameters, steps_per_epoch, head, "linear")
