"""`fareline serve`: a real server process, asked over gRPC and REST as its users would."""

import base64
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import grpc
import psutil
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from fareline.digests import sha256_of_folder
from serving.validation.process import open_channel
from serving.versions.publish import publish
from tests.component.serving import models_for_tests
from tests.e2e.conftest import fareline_command

pytestmark = pytest.mark.timeout(600)

_FIVE = models_for_tests.make_example(5.0)
_START = re.compile(r"serving (\S+) version (\d+): gRPC \S+:(\d+), REST (http://\S+)")


class Server:
    """A running `fareline serve`.

    Attributes:
        process: The command.
        grpc: Address.
        url: Of the model.
        log: File that its stderr goes to.
    """

    def __init__(self, folder, *arguments):
        self.log = folder / "stderr"
        call = fareline_command("serve", "--grpc-port", 0, "--rest-port", 0, *arguments)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(**call, stderr=log, stdout=subprocess.PIPE)
        started = self.wait_for(_START.pattern)
        self.grpc, self.url = f"127.0.0.1:{started[3]}", started[4]

    def wait_for(self, pattern, seconds=120):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = re.search(pattern, self.log.read_text())
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"no {pattern!r} in:\n{self.log.read_text()}")

    def processor_seconds(self):
        process = psutil.Process(self.process.pid)
        return sum(sum(p.cpu_times()[:2]) for p in [process, *process.children(recursive=True)])

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        stdout, _ = self.process.communicate(timeout=30)
        assert stdout == b""
        return self.process.returncode

    def ask(self, path="", body=None):
        """Returns status and parsed answer."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(self.url + path, data, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@contextlib.contextmanager
def serving(folder, *arguments):
    server = Server(folder, *arguments)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.communicate()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {
        factor: models_for_tests.save_model(folder / str(factor), factor=float(factor))
        for factor in (2, 3)
    }


@pytest.fixture(scope="module")
def served(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    publish(models[2], str(folder / "base"), version=1)
    config = folder / "settings.yaml"
    taxi = fareline_command()["cwd"] / "pipeline" / "configs" / "taxi.yaml"
    config.write_text(taxi.read_text().replace("log_exclude: []", "log_exclude: [name]"))
    with serving(
        folder, "--model-dir", folder / "base", "--name", "taxi", "--config", config,
        "--log-share", 1, "--workspace", folder,
    ) as server:  # fmt: skip
        server.logs = folder / "serving_logs"
        yield server
        assert server.stop() == 0


def logged_lines(server):
    return [line for path in sorted(server.logs.iterdir()) for line in path.open()]


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


_BODIES = {
    "rows of bytes": ({"instances": [b64(_FIVE), b64(_FIVE)]}, {"predictions": [[10.0], [10.0]]}),
    "named": ({"instances": [{"examples": b64(_FIVE)}]}, {"predictions": [[10.0]]}),
    "columnar": ({"inputs": {"examples": [b64(_FIVE)]}}, {"outputs": [[10.0]]}),
    "unnamed": ({"inputs": [b64(_FIVE)]}, {"outputs": [[10.0]]}),
    "plain": ({"instances": [{"x": 5}]}, {"predictions": [[10.0]]}),
    "optional": (
        {"instances": [{"x": 0.1, "name": "a", "count": 2}, {"x": 1.5, "name": None}]},
        {"predictions": [[0.2], [3.0]]},
    ),
    "mixed": ({"instances": [{"x": 5}, b64(_FIVE)]}, {"predictions": [[10.0], [10.0]]}),
    "plain columns": ({"inputs": {"x": [1, 2], "count": [None, 3]}}, {"outputs": [[2.0], [4.0]]}),
    "signature": (
        {"signature_name": "serving_default", "instances": [{"x": 5}]},
        {"predictions": [[10.0]]},
    ),
}


@pytest.mark.parametrize("case", list(_BODIES))
def test_rest_predicts(served, case):
    body, answer = _BODIES[case]
    assert served.ask(":predict", body) == (200, answer)
    assert served.ask("/versions/1:predict", body) == (200, answer)


_NOT_JSON = "the body is not JSON (Expecting"
_WRONG = {
    "no JSON": (b'{"instances": ', 400, _NOT_JSON),
    "a list": ([1], 400, "the body is list; expected"),
    "neither": ({"rows": []}, 400, "the body has ['rows']; expected either instances or inputs"),
    "both": ({"instances": [1], "inputs": [1]}, 400, "expected either instances or inputs"),
    "no rows": ({"instances": []}, 400, "instances: expected a list with at least one entry"),
    "a number": ({"instances": [5]}, 400, 'instances[0]: int; expected {"b64"'),
    "column": ({"instances": [{"x": 1, "nmae": "a"}]}, 400, "no column 'nmae'; did you mean name"),
    "missing": ({"instances": [{"x": 1}, {"count": 1}]}, 400, "instances[1]: without x; expected"),
    "null": ({"instances": [{"x": None}]}, 400, "instances[0]: without x; expected a value"),
    "text": ({"instances": [{"x": "5"}]}, 400, "instances[0].x: '5'; expected a finite number"),
    "nan": (b'{"instances": [{"x": NaN}]}', 400, "instances[0].x: nan; expected a finite number"),
    "huge": ({"instances": [{"x": 10**40}]}, 400, "expected a finite number"),
    "fraction": ({"instances": [{"x": 1, "count": 1.5}]}, 400, "count: 1.5; expected an integer"),
    "true": ({"instances": [{"x": 1, "name": True}]}, 400, "name: True; expected text"),
    "64 bits": ({"instances": [{"x": 1, "count": 2**63}]}, 400, "expected an integer"),
    "list": ({"instances": [{"x": 1, "name": ["a"]}]}, 400, "name: ['a']; expected text"),
    "base 64": ({"instances": [{"b64": "%%%"}]}, 400, "instances[0]: not base 64"),
    "no example": ({"instances": [b64(b"no example")]}, 400, "Could not parse example input"),
    "lengths": ({"inputs": {"x": [1, 2], "count": [1]}}, 400, "lists of one length"),
    "signature": ({"signature_name": "train", "inputs": [1]}, 400, "signature 'train' not found"),
    "signature's type": ({"signature_name": 5, "inputs": [1]}, 400, "signature_name is 5"),
    "deep": (b'{"instances": ' + b"[" * 100_000, 400, "the body is not JSON"),
}


@pytest.mark.parametrize("case", list(_WRONG))
def test_a_malformed_request_gets_400_and_the_reason_in_one_line(served, case):
    body, status, words = _WRONG[case]
    found, answer = served.ask(":predict", body)
    assert (found, list(answer)) == (status, ["error"])
    assert words in answer["error"]
    assert "\n" not in answer["error"]


def test_what_is_not_there_is_404_and_what_is_too_large_413(served):
    other = served.url.replace("taxi", "bus")
    for url in (other, f"{served.url}/versions/7", f"{served.url}/nothing"):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(url, timeout=30)
        assert error.value.code == 404
        assert list(json.load(error.value)) == ["error"]
    assert served.ask(":predict", b"x" * (17 << 20))[0] == 413
    assert served.ask(":predict", {"instances": [{"x": 5}]})[0] == 200


def test_status_and_metadata_are_those_of_tensorflow_serving(served):
    state = {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    assert served.ask() == (200, {"model_version_status": [state]})
    status, answer = served.ask("/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "taxi", "signature_name": "", "version": "1"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["examples"]["dtype"] == "DT_STRING"
    assert signature["method_name"] == "tensorflow/serving/predict"


def test_prometheus_reads_requests_errors_latency_and_version(served):
    def read():
        address = served.url.partition("/v1/")[0] + "/metrics"
        with urllib.request.urlopen(address, timeout=30) as response:
            assert response.headers["Content-Type"].startswith("text/plain; version=")
            lines = [line.rpartition(" ") for line in response.read().decode().splitlines()]
        return {name: float(value) for name, _, value in lines if not name.startswith("#")}

    before = read()
    assert served.ask(":predict", {"instances": [{"x": 5}]})[0] == 200
    assert served.ask(":predict", b"no JSON")[0] == 400
    with open_channel(served.grpc) as channel, pytest.raises(grpc.RpcError):
        _predict(channel, b"no example")
    after = read()
    grown = {name: after[name] - before.get(name, 0) for name in after}
    assert grown['fareline_requests_total{protocol="rest"}'] == 2
    assert grown['fareline_request_errors_total{code="400",protocol="rest"}'] == 1
    assert grown['fareline_requests_total{protocol="grpc"}'] == 1
    assert grown['fareline_request_errors_total{code="INVALID_ARGUMENT",protocol="grpc"}'] == 1
    assert grown['fareline_request_seconds_bucket{le="+Inf",protocol="rest"}'] == 2
    assert 0 < grown['fareline_request_seconds_sum{protocol="rest"}'] < 30
    assert after['fareline_model_version{model="taxi"}'] == 1


@pytest.mark.needs("curl")
def test_curl_as_the_documents_have_it(served):
    command = ["curl", "--silent", "--noproxy", "*", f"{served.url}:predict"]
    answer = subprocess.run(
        [*command, "-d", '{"instances": [{"x": 5}]}'], capture_output=True, check=True, timeout=30
    )
    assert json.loads(answer.stdout) == {"predictions": [[10.0]]}


def _predict(channel, *examples):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "taxi"
    request.inputs["examples"].CopyFrom(tf.make_tensor_proto(list(examples)))
    return prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=30)


def test_a_bad_request_does_not_harm_those_that_are_answered_with_it(served):
    answers = {}
    with open_channel(served.grpc) as channel:

        def ask(number):
            example = models_for_tests.make_example(float(number)) if number % 3 else b"bad"
            try:
                answers[number] = tf.make_ndarray(_predict(channel, example).outputs["y"]).item()
            except grpc.RpcError as error:
                answers[number] = error.code()

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(48)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    refused = grpc.StatusCode.INVALID_ARGUMENT
    assert answers == {n: 2.0 * n if n % 3 else refused for n in range(48)}


def test_the_request_log_holds_the_columns_less_those_excluded(served):
    body = {"instances": [{"x": 0.7, "name": "Ada", "count": 4242}]}
    with urllib.request.urlopen(served.url + ":predict", json.dumps(body).encode()) as response:
        told = response.headers["Fareline-Prediction-Id"]
    entries = []
    end = time.monotonic() + 10
    while not entries and time.monotonic() < end:
        entries = [json.loads(line) for line in logged_lines(served) if '"count": 4242' in line]
        time.sleep(0.05)
    (entry,) = entries
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "id": told,
        "model": "taxi",
        "version": 1,
        "sha256": sha256_of_folder(served.logs.parent / "base" / "1"),
        "protocol": "rest",
        "weight": 1.0,
        "score": 1.4,
        "features": {"count": 4242, "x": 0.7},
    }
    assert "Ada" not in "".join(logged_lines(served))


def test_a_grpc_caller_gets_the_id_of_each_row(served):
    with open_channel(served.grpc) as channel:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "taxi"
        rows = [models_for_tests.make_example(x) for x in (71.5, 72.5)]
        request.inputs["examples"].CopyFrom(tf.make_tensor_proto(rows))
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        _, call = stub.Predict.with_call(request, timeout=30)
    told = dict(call.trailing_metadata())["fareline-prediction-id"]
    end = time.monotonic() + 10
    while (
        lines := [m for m in logged_lines(served) if told in m]
    ) == [] and time.monotonic() < end:
        time.sleep(0.05)
    entries = [json.loads(line) for line in lines]
    assert [(e["id"], e["features"]["x"], e["score"]) for e in entries] == [
        (f"{told}-0", 71.5, 143.0),
        (f"{told}-1", 72.5, 145.0),
    ]


# --- From one version to another ---------------------------------------------------------------


class Load:
    """Requests over both protocols from several threads, until `stop()`."""

    def __init__(self, server):
        self.answers, self.failures = [], []
        self._server = server
        self._ended = threading.Event()
        clients = (self._grpc, self._grpc, self._rest, self._rest)
        self._threads = [threading.Thread(target=self._repeat, args=(each,)) for each in clients]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, client):
        with open_channel(self._server.grpc) as channel:
            while not self._ended.is_set():
                try:
                    self.answers.append(client(channel))
                except (grpc.RpcError, OSError, ValueError, AssertionError) as error:
                    self.failures.append(repr(error))

    def _grpc(self, channel):
        answer = _predict(channel, _FIVE)
        value = tf.make_ndarray(answer.outputs["y"]).item()
        assert value == {1: 10.0, 2: 15.0}[answer.model_spec.version.value]
        return value

    def _rest(self, _):
        status, answer = self._server.ask(":predict", {"instances": [{"x": 5}]})
        assert status == 200
        return answer["predictions"][0][0]


def test_no_request_fails_while_versions_change(models, tmp_path):
    base = tmp_path / "base"
    publish(models[2], str(base), version=1)
    with serving(tmp_path, "--model-dir", base, "--name", "taxi") as server:
        load = Load(server)
        publish(models[3], str(base), version=2)
        server.wait_for("version 2 has taken over from 1")
        server.wait_for("version 1 is unloaded")
        os.rename(base / "2", base / ".2")  # a rollback: another version becomes the highest
        server.wait_for("version 1 has taken over from 2")
        server.wait_for("version 2 is unloaded")
        broken = models_for_tests.copy_broken(models[3], str(base / "3"), "truncated")
        server.wait_for(f"version 1 stays in use: {broken}: cannot be loaded")
        time.sleep(0.2)
        load.stop()
        assert load.failures == []
        assert set(load.answers) == {10.0, 15.0}
        assert len(load.answers) > 100

        _, answer = server.ask()
        states = {each["version"]: each["state"] for each in answer["model_version_status"]}
        assert states == {"3": "END", "1": "AVAILABLE"}
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "taxi"
        with open_channel(server.grpc) as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            versions = stub.GetModelStatus(request, timeout=10).model_version_status
        assert [each.version for each in versions] == [3, 1]
        assert "cannot be loaded" in versions[0].status.error_message
        assert server.stop(signal.SIGINT) == 0
    assert "Traceback" not in server.log.read_text()


def test_what_is_under_way_is_answered_before_the_end(tmp_path):
    models_for_tests.save_model(tmp_path / "base" / "1", "very slow")
    with serving(tmp_path, "--model-dir", tmp_path / "base") as server:
        answers = []
        client = threading.Thread(
            target=lambda: answers.append(server.ask(":predict", {"instances": [{"x": 5}]}))
        )
        idle = server.processor_seconds()
        client.start()
        while not answers and server.processor_seconds() < idle + 0.3:  # it is at work on this
            time.sleep(0.05)
        assert not answers  # or the test would say nothing
        assert server.stop() == 0
        client.join()
        assert answers == [(200, {"predictions": [[10.0]]})]


# --- What cannot be served ----------------------------------------------------------------------


def _refused(*arguments):
    ended = subprocess.run(
        **fareline_command("serve", *arguments), capture_output=True, text=True, timeout=120
    )
    assert ended.stdout == ""
    # TensorFlow 2.21 greets on stderr whatever it is told; of ours there is one line.
    *greetings, said = ended.stderr.splitlines(keepends=True)
    assert not [line for line in greetings if "fareline" in line or "Traceback" in line]
    if tf.__version__.startswith("2.16."):
        assert greetings == []
    return ended.returncode, said


def test_nothing_pushed_yet_is_the_users_mistake(tmp_path):
    code, line = _refused("--workspace", tmp_path)
    assert code == 2
    assert f"{tmp_path}/serving/chicago-taxi: no such folder; expected <number>/saved_m" in line
    (tmp_path / "5").mkdir()
    code, line = _refused("--model-dir", tmp_path)
    assert code == 2
    assert f"{tmp_path}: holds no model version; expected <number>/saved_model.pb" in line


@pytest.mark.parametrize("protocol", ["gRPC", "REST"])
def test_a_taken_port_is_the_users_mistake(models, tmp_path, protocol):
    publish(models[2], str(tmp_path), version=1)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ports = {"gRPC": 0, "REST": 0, protocol: port}
        code, line = _refused(
            "--model-dir", tmp_path, "--grpc-port", ports["gRPC"], "--rest-port", ports["REST"]
        )
    assert code == 2
    assert f"{protocol} port {port}: Address already in use; expected" in line
    assert f"Hint: name another with --{protocol.lower()}-port" in line


def test_a_model_that_cannot_be_loaded_is_one_line(models, tmp_path):
    models_for_tests.copy_broken(models[2], str(tmp_path / "1"), "truncated")
    code, line = _refused("--model-dir", tmp_path, "--grpc-port", 0, "--rest-port", 0)
    assert code == 1
    assert f"{tmp_path}/1: cannot be loaded (" in line


def test_it_starts_without_what_it_does_not_need():
    code = (
        "import sys, serving.server.server; "
        "print([m for m in ('tfx', 'aiohttp', 'prometheus_client') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.stdout == "[]\n"
