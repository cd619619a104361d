"""A preprocessing_fn that returns no features is named with its line."""

import functools
import inspect

import pytest
import tensorflow as tf
from tensorflow_transform import impl_helper

from fareline.errors import UserMistake
from runners.beam.returned_features import check_returned_features

SPECS = {"x": tf.TensorSpec([None, 1], tf.float32)}


def trace(function, folder):
    return impl_helper.trace_preprocessing_function(function, SPECS, False, str(folder))


@pytest.fixture
def checking(monkeypatch):
    """TFT as it is installed, and then with the check."""
    traced = impl_helper.get_traced_transform_fn
    installed = getattr(traced, "replaces", traced)
    monkeypatch.setattr(impl_helper, "get_traced_transform_fn", installed)
    check_returned_features()
    assert impl_helper.get_traced_transform_fn.replaces is installed


@pytest.mark.parametrize(
    ("returned", "found"),
    [
        (lambda x: None, "None, a NoneType"),
        (lambda x: 3, "3, a int"),
        (lambda x: [1], "[1], a list"),
        (lambda x: {}, "an empty dictionary"),
        (lambda x: {"a_xf": x, "b_xf": None}, "None, a NoneType, as b_xf"),
        (lambda x: {"a_xf": [1.0]}, "[1.0], a list, as a_xf"),
        (lambda x: {"a_xf": 1.0}, "1.0, a float, as a_xf"),
        (lambda x: {"a_xf": {"b": x}}, None),
        (lambda x: {1: x}, "the name 1, a int"),
        (lambda x: x, None),
        (lambda x: (x, x), None),
        (lambda x: {"a_xf": tf.reduce_mean(x)}, "one value for all rows as a_xf"),
    ],
)
def test_what_is_no_features_is_one_line_with_the_file(returned, found, checking, tmp_path):
    def features(inputs, custom_config):
        return returned(inputs["x"])

    with pytest.raises(UserMistake) as raised:
        trace(functools.partial(features, custom_config={}), tmp_path)
    line = str(raised.value)
    start = f"{__file__}:{inspect.getsourcelines(features)[1]}: features returned {found or ''}"
    assert line.startswith(start)
    assert "\n" not in line
    assert "; expected a dictionary from transformed names to tensors, [batch, 1] each." in line


@pytest.mark.parametrize(
    "value",
    [lambda x: x, tf.sparse.from_dense, tf.RaggedTensor.from_tensor, lambda x: x[:, 0]],
    ids=["dense", "sparse", "ragged", "vector"],
)
def test_each_kind_of_batch_is_taken(value, checking, tmp_path):
    _, _, outputs = trace(lambda inputs: {"a_xf": value(inputs["x"])}, tmp_path)
    assert list(outputs) == ["a_xf"]
