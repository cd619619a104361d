"""serving.validation and serving.server against real servers and real SavedModels."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from concurrent import futures

import grpc
import numpy as np
import psutil
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from fareline.errors import UserMistake
from fareline.packages import CHECKOUT
from serving.validation import check, process
from serving.validation.answers import compare, judge_output, judge_text
from serving.validation.check import Budgets, check_model
from serving.validation.child import CANNOT_RUN, Child
from serving.validation.probe import percentile
from serving.validation.process import ModelLoadError, ModelLoadTimeout, ModelServer, open_channel
from serving.validation.verdict import MACHINE_REASONS, CheckResult, Reason, RefusedModelError
from tests.component.serving import models_for_tests

# The matrix of faults starts two processes for each; on a busy machine that adds up.
pytestmark = pytest.mark.timeout(900)

_EXAMPLES = [models_for_tests.make_example(float(x)) for x in range(6)]
_ROOT = str(CHECKOUT)


@pytest.fixture(scope="module", autouse=True)
def _no_process_left():
    yield
    assert models_for_tests.running_servers() == []


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return models_for_tests.save_model(tmp_path_factory.mktemp("good") / "model", ballast_mib=3)


def _wait_until_gone(pids, seconds=10.0):
    """Waits until no process runs under these ids; one that nobody reaped has ended as well."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        running = [pid for pid in pids if _is_running(pid)]
        if not running:
            return
        time.sleep(0.05)
    pytest.fail(f"still running: {running}")


def _is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# --- A child that ends when it should ---------------------------------------------------------


def test_a_child_ends_with_the_block_and_says_how_it_ended(tmp_path):
    log = str(tmp_path / "log")
    child = Child(["sh", "-c", "echo to stdout; echo to stderr >&2; exit 3"], log, str(tmp_path))
    _wait_until_gone([child.pid])
    while child.exit_code is None:
        time.sleep(0.01)
    assert (child.exit_code, child.exit_reason) == (3, "exit code 3")
    assert sorted(child.log_tail().splitlines()) == ["to stderr", "to stdout"]
    child.stop()


def test_a_child_killed_by_a_signal_says_which(tmp_path):
    child = Child(["sh", "-c", "kill -SEGV $$"], str(tmp_path / "log"), str(tmp_path))
    while child.exit_code is None:
        time.sleep(0.01)
    assert child.exit_reason == "killed by SIGSEGV"
    child.stop()


def test_a_command_that_cannot_run_is_told_apart(tmp_path):
    child = Child(["no-such-program"], str(tmp_path / "log"), str(tmp_path))
    while child.exit_code is None:
        time.sleep(0.01)
    assert child.exit_code == CANNOT_RUN
    assert "No such file" in child.log_tail()
    child.stop()


def test_stop_ends_a_child_that_ignores_sigterm_and_what_it_started(tmp_path):
    script = "trap '' TERM; sleep 600 & echo $!; wait"
    child = Child(["sh", "-c", script], str(tmp_path / "log"), str(tmp_path))
    while not child.log_tail():
        time.sleep(0.01)
    grandchild = int(child.log_tail())
    started = time.monotonic()
    child.stop()
    assert 1.9 < time.monotonic() - started < 6
    _wait_until_gone([child.pid, grandchild])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_whoever_kills_the_owner_leaves_no_orphan(tmp_path, number):
    # The fork inherits the owner's end of the pipe, so that its closing alone would not tell.
    script = (
        "import os, sys, time\n"
        "from serving.validation.child import Child\n"
        f"child = Child(['sleep', '600'], {str(tmp_path / 'log')!r}, '/')\n"
        "fork = os.fork()\n"
        "if fork: print(child.pid, child._guard.pid, fork, flush=True)\n"
        "time.sleep(600)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=_ROOT)
    child, guard, fork = map(int, owner.stdout.readline().split())
    try:
        assert psutil.pid_exists(child) and psutil.pid_exists(guard)
        os.kill(owner.pid, number)
        owner.wait(10)
        _wait_until_gone([child, guard])
    finally:
        os.kill(fork, signal.SIGKILL)
        owner.stdout.close()


# --- Our server speaks TensorFlow Serving's API -----------------------------------------------


@pytest.fixture(scope="module")
def running(good, tmp_path_factory):
    log = str(tmp_path_factory.mktemp("log") / "server.log")
    with ModelServer(good, "taxi", log, 60) as model_server:
        pid = model_server.pid
        yield model_server
    assert not psutil.pid_exists(pid)
    assert model_server.exit_reason == "exit code 0"


@pytest.fixture(scope="module")
def channel(running):
    with open_channel(running.address) as opened:
        yield opened


def _predict(channel, tensor, name="taxi", key="examples", **spec):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = spec.get("signature", "")
    if "version" in spec:
        request.model_spec.version.value = spec["version"]
    request.inputs[key].CopyFrom(tensor)
    request.output_filter.extend(spec.get("output_filter", []))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    return stub.Predict(request, timeout=10)


def test_predict_answers_with_what_the_model_computes(channel):
    response = _predict(channel, tf.make_tensor_proto(_EXAMPLES), version=1)
    assert tf.make_ndarray(response.outputs["y"]).tolist() == [[0], [2], [4], [6], [8], [10]]
    assert response.outputs["y"].dtype == tf.float32.as_datatype_enum
    assert response.model_spec.name == "taxi"
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"


def test_requests_at_once_get_their_own_answers(channel):
    with futures.ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda x: _predict(
                channel, tf.make_tensor_proto([models_for_tests.make_example(float(x))])
            ),
            range(64),
        )
        values = [tf.make_ndarray(each.outputs["y"]).item() for each in answers]
    assert values == [2.0 * x for x in range(64)]


_BAD_REQUESTS = {
    "model": ({"name": "bus"}, "NOT_FOUND", "not found: 'bus'; expected 'taxi' version 1"),
    "version": ({"version": 7}, "NOT_FOUND", "'taxi' version 7; expected 'taxi' version 1"),
    "signature": (
        {"signature": "train"},
        "INVALID_ARGUMENT",
        "'train' not found; expected one of ['serving_default']",
    ),
    "input": (
        {"key": "rows"},
        "INVALID_ARGUMENT",
        "inputs are ['rows']; expected ['examples']",
    ),
    "output": (
        {"output_filter": ["z"]},
        "INVALID_ARGUMENT",
        "output_filter names ['z']; expected some of ['y']",
    ),
    "dtype": (
        {"tensor": tf.make_tensor_proto([1.0])},
        "INVALID_ARGUMENT",
        "input 'examples' is float32 (1,); expected string (None,)",
    ),
    "shape": (
        {"tensor": tf.make_tensor_proto([[b"a"]])},
        "INVALID_ARGUMENT",
        "input 'examples' is string (1, 1); expected string (None,)",
    ),
    "tensor": (
        {"tensor": tf.make_tensor_proto([1.0, 2.0], shape=[2])},
        "INVALID_ARGUMENT",
        "is not a tensor",
    ),
    "example": (
        {"tensor": tf.make_tensor_proto([b"not an example"])},
        "INVALID_ARGUMENT",
        "Could not parse example",
    ),
}
_BAD_REQUESTS["tensor"][0]["tensor"].tensor_content = b"abc"


@pytest.mark.parametrize("case", list(_BAD_REQUESTS))
def test_a_wrong_request_gets_the_right_status_and_what_was_expected(channel, case):
    arguments, code, words = _BAD_REQUESTS[case]
    arguments = {"tensor": tf.make_tensor_proto(_EXAMPLES), **arguments}
    with pytest.raises(grpc.RpcError) as error:
        _predict(channel, **arguments)
    assert error.value.code().name == code
    assert words in error.value.details()


def test_metadata_is_the_signature_as_saved(channel):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "taxi"
    signatures = get_model_metadata_pb2.SignatureDefMap()
    stub.GetModelMetadata(request, timeout=10).metadata["signature_def"].Unpack(signatures)
    signature = signatures.signature_def["serving_default"]
    assert signature.inputs["examples"].dtype == tf.string.as_datatype_enum
    assert signature.outputs["y"].dtype == tf.float32.as_datatype_enum
    assert signature.method_name == "tensorflow/serving/predict"

    request.metadata_field[:] = ["weights"]
    with pytest.raises(grpc.RpcError, match="expected .*signature_def") as error:
        stub.GetModelMetadata(request, timeout=10)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_status_is_available_for_the_model_and_not_found_for_another(channel):
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "taxi"
    (version,) = stub.GetModelStatus(request, timeout=10).model_version_status
    assert version.version == 1
    assert version.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE

    request.model_spec.name = "bus"
    with pytest.raises(grpc.RpcError) as error:
        stub.GetModelStatus(request, timeout=10)
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_memory_and_pid_are_those_of_the_server(running):
    assert "serving.server.server" in " ".join(psutil.Process(running.pid).cmdline())
    resident = psutil.Process(running.pid).memory_info().rss
    assert 100 * models_for_tests.MIB < resident <= running.peak_memory_bytes


def test_the_server_says_when_there_is_nothing_to_serve(tmp_path):
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "serving.server.server",
            "--model_name=a",
            f"--model_base_path={tmp_path}",
        ],
        capture_output=True,
        text=True,
        cwd=_ROOT,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "holds no model version; expected <number>/saved_model.pb" in ended.stderr


# --- Starting and failing to start ------------------------------------------------------------


def test_a_model_that_does_not_load_in_time(good, tmp_path):
    model_server = ModelServer(good, "taxi", str(tmp_path / "log"), startup_deadline_s=0.2)
    with pytest.raises(ModelLoadTimeout, match=r"had not loaded it after 0.2 s; expected a model"):
        model_server.__enter__()
    assert not psutil.pid_exists(model_server.pid)


def _install_tensorflow_serving(folder, monkeypatch, script):
    """Puts a stand-in for `tensorflow_model_server` on PATH: a shell script."""
    binary = folder / "bin" / "tensorflow_model_server"
    binary.parent.mkdir()
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{binary.parent}:{os.environ['PATH']}")


def test_the_real_server_is_used_where_there_is_one_and_a_taken_port_is_no_fault(
    good, tmp_path, monkeypatch
):
    # Loses its port once; then our server stands in, without the flags that only the real one has.
    script = f"""
    [ "$1" = --version ] && exit 0
    echo "$@" >> {tmp_path}/flags
    [ $(wc -l < {tmp_path}/flags) = 1 ] && echo "Address already in use" && exit 1
    exec {sys.executable} -m serving.server.server "$1" "$3" "$4"
    """
    _install_tensorflow_serving(tmp_path, monkeypatch, script)
    with ModelServer(good, "taxi", str(tmp_path / "log"), 60) as model_server:
        assert model_server.kind == "tensorflow_model_server"
        with open_channel(model_server.address) as channel:
            response = _predict(channel, tf.make_tensor_proto(_EXAMPLES[:2]))
        assert tf.make_ndarray(response.outputs["y"]).tolist() == [[0], [2]]
        pid = model_server.pid
    assert not psutil.pid_exists(pid)
    first, second = (tmp_path / "flags").read_text().splitlines()
    assert first.split()[0] != second.split()[0]
    assert "--rest_api_port=0 --model_name=taxi --model_base_path=" in second
    assert second.endswith("--max_num_load_retries=0 --grpc_channel_arguments=grpc.so_reuseport=0")


def test_a_server_that_dies_while_loading_is_the_models_fault(good, tmp_path, monkeypatch):
    script = '[ "$1" = --version ] && exit 0\necho "op Foo is unknown"; exit 4'
    _install_tensorflow_serving(tmp_path, monkeypatch, script)
    with pytest.raises(ModelLoadError, match=r"died while loading it \(exit code 4\)") as error:
        ModelServer(good, "taxi", str(tmp_path / "log"), 10).__enter__()
    assert str(error.value).endswith("\nop Foo is unknown")


@pytest.mark.parametrize("script", ["echo lib missing >&2; exit 3", "#!/nowhere"])
def test_a_server_that_cannot_run_is_the_machines_fault(good, tmp_path, monkeypatch, script):
    _install_tensorflow_serving(tmp_path, monkeypatch, script)
    if script.startswith("#!"):
        (tmp_path / "bin/tensorflow_model_server").write_text(script)
    result = check_model(good, _EXAMPLES, Budgets())
    assert (result.ok, result.reason, result.server) == (
        False,
        Reason.NO_SERVER,
        "tensorflow_model_server",
    )
    assert re.search("--version` failed.*expected a model server that", result.message)
    assert result.reason in MACHINE_REASONS


def test_our_own_server_that_cannot_run_is_the_machines_fault(good, monkeypatch):
    monkeypatch.setattr(process, "OWN_SERVER", "serving.nowhere")
    result = check_model(good, _EXAMPLES, Budgets())
    assert result.reason is Reason.NO_SERVER
    assert re.search(r"before it took up the model[\s\S]*No module named", result.message)


def test_a_port_that_is_always_taken_is_the_machines_fault(good, tmp_path, monkeypatch):
    script = f"""
    [ "$1" = --version ] && exit 0
    echo "$1" >> {tmp_path}/ports
    echo "E1122 Failed to bind: Address already in use"; exit 1
    """
    _install_tensorflow_serving(tmp_path, monkeypatch, script)
    result = check_model(good, _EXAMPLES, Budgets())
    assert result.reason is Reason.PORT_TAKEN and result.reason in MACHINE_REASONS
    assert "tensorflow_model_server: its port was taken, 3 times in a row" in result.message
    assert len(set((tmp_path / "ports").read_text().split())) == 3


def test_a_server_that_dies_at_once_is_told_from_a_model_that_kills_it(good, tmp_path, monkeypatch):
    script = '[ "$1" = --version ] && exit 0\nkill -SEGV $$'
    _install_tensorflow_serving(tmp_path, monkeypatch, script)
    result = check_model(good, _EXAMPLES, Budgets())
    assert result.reason is Reason.DIED_LOADING
    assert "tensorflow_model_server died while loading it (killed by SIGSEGV)" in result.message


# --- The check --------------------------------------------------------------------------------


# What an answer alone tells is in test_plants, which starts no server.
_CHECKS = {
    "good": {},
    "nan": {"change": "nan"},
    "spinning": {"change": "spinning", "rpc_seconds": 1.0},
    "hanging": {"change": "hanging", "load_seconds": 6.0},
    "exiting": {"change": "exiting"},
    "growing": {"change": "growing", "memory_mb": 1000.0},
    "memory": {"memory_mb": 50.0},
    "latency": {"change": "slow", "latency_ms": {"batch_1": {"p99": 1e4}, "batch_32": {"p95": 2}}},
}
_BUDGETS = {"rpc_seconds", "load_seconds", "memory_mb", "latency_ms"}


@pytest.fixture(scope="module")
def results(good, tmp_path_factory):
    """Name -> (CheckResult, seconds); two at a time, since each waits for a server to start."""
    folder = tmp_path_factory.mktemp("checked")
    before = models_for_tests.running_servers()  # that of another fixture
    models = {}
    for name, case in _CHECKS.items():
        wanted = {key: case[key] for key in case.keys() - _BUDGETS}
        models[name] = models_for_tests.save_model(folder / name, **wanted) if wanted else good

    def run(name):
        budgets = {key: _CHECKS[name][key] for key in _CHECKS[name].keys() & _BUDGETS}
        started = time.monotonic()
        result = check_model(models[name], _EXAMPLES, Budgets(**budgets), model_name="taxi")
        return result, time.monotonic() - started

    with futures.ThreadPoolExecutor(2) as pool:
        found = dict(zip(_CHECKS, pool.map(run, _CHECKS), strict=True))
    # Of all of them, those that hang, crash and grow included.
    assert models_for_tests.running_servers() == before
    return found


def test_a_good_model_passes_with_everything_measured(results):
    result, _ = results["good"]
    assert result.ok and result.reason is Reason.OK and result.message == ""
    told = json.loads(json.dumps(result.to_json()))
    assert list(told) == [
        "ok",
        "reason",
        "message",
        "latency_ms",
        "load_seconds",
        "peak_memory_mb",
        "size_mb",
        "num_requests",
        "largest_difference",
        "server",
        "latency_quantiles_ms",
        "memory_mb",
    ]
    assert list(told["latency_ms"]) == ["batch_1", "batch_32"]
    for batch in told["latency_ms"].values():
        assert list(batch) == ["p50", "p95", "p99"]
        assert 0 < batch["p50"] <= batch["p95"] <= batch["p99"] < 2000
    assert 0.5 < told["load_seconds"] < 60
    assert 100 < told["peak_memory_mb"] < 2048
    assert 3.0 < told["size_mb"] < 3.1
    # Each of 6 alone, 32 together, 5 other batches, 4 by each of 4 clients, odd examples in halves
    # until those 2 that lack x, and are refused, are apart, and two rounds of 5 to warm up and 5 to
    # 200 timed.
    once = 6 + 1 + 5 + 4 * 4 + 7
    assert once + 2 * 10 <= told["num_requests"] <= once + 2 * 205
    assert told["largest_difference"] == 0.0
    assert told["server"] == "serving.server.server"
    for batch, times in told["latency_quantiles_ms"].items():
        assert len(times) == 21 and times == sorted(times)
        assert times[10] >= told["latency_ms"][batch]["p50"] > 0  # the best round of those
    # Loaded, and after a round of each batch, unless a busy machine made it two.
    assert 3 <= len(told["memory_mb"]) <= 5
    assert all(100 < held <= told["peak_memory_mb"] for held in told["memory_mb"])


_REFUSALS = {
    "nan": ("not_a_number", r"output 'y' for a batch of 1: holds nan and 1 of 1 values"),
    "spinning": ("rpc_timeout", r"the request for a batch of 1: no answer within 1 s"),
    "hanging": ("load_timeout", r"had not loaded it after 6 s"),
    "exiting": ("died_loading", r"died while loading it \(exit code 0\)"),
    "growing": ("too_much_memory", r"for a batch of 1: the server exceeded its memory budget"),
    "memory": ("too_much_memory", r"serving.server.server passed 50 MB while loading it"),
    "latency": ("too_slow", r"with 32 examples: 95 % took up to [\d.e+]+ ms; expected at most 2"),
}


@pytest.mark.parametrize("case", list(_REFUSALS))
def test_a_broken_model_is_refused_with_its_reason(results, case):
    result, _ = results[case]
    reason, words = _REFUSALS[case]
    assert not result.ok
    assert result.reason.value == result.to_json()["reason"] == reason

    assert re.search(words, result.message), result.message
    assert "Hint:" in result.message


def test_what_was_measured_before_a_refusal_is_kept(results):
    refused = results["nan"][0].to_json()
    assert refused["num_requests"] == 4  # 0, 2 and 4 are fine; the fourth answer, 6, is NaN.
    assert refused["peak_memory_mb"] > 100
    assert refused["latency_ms"]["batch_1"] == {"p50": None, "p95": None, "p99": None}
    assert results["latency"][0].latency_ms["batch_32"]["p95"] > 2
    grown = results["growing"][0]
    assert 1000 < grown.peak_memory_mb < 4000  # stopped soon after it passed the limit


def test_an_endless_answer_ends_with_its_deadline(results):
    result, seconds = results["spinning"]
    assert seconds < result.load_seconds + 1.0 + 10


@pytest.fixture(scope="module")
def with_vocabulary(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabulary")
    (folder / "words").write_text("word\n")
    return models_for_tests.save_model(folder / "model", vocabulary=str(folder / "words"))


@pytest.mark.parametrize(
    ("damage", "reason", "words"),
    [
        ("truncated", "unreadable", "saved_model.pb: cannot be read (Error parsing message"),
        ("empty", "unreadable", "saved_model.pb: holds no graph with the tag 'serve'"),
        ("no variables", "no_variables", "lacks variables/variables.index"),
        ("no assets", "no_asset", "lacks assets/words"),
    ],
)
def test_damaged_files_are_refused_without_a_server(
    with_vocabulary, tmp_path, damage, reason, words
):
    broken = models_for_tests.copy_broken(with_vocabulary, str(tmp_path / "model"), damage)
    result = check_model(broken, _EXAMPLES, Budgets())
    assert (result.ok, result.reason.value, result.server) == (False, reason, None)
    assert words in result.message


def test_a_missing_shard_of_the_variables_is_noticed(good, tmp_path):
    broken = models_for_tests.copy_broken(good, str(tmp_path / "model"), "truncated")
    shutil.copy(os.path.join(good, "saved_model.pb"), broken)
    os.remove(os.path.join(broken, "variables", "variables.data-00000-of-00001"))
    result = check_model(broken, _EXAMPLES, Budgets())
    assert result.reason is Reason.NO_VARIABLES and "of which 0 are there" in result.message


def test_a_model_that_calls_python_is_refused_without_a_server(tmp_path):
    model = models_for_tests.save_model(tmp_path / "model", "python")
    result = check_model(model, _EXAMPLES, Budgets())
    assert (result.reason, result.server) == (Reason.PYTHON_FUNCTION, None)
    assert "calls Python in" in result.message


def test_a_missing_model_is_refused(tmp_path):
    result = check_model(str(tmp_path / "nowhere"), _EXAMPLES, Budgets())
    assert result.reason is Reason.UNREADABLE and "No such file" in result.message


def test_a_model_over_its_size_is_refused_without_a_server(good):
    result = check_model(good, _EXAMPLES, Budgets(size_mb=2))
    assert (result.reason, result.server) == (Reason.TOO_LARGE, None)
    assert "its files take 3.0" in result.message and "at most 2 MB" in result.message


def test_a_load_that_takes_too_long_is_refused(good):
    result = check_model(good, _EXAMPLES, Budgets(load_seconds=0.2))
    assert result.reason is Reason.LOAD_TIMEOUT
    assert result.server == "serving.server.server" and result.load_seconds is None
    assert result.message.startswith(f"{good}: ")  # Not the copy that was served.


def test_a_server_that_dies_while_answering_is_refused(good, monkeypatch):
    real = ModelServer.__enter__

    def enter_then_die(self):
        entered = real(self)
        os.kill(self.pid, signal.SIGKILL)
        return entered

    monkeypatch.setattr(ModelServer, "__enter__", enter_then_die)
    result = check_model(good, _EXAMPLES, Budgets())
    assert result.reason is Reason.DIED_SERVING
    assert "the server died (killed by SIGKILL)" in result.message


def test_what_is_served_is_a_copy_that_is_gone_afterwards(good, monkeypatch):
    served = []
    start = ModelServer.__init__

    def note(self, model_dir, *arguments):
        served.append(model_dir)
        start(self, model_dir, *arguments)
        raise ModelLoadTimeout(f"{model_dir}: not loaded")

    monkeypatch.setattr(ModelServer, "__init__", note)
    with pytest.raises(ModelLoadTimeout):
        check_model(good, _EXAMPLES, Budgets())
    (copy,) = served
    assert not copy.startswith(good) and not os.path.exists(os.path.dirname(copy))


def test_no_examples_is_the_callers_mistake(good):
    with pytest.raises(UserMistake, match="no examples to ask about; expected at least one"):
        check_model(good, [], Budgets())


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (tf.constant([["a"]]), Reason.WRONG_DTYPE),
        (tf.constant([[1]]), Reason.WRONG_DTYPE),
        (tf.constant(1.0), Reason.WRONG_SHAPE),
        (tf.constant([[1.0], [2.0]]), Reason.WRONG_SHAPE),
        (tf.constant([[float("inf")]]), Reason.INFINITE),
        (tf.constant([[float("nan")]], tf.bfloat16), Reason.NOT_A_NUMBER),
    ],
)
def test_every_output_is_judged(values, reason):
    with pytest.raises(RefusedModelError) as error:
        judge_output("y", tf.make_tensor_proto(values.numpy()), batch=1)
    assert error.value.reason is reason


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float32, tf.float64])
def test_finite_floats_of_any_width_pass(dtype):
    output = tf.make_tensor_proto(tf.constant([[0.5, -1.0], [2.0, 3.0]], dtype).numpy())
    assert judge_output("y", output, batch=2).tolist() == [[0.5, -1.0], [2.0, 3.0]]


def test_texts_beside_floats_have_a_row_per_example_too():
    classes = tf.make_tensor_proto(np.array([[b"Cash"], [b"Credit Card"]]))
    assert judge_text("class", classes, batch=2).tolist() == [[b"Cash"], [b"Credit Card"]]
    with pytest.raises(RefusedModelError) as error:
        judge_text("class", classes, batch=1)
    assert error.value.reason is Reason.WRONG_SHAPE


def test_a_text_that_differs_is_refused():
    served = {"p": np.array([[0.2]]), "class": np.array([[b"Cash"]])}
    assert compare(served, served, 1e-4, "") == 0
    with pytest.raises(RefusedModelError, match="b'Cash' for example 0; expected b'Card'") as error:
        compare(served, served | {"class": np.array([[b"Card"]])}, 1e-4, "")
    assert error.value.reason is Reason.DIFFERS


def test_percentiles_are_nearest_rank():
    values = [float(value) for value in range(20, 0, -1)]
    assert (percentile(values, 50), percentile(values, 95), percentile([7.0], 95)) == (10, 19, 7)


def test_budgets_from_settings_convert_and_refuse():
    assert Budgets.from_mapping({"size_mb": 10, "num_examples": 8.0}) == Budgets(
        size_mb=10.0, num_examples=8
    )
    limits = {"batch_32": {"p99": 5}}
    assert Budgets.from_mapping({"latency_ms": limits}).latency_ms == limits
    for wrong, words in (
        ({"latency": 1}, "budgets.latency: no such budget; expected some of load_"),
        ({"latency_ms": 5}, "budgets.latency_ms.5: no such budget; expected some of batch_1, bat"),
        ({"latency_ms": {"batch_1": {"p9": 5}}}, "batch_1.p9: no such budget; expected some of p5"),
        ({"latency_ms": {"batch_1": {"p99": -5}}}, "batch_1.p99: -5; expected a number above 0"),
    ):
        with pytest.raises(UserMistake, match=words):
            Budgets.from_mapping(wrong)
    for value in (0, -1.0, float("nan"), float("inf"), "9", True):
        with pytest.raises(UserMistake, match="budgets.memory_mb: .*; expected a number above 0"):
            Budgets.from_mapping({"memory_mb": value})


def test_an_unmeasured_result_has_every_key():
    assert CheckResult().to_json()["latency_ms"]["batch_32"] == {
        "p50": None,
        "p95": None,
        "p99": None,
    }
    assert set(CheckResult().to_json()) == set(CheckResult.__dataclass_fields__)
    assert check.BIG_BATCH == 32
