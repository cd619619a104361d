"""The export: network and transform graph together, so that training and serving cannot differ.

A `tf.Module`, not a Keras model: `transform_features_layer()` is a tf_keras layer, which a Keras 3
model cannot hold. The module does not hold that layer either, but the graph that it wraps:
TensorFlow would trace, convert and save the layer as a model of its own, which takes four seconds.
Nor does it hold the Keras model: it would be saved with its variables twice, of which TensorFlow
Serving restores the one and reads the other ("Could not find variable"). Autograph is off: nothing
in the signatures depends on the value of a tensor. `serving_default` parses the columns that the
network's inputs are made of and no others, or every client would have to send them.
`transform_features` parses every column, for the Evaluator; it requires those alone that a
transformed feature is made of, since it is also asked about examples of other data. Must not import
pipeline, runners or an orchestrator.
"""

import functools
import json
from collections.abc import Mapping, Sequence

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.saved.saved_transform_io_v2 import SavedModelLoader

from models.heads import BinaryHead, Head
from models.needed_columns import find_needed_columns
from preprocessing.labels import Value
from preprocessing.weighting import MISSING_WEIGHT

EXAMPLES = [tf.TensorSpec([None], tf.string, name="examples")]


class ServingModule(tf.Module):
    """Raw serialized tf.Examples in, predictions or transformed features out.

    Args:
        model: The trained network over transformed features.
        transform_output: The transform graph that made them.
        label_column: Raw column that no request carries.
        head: Form of the answer.
        weight_column: Column that weights examples in training; None: no such column.
        label_value: Stands in the label column in serving: the transform graph computes the label
            all the same, and fails where a row must have one and has none.
        table_rows: Category to the first of its rows in the model's tables and their number, for
            who begins with these weights (models.warm_start).
    """

    def __init__(
        self,
        model: keras.Model,
        transform_output: tft.TFTransformOutput,
        label_column: str,
        head: Head,
        weight_column: str | None = None,
        label_value: Value = 0,
        table_rows: Mapping[str, tuple[int, int]] | None = None,
    ):
        super().__init__()
        # Keras's variables wrap TensorFlow's; the wrappers, once tracked, are what is saved twice.
        self.weights = {name: each.value for name, each in name_variables(model.variables).items()}
        self.table_rows = tf.Variable(json.dumps(table_rows or {}), trainable=False)
        self._score = functools.partial(model, training=False)
        loader = SavedModelLoader(transform_output.transform_savedmodel_dir)
        self.transform_graph = vars(loader)  # tracked, as TFT's layer does it
        self._transform = loader.apply_transform_model
        self._raw_spec = transform_output.raw_feature_spec()
        self._absent = {label_column: label_value}
        if weight_column is not None:
            self._absent[weight_column] = MISSING_WEIGHT
        self._answer = head.answer
        self._input_names = [tensor.name for tensor in model.inputs]
        needed = find_needed_columns(loader, self._input_names)
        self._served_spec = {
            name: spec
            for name, spec in self._raw_spec.items()
            if name not in self._absent and (needed is None or name in needed)
        }
        needed = find_needed_columns(loader, loader.structured_outputs)
        self._unused = {
            name: tf.io.VarLenFeature(spec.dtype)
            for name, spec in self._raw_spec.items()
            if needed is not None and name not in needed
        }

    @tf.function(input_signature=EXAMPLES, autograph=False)
    def serving_default(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answers requests: string [batch] -> the outputs of the task (models.heads)."""
        columns = tf.io.parse_example(examples, self._served_spec)
        for name, value in self._absent.items():
            if name in self._raw_spec:
                columns[name] = _fill(self._raw_spec[name], value, tf.size(examples))
        transformed = self._transform(columns)
        inputs = {name: transformed[name] for name in self._input_names}
        return self._answer(self._score(inputs))

    @tf.function(input_signature=EXAMPLES, autograph=False)
    def transform_features(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Transforms labelled examples, for the Evaluator: string [batch] -> {name: [batch, 1]}."""
        columns = tf.io.parse_example(examples, self._raw_spec | self._unused)
        return self._transform({n: c for n, c in columns.items() if n not in self._unused})


def name_variables(variables: Sequence[keras.Variable]) -> dict[str, keras.Variable]:
    """Names variables by their paths in the model; a path that occurs again gets a number."""
    named: dict[str, keras.Variable] = {}
    for variable in variables:
        number, name = 1, variable.path
        while name in named:
            number += 1
            name = f"{variable.path}_{number}"
        named[name] = variable
    return named


def _fill(spec: tf.io.FixedLenFeature | tf.io.VarLenFeature, value: Value, rows: tf.Tensor):
    """A column that holds a value in every row, as an example of that specification has it."""
    value = tf.constant(value, spec.dtype)
    if isinstance(spec, tf.io.FixedLenFeature):
        return tf.fill(tf.concat([[rows], tf.constant(spec.shape, tf.int32)], axis=0), value)
    places = tf.range(tf.cast(rows, tf.int64))
    indices = tf.stack([places, tf.zeros_like(places)], axis=1)
    shape = tf.stack([tf.cast(rows, tf.int64), tf.constant(1, tf.int64)])
    return tf.SparseTensor(indices, tf.fill([rows], value), shape)


def export_model(
    model: keras.Model,
    transform_output: tft.TFTransformOutput,
    label_column: str,
    model_dir: str,
    head: Head | None = None,
    weight_column: str | None = None,
    label_value: Value = 0,
    table_rows: Mapping[str, tuple[int, int]] | None = None,
) -> None:
    """Writes a SavedModel with the signatures `serving_default` and `transform_features`.

    Args:
        model: The trained network over transformed features.
        transform_output: The transform graph that made them.
        label_column: Raw column that no request carries.
        model_dir: The folder to write.
        head: Form of the answer; default: a probability.
        weight_column: Another column that no request carries, if one weighs examples in training.
        label_value: A value that is a label by the rule.
        table_rows: Table rows, as `models.warm_start.table_rows` has it; None: nothing is known of
            tables.
    """
    head = head or BinaryHead()
    module = ServingModule(
        model, transform_output, label_column, head, weight_column, label_value, table_rows
    )
    tf.saved_model.save(
        module,
        model_dir,
        signatures={
            "serving_default": module.serving_default,
            "transform_features": module.transform_features,
        },
    )
