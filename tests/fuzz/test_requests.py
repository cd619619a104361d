"""Any request to either API: an answer or the status of a wrong one, never a fault of ours."""

import json
import math

import grpc
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

from serving.versions.publish import publish
from tests.component.serving import models_for_tests
from tests.component.serving.served_for_tests import NAME, serve_here
from tests.fuzz.examples import examples

_GOOD = b'{"instances": [{"x": 5}]}'
_WRONG = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    publish(models_for_tests.save_model(folder / "model"), str(folder / "base"), version=1)
    with serve_here(str(folder / "base")) as served:
        yield served


@pytest.fixture(autouse=True)
def _no_traceback_and_it_serves_on(served, capfd):
    yield
    assert served.post(_GOOD) == (200, {"predictions": [[10.0]]})
    assert "Traceback" not in capfd.readouterr().err


_NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**400, 2**63, -(2**63), 3.5e38, 1e308])
)
_LEAVES = st.one_of(
    st.none(), st.booleans(), _NUMBERS, st.text(max_size=5), st.sampled_from(["\ud800", "\0"])
)
_COLUMNS = st.sampled_from(["x", "name", "count", "examples", "b64", "nmae"])
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_COLUMNS, inner, max_size=3),
    max_leaves=8,
)
_ROW = st.dictionaries(_COLUMNS, _LEAVES, max_size=4) | _JSON
_BODY = st.one_of(
    st.fixed_dictionaries({"instances": st.lists(_ROW, max_size=3) | _JSON}),
    st.fixed_dictionaries({"inputs": _JSON}),
    st.fixed_dictionaries({"instances": _JSON, "signature_name": _JSON}),
    st.dictionaries(st.sampled_from(["instances", "inputs", "signature_name"]), _JSON),
    _JSON,
)
_TEXT = _BODY.map(lambda body: json.dumps(body).encode())


@st.composite
def _damaged(draw, whole):
    """Bytes of a request with some of them cut, changed or doubled."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data)))
        how = draw(st.sampled_from(["cut", "change", "insert", "double"]))
        if how == "cut":
            del data[place:]
        elif how == "double":
            data += data[place:]
        else:
            data[place : place + (how == "change")] = draw(st.binary(min_size=1, max_size=3))
    return bytes(data)


@settings(**examples(25))
@given(st.one_of(_TEXT, _damaged(_TEXT), st.binary(max_size=30)))
def test_any_body(served, body):
    status, answer = served.post(body)
    if status == 200:
        assert set(answer) & {"predictions", "outputs"}
    else:
        assert status == 400 and answer["error"] and "\n" not in answer["error"]


_FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False)


@settings(**examples(10))
@given(st.lists(_FLOATS.filter(lambda x: abs(x) < 1e38) | st.booleans(), min_size=1, max_size=4))
def test_a_row_is_not_misread_whatever_way_it_comes(served, values):
    """The model doubles x, a number or a truth value; as a row, a column and a tf.Example."""
    encoded = [models_for_tests.make_example(float(value)) for value in values]
    rows = served.post(json.dumps({"instances": [{"x": value} for value in values]}).encode())
    columns = served.post(json.dumps({"inputs": {"x": values}}).encode())
    code, data = served.call(_request(tf.make_tensor_proto(encoded)).SerializeToString())
    assert (rows[0], columns[0], code) == (200, 200, grpc.StatusCode.OK)
    called = tf.make_ndarray(predict_pb2.PredictResponse.FromString(data).outputs["y"])
    wanted = np.array(values, np.float32)[:, None] * np.float32(2)
    for found in (rows[1]["predictions"], columns[1]["outputs"], called):
        np.testing.assert_array_equal(np.array(found, np.float32), wanted)


def _request(tensor, name=NAME):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.inputs["examples"].CopyFrom(tensor)
    return request


@st.composite
def _requests(draw):
    sizes = st.integers(-2, 3) | st.sampled_from([2**31, 2**40, 2**62, 2**63 - 1])
    tensor = tensor_pb2.TensorProto(dtype=draw(st.integers(0, 25) | st.just(7)))
    tensor.string_val.extend(draw(st.lists(st.binary(max_size=20), max_size=3)))
    tensor.float_val.extend(draw(st.lists(_FLOATS, max_size=2)))
    tensor.int_val.extend(draw(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=2)))
    tensor.tensor_content = draw(st.binary(max_size=9))
    for size in draw(st.lists(sizes, max_size=3)):
        tensor.tensor_shape.dim.add(size=size)
    request = _request(tensor, draw(st.sampled_from([NAME, "bus", ""])))
    request.output_filter.extend(draw(st.lists(st.text(st.characters(codec="utf-8")), max_size=1)))
    return request.SerializeToString()


@st.composite
def _of_examples(draw):
    example = st.builds(models_for_tests.make_example, _FLOATS)
    rows = draw(st.lists(example | _damaged(example) | st.binary(max_size=30), max_size=4))
    return _request(tf.make_tensor_proto(rows, tf.string)).SerializeToString()


@settings(**examples(25))
@given(st.one_of(_requests(), _of_examples(), _damaged(_of_examples()), st.binary(max_size=40)))
def test_any_call(served, data):
    code, answer = served.call(data)
    assert code == grpc.StatusCode.OK or (code in _WRONG and answer), (code, answer)


def test_numbers_in_answers_are_as_short_as_they_can_be(served):
    _, answer = served.post(b'{"instances": [{"x": 0.1}]}')
    assert math.isclose(answer["predictions"][0][0], 0.2) and answer["predictions"] == [[0.2]]
