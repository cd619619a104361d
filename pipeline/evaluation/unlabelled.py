"""Examples without the columns that requests do not have, so that a model cannot read the label.

A model that reads the label has perfect metrics in the evaluation and fails in serving. Predictions
are therefore made from examples without the label. Called by the Evaluator and
`pipeline.evaluation.batch_evaluation`.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow_model_analysis.proto import config_pb2

from pipeline.evaluation.verdict import SliceMetrics
from pipeline.settings.slicing import OVERALL

# Of an evaluation that TFMA made from whole examples, so many are compared.
_SAMPLE = 1024
_TOLERANCE = 1e-4
# Rounding of a softmax.
_ROUNDING = 1e-3
_PROBABILITIES_OF = ("binary", "multiclass")
_TOO_GOOD = 0.9995
_FEWEST_EXAMPLES = 100
# Of each task one that is 1 for a perfect model only, whatever the share of a class.
_AT_MOST_1 = ("auc", "macro_auc", "micro_auc", "r2")


def remove_features(examples: Sequence[bytes], names: Sequence[str]) -> list[bytes]:
    """Returns serialized tf.Examples without the features."""
    stripped = list(examples)
    for name in names:
        key = name.encode()
        entry = b"\n" + _to_varint(len(key)) + key + b"\x12"  # Field 1, the key, before field 2.
        stripped = [
            _cut(each, entry) or _remove_by_parsing(each, name) if key in each else each
            for each in stripped
        ]
    return stripped


def _remove_by_parsing(serialized: bytes, name: str) -> bytes:
    example = tf.train.Example.FromString(serialized)
    example.features.feature.pop(name, None)
    return example.SerializeToString()


def _cut(serialized: bytes, entry: bytes) -> bytes:
    """Cuts a feature out of the bytes, many times as fast as parsing does it.

    Returns:
        The rest; empty if the bytes are not the plain ones that every writer makes: one message of
        one field, which holds pairs, and among them a pair of that key and a value.
    """
    total, place = _read_varint(serialized, 1)
    kept, since = [], place
    if serialized[:1] != b"\n" or place + total != len(serialized):
        return b""
    while place < len(serialized) - 1:
        length, content = serialized[place + 1], place + 2  # Most pairs are short.
        if length > 0x7F:
            length, content = _read_varint(serialized, place + 1)
        following = content + length
        if serialized[place] != 0x0A or following > len(serialized):
            return b""
        if serialized.startswith(entry, content):
            kept.append(serialized[since:place])
            since = following
        place = following
    if not kept or place != len(serialized):
        return b""
    rest = b"".join((*kept, serialized[since:]))
    return b"\n" + _to_varint(len(rest)) + rest


def _to_varint(number: int) -> bytes:
    """A length as Protocol Buffers write it: seven bits a byte, the lowest first."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*found, number))


def _read_varint(serialized: bytes, place: int) -> tuple[int, int]:
    """A length, and the place behind it; one that is cut short counts as what is there."""
    number = shift = 0
    while place < len(serialized):
        byte = serialized[place]
        place += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return number, place


@dataclasses.dataclass
class Predicted:
    """The range of a model's predictions; NaN as soon as one is not a number."""

    lowest: float = math.inf
    highest: float = -math.inf

    def add(self, predictions: np.ndarray) -> None:
        """Takes in more predictions."""
        if predictions.size:
            self.lowest = float(np.minimum(self.lowest, predictions.min()))
            self.highest = float(np.maximum(self.highest, predictions.max()))

    def refusals(self, task: str) -> list[str]:
        """Why a model with such predictions is refused, in sentences."""
        if task in _PROBABILITIES_OF:
            for value in (self.lowest, self.highest):
                is_empty = self.lowest > self.highest
                if not is_empty and not -_ROUNDING <= value <= 1 + _ROUNDING:
                    return [f"a prediction is {value:.4g}; expected a probability, from 0 to 1"]
        return []


def check_sample(
    model_path: str,
    example_files: Sequence[str],
    unserved: Sequence[str],
    spec: config_pb2.ModelSpec,
    task: str,
) -> list[str]:
    """Returns why a model is refused that was measured on examples with the label.

    Args:
        model_path: The SavedModel.
        example_files: TFRecord files of serialized tf.Examples.
        unserved: Columns that no request carries.
        spec: Evaluation configuration.
        task: Task of the pipeline.

    Returns:
        Sentences; empty if it answers the first examples alike without these columns, and as the
        task demands.
    """
    examples = list(itertools.islice(_read(example_files), _SAMPLE))
    model = tf.saved_model.load(model_path)
    signature = model.signatures[spec.signature_name or "serving_default"]
    (name,) = signature.structured_input_signature[1]
    whole = signature(**{name: tf.constant(examples)})
    try:
        without = signature(**{name: tf.constant(remove_features(examples, unserved))})
    except tf.errors.OpError as error:
        line = str(error.message).strip().splitlines()[0]
        return [f"without {' and '.join(unserved)} the model gives no answer ({line[:200]})"]
    predicted = Predicted()
    for output in {spec.prediction_key} & set(whole) or set(whole):
        values, others = whole[output].numpy(), without[output].numpy()
        if values.shape != others.shape or not _are_alike(values, others):
            return [
                f"{output} is another without {' and '.join(unserved)}, which no request carries"
            ]
        if values.dtype.kind == "f":
            predicted.add(values)
    return predicted.refusals(task)


def _are_alike(values: np.ndarray, others: np.ndarray) -> bool:
    if values.dtype.kind != "f":
        return bool((values == others).all())
    return np.allclose(values, others, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)


def _read(example_files: Sequence[str]) -> Iterator[bytes]:
    for path in example_files:
        compression = "GZIP" if path.endswith(".gz") else ""
        yield from tf.data.TFRecordDataset(path, compression).as_numpy_iterator()


def too_good(slices: Sequence[SliceMetrics]) -> list[str]:
    """Warns of metrics that are too good to be true, in sentences."""
    overall: Mapping[str, float] = next((s.metrics for s in slices if s.name == OVERALL), {})
    count = round(overall.get("example_count", 0))
    return [
        f"{name} is {overall[name]:.5f} on {count:,} examples, which is too good to be true: "
        "look for a feature that reveals the label"
        for name in _AT_MOST_1
        if count >= _FEWEST_EXAMPLES and overall.get(name, 0.0) >= _TOO_GOOD
    ]
