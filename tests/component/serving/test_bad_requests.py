"""Whatever a client sends: a status that says whose fault it is, and the reason, in one line.

Both APIs in this process, over sockets: bytes as they come, not what a client library lets pass.
"""

import base64
import gzip
import json
import math
import socket
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2
from typer.testing import CliRunner

from cli import app as cli
from serving.model.columns import Column
from serving.model.servable import RefusedError, Signature
from serving.server import rest_api
from serving.server.row_checks import ExampleCheck, require_finite
from serving.versions.publish import publish
from tests.component.serving import models_for_tests
from tests.component.serving.served_for_tests import LOOPBACK, NAME, read_answer, serve_here

_FIVE = models_for_tests.make_example(5.0)
_GOOD = b'{"instances": [{"x": 5}]}'
_ANSWER = (200, {"predictions": [[10.0]]})
_PREDICT = f"/v1/models/{NAME}:predict"
_SERVICE = "/tensorflow.serving.PredictionService/"
_DIGITS = "9" * 400
_NAN = math.nan
_DEEP = "[" * 900 + "]" * 900


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad-requests")
    publish(models_for_tests.save_model(folder / "model"), str(folder / "base"), version=1)
    return str(folder / "base")


@pytest.fixture(scope="module")
def served(base):
    with serve_here(base) as served:
        yield served


@pytest.fixture(autouse=True)
def _nothing_is_said_and_it_serves_on(served, capfd):
    yield
    assert served.post(_GOOD) == _ANSWER
    assert "Traceback" not in capfd.readouterr().err


def _rows(text):
    return f'{{"instances": [{text}]}}'.encode()


def _quoted(data):
    return f'"b64": "{base64.b64encode(data).decode()}"'


def _b64(data):
    return _rows(f"{{{_quoted(data)}}}")


def _example(kind, name, *values):
    example = tf.train.Example()
    getattr(example.features.feature[name], f"{kind}_list").value.extend(values)
    return example.SerializeToString()


_BODIES = {
    "nothing": (b"", "the body is not JSON (Expecting value"),
    "cut": (b'{"instances": [{"x": 5', "the body is not JSON (Expecting ','"),
    "more": (_GOOD + b" x", "the body is not JSON (Extra data"),
    "zeros": (b"\0" * 100, "the body is not JSON"),
    "a number": (b"5", "the body is int; expected"),
    "NaN": (b"NaN", "the body is float; expected"),
    "Latin-1": (b'{"instances": [{"x": 5, "name": "\xe9"}]}', "can't decode byte 0xe9"),
    "half a pair": (_rows(r'{"x": 1, "name": "\ud800"}'), "[0].name: '\\ud800'; expected Unicode"),
    "half a pair as a row": (_rows(r'"\ud800"'), "instances[0]: '\\ud800'; expected Unicode text"),
    "half a pair as a name": (_rows(r'{"\ud800": 1}'), "instances[0]: no column '\\ud800'"),
    "half a pair in base 64": (_rows(r'{"b64": "\ud800"}'), "instances[0]: not base 64"),
    "half a pair as a signature": (
        rb'{"signature_name": "\ud800", "instances": [1]}',
        "signature_name: '\\ud800'; expected Unicode text",
    ),
    "no signature": (b'{"signature_name": null, "instances": [1]}', "signature_name is None"),
    "400 digits": (_rows(f'{{"x": {_DIGITS}}}'), f"x: {_DIGITS[:40]}; expected a finite number"),
    "400 digits of an integer": (
        _rows(f'{{"x": 1, "count": {_DIGITS}}}'),
        f"count: {_DIGITS[:40]}; expected an integer",
    ),
    "5,000 digits": (_rows(f'{{"x": {"9" * 5000}}}'), "the body is not JSON"),
    "1e999": (_rows('{"x": 1e999}'), "instances[0].x: inf; expected a finite number"),
    "no float32": (_rows('{"x": -1e39}'), "instances[0].x: -1e+39; expected a finite number"),
    "Infinity": (_rows('{"x": 1, "count": Infinity}'), "count: inf; expected an integer"),
    "no int64": (_rows('{"x": 1, "count": 1e30}'), "expected an integer"),
    "true": (_rows('{"x": 1, "name": true}'), "instances[0].name: True; expected text"),
    "a column twice": (_rows('{"x": 1, "x": 2}'), "the body has 'x' twice in one object"),
    "instances twice": (
        b'{"instances": [{"x": 1}], "instances": [{"x": 2}]}',
        "the body has 'instances' twice in one object",
    ),
    "a deep row": (_rows(f'{{"x": {_DEEP}}}'), "expected a finite number"),
    "deep objects": (_rows('{"x":' * 500 + "1" + "}" * 500), "expected a finite number"),
    "deep inputs": (f'{{"inputs": {_DEEP}}}'.encode(), "the request is nested too deeply"),
    "40 dimensions": (
        f'{{"inputs": {{"examples": {"[" * 40}"a"{"]" * 40}}}}}'.encode(),
        "examples: [[[",
    ),
    "ragged": (b'{"inputs": {"examples": [["a"], ["b", "c"]]}}', "expected string"),
    "ragged depth": (b'{"inputs": {"examples": ["a", ["b"]]}}', "expected string"),
    "a scalar": (b'{"inputs": {"examples": "a"}}', "is string (); expected string (None,)"),
    "no columns": (b'{"inputs": {}}', "inputs: expected columns, lists of one length"),
    "no rows": (b'{"inputs": {"x": []}}', "inputs: expected columns, lists of one length"),
    "a list in a column": (b'{"inputs": {"x": [[1]]}}', "inputs, row 0.x: [1]; expected"),
    "null": (b'{"inputs": null}', "examples: None; expected text"),
    "null instances": (b'{"instances": null}', "instances: expected a list"),
    "an object of instances": (b'{"instances": {"x": [1]}}', "instances: expected a list"),
    "null as a row": (_rows("null"), "instances[0]: NoneType; expected"),
    "a list as a row": (_rows("[1]"), "instances[0]: list; expected"),
    "an empty row": (_rows("{}"), "instances[0]: without x; expected a value"),
    "the second": (_rows('{"x": 1}, {"count": 1}'), "instances[1]: without x; expected a value"),
    "a name of a million": (_rows(json.dumps({"n" * 10**6: 1})), "no column 'nnn"),
    "a value of a million": (_rows(json.dumps({"x": "n" * 10**6})), "expected a finite number"),
    "no text as an example": (_b64(b"\xff\xfe\xc3\x28"), "Could not parse example input"),
    "an example cut": (_b64(_FIVE[:-3]), "Could not parse example input"),
    "an example of another kind": (_b64(_example("int64", "x", 1)), "Data types don't match"),
    "two values": (_b64(_example("float", "x", 1, 2)), "Number of float values != expected"),
    "no value": (_b64(_example("float", "x")), "examples[0]: without x; expected a value"),
    "an empty example": (_b64(b""), "examples[0]: without x; expected a value"),
    "NaN in an example": (
        _rows(f"{{{_quoted(_FIVE)}}}, {{{_quoted(models_for_tests.make_example(_NAN))}}}"),
        "examples[1].x: nan; expected a finite number",
    ),
    "-Infinity in an example": (
        _b64(models_for_tests.make_example(-math.inf)),
        "examples[0].x: -inf; expected a finite number",
    ),
    "NaN in a column": (b'{"inputs": {"x": [1, NaN]}}', "inputs, row 1.x: nan; expected a finite"),
}


@pytest.mark.parametrize("case", list(_BODIES))
def test_a_body_that_is_no_request_gets_400_and_the_reason(served, case):
    body, words = _BODIES[case]
    status, answer = served.post(body)
    assert (status, list(answer)) == (400, ["error"])
    assert words in answer["error"]
    assert "\n" not in answer["error"] and len(answer["error"]) <= 1001


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-le"])
def test_json_in_any_encoding_of_unicode_is_read(served, encoding):
    assert served.post(_GOOD.decode().encode(encoding)) == _ANSWER


def test_a_zipped_body_is_read_and_what_only_says_so_is_not(served):
    assert served.post(gzip.compress(_GOOD), Content_Encoding="gzip") == _ANSWER
    status, answer = served.post(b"no gzip", Content_Encoding="gzip")
    assert status == 400 and "the body cannot be read" in answer["error"]
    assert served.post(gzip.compress(b" " * (17 << 20)), Content_Encoding="gzip")[0] == 413


def _head(*lines, start=f"POST {_PREDICT} HTTP/1.1"):
    return "\r\n".join([start, "Host: x", "Connection: close", *lines, "", ""]).encode()


_NO_HTTP = {
    "noise": (b"\x16\x03\x01garbage\r\n\r\n", 400),
    "no such HTTP": (_head(start="GET / HTTP/9.9"), 400),
    "a large head": (_head("X: " + "a" * 100_000), 400),
    "a negative length": (_head("Content-Length: -5") + _GOOD, 400),
    "no length": (_head("Content-Length: abc") + _GOOD, 400),
    "a length too small": (_head("Content-Length: 5") + _GOOD, 400),
    "no chunk": (_head("Transfer-Encoding: chunked") + b"ZZ\r\nabc\r\n0\r\n\r\n", 400),
    "an unknown coding": (_head("Content-Encoding: br", "Content-Length: 2") + b"no", 400),
    "an unknown demand": (_head("Expect: 7", f"Content-Length: {len(_GOOD)}") + _GOOD, 417),
}


@pytest.mark.parametrize("case", list(_NO_HTTP))
def test_bytes_that_are_no_http_get_an_answer_and_leave_no_traceback(served, case):
    data, status = _NO_HTTP[case]
    head, _, reason = served.send(data).partition(b"\r\n\r\n")
    assert head.split()[1] == b"%d" % status
    assert reason and b"Traceback" not in reason


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", _PREDICT, 405),
        ("PUT", _PREDICT, 405),
        ("POST", f"/v1/models/{NAME}", 405),
        ("POST", "/v1/models/bus:predict", 404),
        ("POST", "/v1/models/%ff%fe:predict", 404),
        ("POST", "/v1/models/%00:predict", 404),
        ("POST", f"/v1/models/{NAME}/versions/7:predict", 404),
        ("POST", f"/v1/models/{NAME}/versions/-1:predict", 404),
        ("POST", f"/v1/models/{NAME}/versions/{'9' * 20}:predict", 404),
        ("POST", f"/v1/models/{NAME}/versions/%d9%a1:predict", 404),  # a digit, but not of ours
        ("POST", f"/v2/models/{NAME}:predict", 404),
        ("POST", f"/v1/models/{NAME}:classify", 404),
        ("GET", "/", 404),
    ],
)
def test_another_method_or_path_is_404_or_405(served, method, path, status):
    length = f"Content-Length: {len(_GOOD)}"
    answer = served.send(_head(length, start=f"{method} {path} HTTP/1.1") + _GOOD)
    found, content = read_answer(answer)
    assert (found, list(content)) == (status, ["error"])


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(served):
    assert served.post(_GOOD, Expect="100-continue") == _ANSWER


def test_a_body_that_never_comes_whole_is_waited_for_no_longer_than_so_long(served, monkeypatch):
    monkeypatch.setattr(rest_api, "_READ_SECONDS", 0.2)
    status, answer = served.post(_GOOD, Content_Length="1000")
    assert (status, answer) == (408, {"error": "the body did not arrive within 0.2 s"})


@pytest.mark.parametrize("body", [b"", b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"])
def test_a_client_that_goes_away_leaves_no_traceback(served, body):
    with socket.create_connection((LOOPBACK, served.rest_port)) as connection:
        connection.sendall(_head("Content-Length: 100")[:-2] + body)


# --- gRPC ---------------------------------------------------------------------------------------


def _request(tensor=None, name=NAME, **more):
    request = predict_pb2.PredictRequest(**more)
    request.model_spec.name = name
    if tensor is None:
        tensor = tf.make_tensor_proto([_FIVE])
    for key, each in (tensor if isinstance(tensor, dict) else {"examples": tensor}).items():
        request.inputs[key].CopyFrom(each)
    return request.SerializeToString()


def _tensor(dtype, *sizes, **values):
    tensor = tensor_pb2.TensorProto(dtype=dtype, **values)
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def _spec(**more):
    request = predict_pb2.PredictRequest.FromString(_request())
    for name, value in more.items():
        if name == "version":
            request.model_spec.version.value = value
        else:
            setattr(request.model_spec, name, value)
    return request.SerializeToString()


_STRING, _FLOAT, _RESOURCE, _VARIANT = 7, 1, 20, 21
_WRONG = "INVALID_ARGUMENT"
_CALLS = {
    "noise": (b"\xff" * 50, _WRONG, "the request is not a PredictRequest"),
    "cut": (_request()[:-5], _WRONG, "the request is not a PredictRequest"),
    "no text": (b"\x0a\x03\x0a\x01\xff", _WRONG, "the request is not a PredictRequest"),
    "nothing": (b"", "NOT_FOUND", "Servable not found: ''"),
    "another model": (_request(name="bus"), "NOT_FOUND", "expected 'taxi' version 1"),
    "another version": (_spec(version=-5), "NOT_FOUND", "version -5"),
    "a long label": (_spec(version_label="x" * 10**5), "NOT_FOUND", "label 'xxx"),
    "no signature": (_spec(signature_name="train"), _WRONG, "signature 'train' not found"),
    "no input": (_request({}), _WRONG, "inputs are []; expected ['examples']"),
    "a long input": (_request({"e" * 10**5: _tensor(1)}), _WRONG, "inputs are ['eee"),
    "no output": (_request(output_filter=["z"]), _WRONG, "output_filter names ['z']"),
    "a long output": (_request(output_filter=["n" * 10**5]), _WRONG, "output_filter names ['nnn"),
    "numbers": (_request(tf.make_tensor_proto([1.0])), _WRONG, "is float32 (1,); expected string"),
    "a scalar": (_request(tf.make_tensor_proto("a")), _WRONG, "is string (); expected string"),
    "a matrix": (_request(tf.make_tensor_proto([["a"]])), _WRONG, "is string (1, 1); expected"),
    "no type": (_request(_tensor(0, 1)), _WRONG, "is not a tensor"),
    "an unknown type": (_request(_tensor(999, 1)), _WRONG, "is not a tensor"),
    "a handle": (_request(_tensor(_RESOURCE, 1)), _WRONG, "is of type 20; expected string"),
    "a variant": (_request(_tensor(_VARIANT, 1)), _WRONG, "is of type 21; expected string"),
    "no size": (_request(_tensor(_STRING, -1, string_val=[_FIVE])), _WRONG, "its shape is [-1]"),
    "2^62 texts": (
        _request(_tensor(_STRING, 2**62, string_val=[_FIVE])),
        _WRONG,
        "4611686018427387904 values, of ",
    ),
    "2^64 texts": (
        _request(_tensor(_STRING, 2**32, 2**32, string_val=[_FIVE])),
        _WRONG,
        "its shape [4294967296, 4294967296] has ",
    ),
    "2^40 numbers": (_request(_tensor(_FLOAT, 2**40, float_val=[1])), _WRONG, "is not a tensor"),
    "more texts": (_request(_tensor(_STRING, 1, string_val=[b"", b""])), _WRONG, "not a tensor"),
    "bytes of texts": (_request(_tensor(_STRING, 1, tensor_content=b"a")), _WRONG, "not a tensor"),
    "no texts": (_request(_tensor(_STRING, 2)), _WRONG, "examples[0]: without x"),
    "no example": (_request(tf.make_tensor_proto([b"\xff\xfe"])), _WRONG, "Could not parse"),
    "no value": (_request(tf.make_tensor_proto([_FIVE, b""])), _WRONG, "examples[1]: without x"),
    "NaN": (
        _request(tf.make_tensor_proto([_FIVE, models_for_tests.make_example(_NAN)])),
        _WRONG,
        "examples[1].x: nan; expected a finite number",
    ),
    "Infinity": (
        _request(tf.make_tensor_proto([models_for_tests.make_example(math.inf)])),
        _WRONG,
        "examples[0].x: inf; expected a finite number",
    ),
}


@pytest.mark.parametrize("case", list(_CALLS))
def test_a_call_that_is_no_request_gets_the_reason(served, case):
    data, code, words = _CALLS[case]
    found, details = served.call(data)
    assert (found.name, words in details) == (code, True), details
    assert "\n" not in details and len(details) <= 1001


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("PredictionService/GetModelMetadata", _WRONG),
        ("ModelService/GetModelStatus", _WRONG),
        ("PredictionService/Classify", "UNIMPLEMENTED"),
        ("ModelService/HandleReloadConfigRequest", "UNIMPLEMENTED"),
        ("Nothing/Nothing", "UNIMPLEMENTED"),
    ],
)
def test_noise_to_every_other_method(served, method, code):
    assert served.call(b"\xff\xff", f"/tensorflow.serving.{method}")[0].name == code


def test_metadata_needs_its_field(served):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = NAME
    code, details = served.call(request.SerializeToString(), f"{_SERVICE}GetModelMetadata")
    assert (code, "metadata_field is []" in details) == (grpc.StatusCode.INVALID_ARGUMENT, True)


# --- What the contract requires, and others' requests -------------------------------------------


def test_required_columns_are_named_whatever_way_the_row_comes(base):
    rows = [_example("float", "x", 1), _example("bytes", "name", b"")]
    with serve_here(base, frozenset({"name", "x", "not of this model"})) as served:
        for body, where, missing in (
            (_rows('{"count": 1}'), "instances[0]", "name, x"),
            (_rows('{"x": 1}'), "instances[0]", "name"),
            (b'{"inputs": {"x": [1], "name": [null]}}', "inputs, row 0", "name"),
            (_b64(rows[0]), "examples[0]", "name"),
            (_b64(b""), "examples[0]", "name, x"),
        ):
            error = {"error": f"{where}: without {missing}; expected a value"}
            assert served.post(body) == (400, error)
        both = tf.train.Example.FromString(rows[0] + rows[1]).SerializeToString()
        assert both.count(b"name") == 1
        code, details = served.call(_request(tf.make_tensor_proto([both, rows[0]])))
        assert details == "examples[1]: without name; expected a value"
        assert code == grpc.StatusCode.INVALID_ARGUMENT
        assert served.call(_request(tf.make_tensor_proto([both])))[0] == grpc.StatusCode.OK
        # A client may write a map's value before its key, and other values may look like keys.
        assert served.post(_rows('{"x": 1, "name": "\\n\\u0004name\\u0012"}'))[0] == 200


def test_a_large_request_is_read_where_it_keeps_no_other_waiting(served, monkeypatch):
    """In the event loop, one of 16 MB would stop all others for seconds."""
    threads = []

    def parse(data):
        threads.append(threading.current_thread().name.partition("_")[0])
        return rest_api.json.loads(data)

    monkeypatch.setattr(rest_api, "_parse", parse)
    rows = ", ".join(['{"x": 5}'] * 40_000)
    assert served.post(_GOOD) == _ANSWER
    assert served.post(_rows(rows)) == (200, {"predictions": [[10.0]] * 40_000})
    assert threads == ["served", "predict"]
    code, _ = served.call(_request(tf.make_tensor_proto([_FIVE] * 40_000)))
    assert code == grpc.StatusCode.OK


class _WithLabel(tf.Module):
    """`y = 2 x`; another signature, as that of transformed features, reads the label as well."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(self, examples):
        spec = {"x": tf.io.FixedLenFeature([1], tf.float32)}
        return {"y": 2.0 * tf.io.parse_example(examples, spec)["x"]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def transform(self, examples):
        spec = {name: tf.io.FixedLenFeature([1], tf.float32) for name in ("x", "tips")}
        return tf.io.parse_example(examples, spec)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelled")
    model = _WithLabel()
    signatures = {"serving_default": model.serve, "transform_features": model.transform}
    tf.saved_model.save(model, str(folder / "model"), signatures=signatures)
    publish(str(folder / "model"), str(folder / "base"), version=1)
    with serve_here(str(folder / "base")) as served:
        yield served, folder


def _ways(labelled, more):
    """The answer, or the refusal, to a row with one more column, in every way of asking."""
    served, folder = labelled
    row = {"x": 5.0, **more}
    found = []
    for body in ({"instances": [row]}, {"inputs": {name: [each] for name, each in row.items()}}):
        answer = served.post(json.dumps(body).encode())[1]
        found.append(next(iter(answer.values())))
    encoded = models_for_tests.make_example(**row)
    found.append(served.post(_b64(encoded))[1].get("predictions"))
    data = served.call(_request(tf.make_tensor_proto([encoded])))[1]
    found.append(
        tf.make_ndarray(predict_pb2.PredictResponse.FromString(data).outputs["y"]).tolist()
    )
    (folder / "t.jsonl").write_text(json.dumps(row))
    words = ["predict", "--model-dir", folder / "base", "--input", folder / "t.jsonl"]
    words += ["--output", folder / "out.jsonl"]
    ran = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert ran.exit_code == 0, ran.output
    answered = json.loads((folder / "out.jsonl").read_text())
    assert answered.items() >= row.items()
    return [*found, [[answered["prediction"]]]]


def test_a_column_that_the_model_knows_and_does_not_read_is_ignored_whatever_way_it_comes(labelled):
    assert _ways(labelled, {}) == _ways(labelled, {"tips": 1.0}) == [[[10.0]]] * 5


def test_a_column_that_the_model_does_not_know_is_refused_in_plain_rows_alone(labelled):
    """Where names are all that there is; examples may hold more, and files are passed through."""
    plain, columns, *others = _ways(labelled, {"X": 1.0})
    assert plain == "instances[0]: no column 'X'; did you mean x"
    assert columns == "inputs, row 0: no column 'X'; did you mean x"
    assert others == [[[10.0]]] * 3


def test_nan_is_no_json_even_in_a_column_that_is_ignored(labelled):
    status, answer = labelled[0].post(b'{"instances": [{"x": 1, "tips": NaN}]}')
    assert (status, answer["error"]) == (400, "instances[0].tips: nan; expected a finite number")


@pytest.mark.parametrize(("x", "y"), [(1.0, 2.0), (5.0, None)])
def test_an_answer_that_is_nan_is_null_in_json(tmp_path, x, y):
    model = models_for_tests.save_model(tmp_path / "model", "nan")
    publish(model, str(tmp_path / "base"), version=1)
    with serve_here(str(tmp_path / "base")) as served:
        body = json.dumps({"instances": [{"x": x}, {"x": 0.5}]}).encode()
        assert served.post(body) == (200, {"predictions": [[y], [1.0]]})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_tensors_that_are_not_finite_are_refused_with_their_place(value):
    arrays = {"ids": np.array([1, 2]), "x": np.array([[0.5, 1], [2, value]], np.float32)}
    with pytest.raises(RefusedError) as refused:
        require_finite(arrays)
    assert str(refused.value) == f"x[1][1]: {value}; expected a finite number"
    require_finite({**arrays, "x": np.array([3.4e38], np.float32)})


def test_every_float_that_is_not_finite_is_found_in_the_bytes_of_an_example():
    columns = {"x": Column("x", "float", False)}
    signature = Signature("s", {}, (), "examples", columns, lambda rows: [])
    check = ExampleCheck((), signature)
    bits = [0x7F800000, 0xFF800000, 0x7F800001, 0x7FC00000, 0xFFFFFFFF, 0x7FFFFFFF]
    for value in np.array(bits, np.uint32).view(np.float32):
        row = models_for_tests.make_example(float(value), y=1.0)
        with pytest.raises(RefusedError, match=r"examples\[1\].x: "):
            check.check("examples", [_FIVE, row])
        unread = models_for_tests.make_example(1.0, y=float(value))
        check.check("examples", [unread])


@pytest.mark.parametrize("columns", [1, 30, 600, 5000])
def test_a_refusal_says_what_was_expected_however_much_is_missing(columns):
    names = [f"column_{number}" for number in range(columns)]
    said = str(RefusedError.lacking("examples[0]", names))
    assert said.startswith("examples[0]: without column_0") and said.endswith("; expected a value")
    assert all(name in said for name in names[:30]) and len(said) <= 1000
    long = str(RefusedError.malformed(f"x: {'9' * 5000}; expected a finite number"))
    assert long.startswith("x: 99") and long.endswith("99; expected a finite number")
