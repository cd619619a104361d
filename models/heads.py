"""The parts of the network that depend on the task: last layer, loss, metric, answers.

Called by models.network (build), models.trainer and models.tuner (watch), models.signatures
(answer). Must not import pipeline, runners or an orchestrator.
"""

import abc
import dataclasses

import keras
import tensorflow as tf

from preprocessing.labels import Amount, Classes, Label

# e^88 is the last that float32 holds; a row far from all others may be scored beyond.
_LARGEST_LOG = 88.0
AUC_THRESHOLDS = 1000  # Keras's default of 200 is too coarse to rank trials by


class Head(abc.ABC):
    """One task.

    Attributes:
        units: Outputs of the network.
        activation: Activation of the last layer.
        output_name: Output name of the served scores, and of the last layer.
        loss: Keras's name of it.
        monitor: Metric of early stopping and of the search.
        mode: `max` or `min`: which of its values is better.
    """

    units = 1
    activation: str
    output_name: str
    loss: str
    monitor = "val_loss"
    mode = "min"

    def metrics(self) -> list[keras.metrics.Metric]:
        """Fresh metrics, to be watched in training."""
        return []

    def to_target(self, label: tf.Tensor) -> tf.Tensor:
        """The training target of the network, [batch, 1], from the label, [batch, 1]."""
        return label

    @abc.abstractmethod
    def answer(self, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """The outputs of the serving signature, from the network's [batch, units]."""

    def early_stopping(self, patience: int) -> keras.callbacks.EarlyStopping:
        """Stops after `patience` evaluations without a better one and restores the best weights."""
        return keras.callbacks.EarlyStopping(
            self.monitor, mode=self.mode, patience=patience, restore_best_weights=True
        )


class BinaryHead(Head):
    """`probability` of label 1, float32 [batch, 1]."""

    activation = "sigmoid"
    output_name = "probability"
    loss = "binary_crossentropy"
    monitor = "val_auc"
    mode = "max"

    def metrics(self) -> list[keras.metrics.Metric]:
        """AUC, which is what models are compared by."""
        return [keras.metrics.AUC(num_thresholds=AUC_THRESHOLDS, name="auc")]

    def answer(self, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """The probability as it is."""
        return {self.output_name: scores}


@dataclasses.dataclass(frozen=True)
class MulticlassHead(Head):
    """`probabilities` float32 [batch, classes], and the likeliest `class` by name, [batch, 1].

    Watches the log loss, since accuracy moves in steps.
    """

    names: tuple[str, ...]
    activation = "softmax"
    output_name = "probabilities"
    loss = "sparse_categorical_crossentropy"

    @property
    def units(self) -> int:
        """One per class."""
        return len(self.names)

    def metrics(self) -> list[keras.metrics.Metric]:
        """Accuracy, to be read in the report."""
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def answer(self, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """The probabilities, and the class that has the largest."""
        likeliest = tf.gather(tf.constant(self.names), tf.argmax(scores, axis=1))
        return {self.output_name: scores, "class": likeliest[:, None]}


@dataclasses.dataclass(frozen=True)
class RegressionHead(Head):
    """`prediction` float32 [batch, 1] in the column's unit.

    The network learns the z-score of the label, or of its logarithm: started at small weights, it
    could not reach a fare of thousands, or a timestamp, in hundreds of steps.

    Attributes:
        mean: Mean of the training labels, after the logarithm if there is one.
        deviation: Their standard deviation, not 0.
        log: Whether log(1 + label) is taken; predictions are at least 0 then.
    """

    mean: float = 0.0
    deviation: float = 1.0
    log: bool = False
    activation = "linear"
    output_name = "prediction"
    loss = "mean_squared_error"

    def metrics(self) -> list[keras.metrics.Metric]:
        """Mean absolute error, of z-scores as the loss is, to be read in the report."""
        return [keras.metrics.MeanAbsoluteError(name="mae")]

    def to_target(self, label: tf.Tensor) -> tf.Tensor:
        """The z-score."""
        amount = tf.math.log1p(label) if self.log else label
        return (amount - self.mean) / self.deviation

    def answer(self, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """The z-score turned back into the column's unit; a number whatever the score."""
        amount = scores * self.deviation + self.mean
        if self.log:
            amount = tf.maximum(tf.math.expm1(tf.minimum(amount, _LARGEST_LOG)), 0.0)
        return {self.output_name: amount}


def choose_head(label: Label, mean: float = 0.0, deviation: float = 1.0) -> Head:
    """The head of a label's task.

    Args:
        label: The rule.
        mean: Mean of the training labels, for an amount, after the logarithm if there is one.
        deviation: Their standard deviation; 0, of labels that are all the same, counts as 1.
    """
    if isinstance(label, Classes):
        return MulticlassHead(label.names)
    if isinstance(label, Amount):
        return RegressionHead(mean, deviation or 1.0, label.log)
    return BinaryHead()
