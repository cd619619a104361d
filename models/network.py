"""The network: embeddings for categories, scaled numbers beside them, dense layers on top.

A wide part (one weight per category straight to each output) beside the deep one, because a fare's
bucket and the payment type decide most of the label on their own.

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
        features: Which inputs there are, and how many categories each has.
        hyperparameters: `learning_rate`, `dropout`, `width`, `depth`, `embedding_size`; a
            KerasTuner `HyperParameters` reads the same way.
        steps_per_epoch: Batches between evaluations, as it will be trained.
        head: What depends on the task; by default a probability.
        seed: Of the first weights and of dropout. Without one, layers draw theirs from Python's one
            stream, which threads of other nodes draw from in the meantime.

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
    """Adds up the parts of the logit, and compiles the model of the scores.

    Args:
        inputs: From `make_inputs`.
        logits: float32 [batch, units] each.
        hyperparameters: With `learning_rate`.
        steps_per_epoch: Batches between evaluations, as it will be trained.
        head: What depends on the task.
        name: Of the model.
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
    """At most 10 batches per return to Python, which trains this model twice as fast as 1.

    A divisor of the epoch, since Keras rounds an epoch up to whole calls and would train longer.
    """
    return max(n for n in range(1, 11) if steps_per_epoch % n == 0)


def shared_indices(inputs, features: Features):
    """Moves each feature's indices to rows of its own in one shared table.

    One table instead of one per feature: the same weights, in 2 variables instead of 38, which
    quarters the time to trace and optimize.

    Args:
        inputs: One int64 [batch, 1] per categorical feature.
        features: Tells how many indices each has.

    Returns:
        int64 [batch, number of categorical features].
    """
    counts = [f.index_count for f in features.categories]
    offsets = np.cumsum([0, *counts[:-1]], dtype=np.int64)
    joined = keras.layers.Concatenate(name="indices")(inputs) if len(inputs) > 1 else inputs[0]
    return joined + keras.ops.convert_to_tensor(offsets[None, :])
