"""What is exported: the network and the transform graph together, so that serving cannot skew.

A `tf.Module`, not a Keras model: `transform_features_layer()` is a tf_keras layer, which a Keras 3
model cannot hold. The module does not hold that layer either, but the graph that it wraps:
TensorFlow would trace, convert and save the layer as a model of its own, which takes four seconds.
Nor does it hold the Keras model: it would be saved with its variables twice, of which TensorFlow
Serving restores the one and reads the other ("Could not find variable"). Autograph is off: nothing
in the signatures depends on the value of a tensor. `serving_default` parses the columns that the
network's inputs are made of and no others, or every client would have to send them.
`transform_features` parses every column, for the Evaluator. Must not import pipeline, runners or an
orchestrator.
"""

import functools

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.saved.saved_transform_io_v2 import SavedModelLoader

from models.heads import BinaryHead, Head
from models.needed_columns import find_needed_columns

EXAMPLES = [tf.TensorSpec([None], tf.string, name="examples")]


class ServingModule(tf.Module):
    """Raw serialized tf.Examples in, predictions or transformed features out.

    Args:
        model: The trained network over transformed features.
        transform_output: The transform graph that made them.
        label_column: Raw column that no request carries.
        head: What is answered.
        weight_column: Another, that weighs examples in training; None: there is none.
    """

    def __init__(
        self,
        model: keras.Model,
        transform_output: tft.TFTransformOutput,
        label_column: str,
        head: Head,
        weight_column: str | None = None,
    ):
        super().__init__()
        # Keras's variables wrap TensorFlow's; the wrappers, once tracked, are what is saved twice.
        self.weights = [variable.value for variable in model.variables]
        self._score = functools.partial(model, training=False)
        loader = SavedModelLoader(transform_output.transform_savedmodel_dir)
        self.transform_graph = vars(loader)  # tracked, as TFT's layer does it
        self._transform = loader.apply_transform_model
        self._raw_spec = transform_output.raw_feature_spec()
        self._answer = head.answer
        self._input_names = [tensor.name for tensor in model.inputs]
        needed = find_needed_columns(loader, self._input_names)
        self._served_spec = {
            name: spec
            for name, spec in self._raw_spec.items()
            if name not in (label_column, weight_column) and (needed is None or name in needed)
        }

    @tf.function(input_signature=EXAMPLES, autograph=False)
    def serving_default(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers requests: string [batch] -> the outputs of the task (models.heads)."""
        transformed = self._transform(tf.io.parse_example(examples, self._served_spec))
        inputs = {name: transformed[name] for name in self._input_names}
        return self._answer(self._score(inputs))

    @tf.function(input_signature=EXAMPLES, autograph=False)
    def transform_features(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Transforms labelled examples, for the Evaluator: string [batch] -> {name: [batch, 1]}."""
        return self._transform(tf.io.parse_example(examples, self._raw_spec))


def export_model(
    model: keras.Model,
    transform_output: tft.TFTransformOutput,
    label_column: str,
    model_dir: str,
    head: Head | None = None,
    weight_column: str | None = None,
) -> None:
    """Writes a SavedModel with the signatures `serving_default` and `transform_features`.

    Args:
        model: The trained network over transformed features.
        transform_output: The transform graph that made them.
        label_column: Raw column that no request carries.
        model_dir: The folder to write.
        head: What is answered; by default a probability.
        weight_column: Another column that no request carries, if one weighs examples in training.
    """
    head = head or BinaryHead()
    module = ServingModule(model, transform_output, label_column, head, weight_column)
    tf.saved_model.save(
        module,
        model_dir,
        signatures={
            "serving_default": module.serving_default,
            "transform_features": module.transform_features,
        },
    )
