"""The network: dense layers over embeddings of categories and scaled numbers.

A wide part (one weight per category, directly to each output) complements the deep part, because
the bucket of the fare and the payment type alone determine most of the label.

Source: H.-T. Cheng et al., "Wide & Deep Learning for Recommender Systems", 2016.
Must not import pipeline, runners or an orchestrator.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from models.heads import BinaryHead, Head
from preprocessing.features import Features


def build_model(
    features: Features,
    hyperparameters: Mapping[str, Any],
    steps_per_epoch: int = 1,
    head: Head | None = None,
    seed: int | None = None,
) -> keras.Model:
    """Builds and compiles the network.

    Args:
        features: The inputs, and the number of categories of each.
        hyperparameters: `learning_rate`, `dropout`, `width`, `depth`, `embedding_size`; a
            KerasTuner `HyperParameters` can be read in the same way.
        steps_per_epoch: Batches between evaluations, as it will be trained.
        head: The parts that depend on the task; default: a probability.
        seed: Seed of the initial weights and of dropout. Without a seed, layers use Python's global
            random numbers, which threads of other nodes use at the same time.

    Returns:
        A compiled model from {transformed name: [batch, 1]} to scores, float32 [batch, units].
    """
    head = head or BinaryHead()
    seeds = random if seed is None else random.Random(seed)

    def draw() -> int:
        return seeds.randint(1, 10**9)  # as Keras does

    inputs = make_inputs(features)
    deep = [inputs[f.output] for f in features.numeric]
    logits = []
    if features.categories:
        indices = shared_indices([inputs[f.output] for f in features.categories], features)
        count = sum(f.index_count for f in features.categories)
        embedding = keras.layers.Embedding(
            count,
            hyperparameters["embedding_size"],
            embeddings_initializer=keras.initializers.RandomUniform(seed=draw()),
            name="embeddings",
        )
        deep.append(keras.layers.Flatten()(embedding(indices)))
        weights = keras.layers.Embedding(
            count, head.units, embeddings_initializer="zeros", name="wide"
        )
        logits.append(keras.ops.sum(weights(indices), axis=1))
    hidden = keras.layers.Concatenate(name="deep_inputs")(deep) if len(deep) > 1 else deep[0]
    width = hyperparameters["width"]
    for depth in range(hyperparameters["depth"]):
        weights_of = keras.initializers.GlorotUniform(seed=draw())
        dense = keras.layers.Dense(
            max(width >> depth, 1),
            activation="relu",
            kernel_initializer=weights_of,
            name=f"hidden_{depth}",
        )
        rate = hyperparameters["dropout"]
        seed_of = draw() if rate else None
        dropout = keras.layers.Dropout(rate, seed=seed_of, name=f"dropout_{depth}")
        hidden = dropout(dense(hidden))
    last = keras.initializers.GlorotUniform(seed=draw())
    logits.append(
        keras.layers.Dense(head.units, kernel_initializer=last, name="deep_logit")(hidden)
    )
    return compile_scores(inputs, logits, hyperparameters, steps_per_epoch, head, "wide_and_deep")


def make_inputs(features: Features) -> dict[str, Any]:
    """By transformed name, float32 [batch, 1] for a number and int64 [batch, 1] for a category."""
    inputs = {f.output: keras.Input((1,), name=f.output) for f in features.numeric}
    return inputs | {
        f.output: keras.Input((1,), name=f.output, dtype="int64") for f in features.categories
    }


def compile_scores(
    inputs: Mapping[str, Any],
    logits: Sequence[Any],
    hyperparameters: Mapping[str, Any],
    steps_per_epoch: int,
    head: Head,
    name: str,
) -> keras.Model:
    """Adds the parts of the logit, and compiles the model of the scores.

    Args:
        inputs: From `make_inputs`.
        logits: Each float32 [batch, units].
        hyperparameters: With `learning_rate`.
        steps_per_epoch: Batches between evaluations, as it will be trained.
        head: Parts that depend on the task.
        name: Name of the model.
    """
    logit = keras.layers.Add(name="logit")(logits) if len(logits) > 1 else logits[0]
    scores = keras.layers.Activation(head.activation, name=head.output_name)(logit)

    model = keras.Model(inputs, scores, name=name)
    model.compile(
        optimizer=keras.optimizers.Adam(hyperparameters["learning_rate"]),
        loss=head.loss,
        metrics=head.metrics(),
        steps_per_execution=batches_per_call(steps_per_epoch),
    )
    # Before the training step is traced: variables made in there have it traced a second time.
    model.optimizer.build(model.trainable_variables)
    return model


def batches_per_call(steps_per_epoch: int) -> int:
    """Batches per return to Python, at most 10: this trains the model twice as fast as 1.

    A divisor of the epoch, because Keras rounds an epoch up to whole calls and would train longer.
    """
    return max(n for n in range(1, 11) if steps_per_epoch % n == 0)


def shared_indices(inputs, features: Features):
    """Moves the indices of each feature to separate rows of one shared table.

    The weights are the same as with one table per feature, in 2 variables instead of 38. Tracing
    and optimizing take a quarter of the time.

    Args:
        inputs: One int64 [batch, 1] per categorical feature.
        features: Have the number of indices of each.

    Returns:
        int64 [batch, number of categorical features].
    """
    counts = [f.index_count for f in features.categories]
    offsets = np.cumsum([0, *counts[:-1]], dtype=np.int64)
    joined = keras.layers.Concatenate(name="indices")(inputs) if len(inputs) > 1 else inputs[0]
    return joined + keras.ops.convert_to_tensor(offsets[None, :])
