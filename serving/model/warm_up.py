"""The warm-up file of a SavedModel: requests that a server answers itself before it takes others.

The first answers of a fresh model take a hundred times as long as later ones. TensorFlow Serving,
and our own server, read the file when they load the model. Called by
`pipeline.components.infra_validator` (write) and `serving.model.servable` (read). Must not import
TFX.

Source: tensorflow.org/tfx/serving/saved_model_warmup; at most 1,000 records.
"""

import itertools
import os
from collections.abc import Iterator, Sequence

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

WARM_UP_FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
_MOST_RECORDS = 1000


def write_warm_up(
    model_dir: str, model_name: str, signature: str, input_name: str, examples: Sequence[bytes]
) -> str:
    """Adds the file to a SavedModel: each example alone, then all in one request.

    The same examples give the same bytes, so that the same model is recognized when it is published
    again.

    Args:
        model_dir: Folder of the SavedModel, local or remote.
        model_name: The name that it will be served under.
        signature: The signature to call.
        input_name: Its one input.
        examples: Serialized tf.Examples.

    Returns:
        The path of the file.
    """
    path = os.path.join(model_dir, WARM_UP_FILE)
    tf.io.gfile.makedirs(os.path.dirname(path))
    batches = [[each] for each in examples[: _MOST_RECORDS - 1]]
    if len(examples) > 1:
        batches.append(list(examples))
    with tf.io.TFRecordWriter(path) as writer:
        for batch in batches:
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = model_name
            request.model_spec.signature_name = signature
            request.inputs[input_name].CopyFrom(tf.make_tensor_proto(batch))
            writer.write(log.SerializeToString(deterministic=True))
    return path


def read_warm_up(model_dir: str) -> Iterator[predict_pb2.PredictRequest]:
    """Yields the requests of the file; none if the model has no such file."""
    path = os.path.join(model_dir, WARM_UP_FILE)
    if not os.path.isfile(path):
        return
    # Not tf.data, which takes longer to load than the model does.
    for record in itertools.islice(tf.compat.v1.io.tf_record_iterator(path), _MOST_RECORDS):
        log = prediction_log_pb2.PredictionLog.FromString(record)
        if log.HasField("predict_log"):
            yield log.predict_log.request
