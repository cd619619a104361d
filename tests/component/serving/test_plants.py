"""serving.validation.interview against models that are wrong in one way each.

The client and the servable are the real ones, in one process: no server is started, so that a model
costs a second. tests/component/serving/test_check.py asks real servers.
"""

from types import SimpleNamespace
from unittest.mock import Mock

import grpc
import numpy as np
import psutil
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from cli import predict
from serving.model.servable import RefusedError, Servable, explain_op_error, read_tensors
from serving.server.batching import MOST_ROWS
from serving.validation import check, interview, probe, reference
from serving.validation.answers import MOST_BYTES, MOST_ROWS_ASKED, Contract
from serving.validation.check import check_model
from serving.validation.interview import Interview
from serving.validation.odd_requests import odd_requests
from serving.validation.probe import Probe
from serving.validation.saved_files import check_outputs, read_graph
from serving.validation.verdict import Budgets, CheckResult, Reason, RefusedModelError
from tests.component.serving import models_for_tests, planted_answers
from tests.component.serving.planted_answers import make_example

# None of them is what a model answers where a feature is missing.
_EXAMPLES = [make_example(0.1 * x - 0.4, x % 3 + 4, "bc"[x % 2]) for x in (0, 1, 2, 3, 6, 7)]
_BUDGETS = Budgets(latency_ms={})


class _RpcError(grpc.RpcError):
    def __init__(self, code, details):
        super().__init__(details)
        self.code, self.details = lambda: code, lambda: details


class _InProcess(Probe):
    """The client, with a stub that calls the servable in the thread of the request."""

    def __init__(self, model_dir):
        self._servable = Servable("model", 1, model_dir)
        super().__init__(_NoServer(), "model", 10.0)
        self._channel.close()
        self._stub = self

    def __exit__(self, *_):
        self._servable.close()

    @property
    def memory_bytes(self):
        return psutil.Process().memory_info().rss

    def Predict(self, request, timeout):  # noqa: N802 - gRPC calls it so
        signature = self._servable.find_signature(request.model_spec.signature_name)
        try:
            outputs = signature.run(read_tensors(request.inputs, signature))
        except (tf.errors.InvalidArgumentError, RefusedError) as error:
            told = explain_op_error(error) if isinstance(error, tf.errors.OpError) else str(error)
            raise _RpcError(grpc.StatusCode.INVALID_ARGUMENT, told) from error
        except tf.errors.OpError as error:
            raise _RpcError(grpc.StatusCode.INTERNAL, explain_op_error(error)) from error
        response = predict_pb2.PredictResponse()
        for name, values in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
        return response

    def GetModelMetadata(self, request, timeout):  # noqa: N802 - gRPC calls it so
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, definition in self._servable.signature_defs.items():
            signatures.signature_def[name].CopyFrom(definition)
        response.metadata["signature_def"].Pack(signatures)
        return response


class _NoServer:
    address = "127.0.0.1:1"
    exit_reason = None


def _interview(model_dir, task, tmp_path, examples=_EXAMPLES) -> CheckResult:
    """Asks a model everything; raises its refusal. That its graph tells of state is no matter."""
    result = CheckResult()
    check_outputs(read_graph(model_dir), probe.SIGNATURE)
    with _InProcess(model_dir) as client:
        contract = Contract(task, 3 if task == "multiclass" else 0)
        Interview(client, examples, _BUDGETS, contract, result).run(
            lambda: _predict_in_process(model_dir, examples, tmp_path)
        )
    return result


def _predict_in_process(model_dir, requests, folder):
    """What the child of the reference does, and what is read of it."""
    examples = reference.Reference(model_dir, probe.SIGNATURE, requests, str(folder))
    examples.write()
    assert reference.main(examples.arguments) == 0
    return examples.wait(1)


@pytest.fixture(autouse=True)
def _fewer_rounds(monkeypatch):
    # Enough of them for what is planted to come up after 60 requests.
    monkeypatch.setattr(probe, "_TIMED_CALLS", 60)


# One variant of each sentence runs in `make test`; all of them in `make test-plants`.
_VARIANTS = [
    pytest.param(
        *variant,
        id=f"{sentence}, {name}",
        marks=[] if place == 0 else pytest.mark.plants,
    )
    for sentence, variants in planted_answers.PLANTS.items()
    for place, (name, variant) in enumerate(variants.items())
]


@pytest.mark.parametrize(("answer", "task", "reason"), _VARIANTS)
def test_a_planted_model_is_refused_with_its_reason(tmp_path, answer, task, reason):
    model = planted_answers.save_planted(tmp_path / "model", answer)
    with pytest.raises(RefusedModelError) as error:
        _interview(model, task, tmp_path)
    assert error.value.reason.value == reason, str(error.value)
    assert "Hint:" in str(error.value) and "expected" in str(error.value)


@pytest.mark.parametrize(
    ("model", "reason", "words"),
    [
        ({"change": "infinite"}, "infinite",
         r"output 'y' for a batch of 1: holds inf and 1 of 1 values"),
        ({"change": "summed"}, "wrong_shape",
         r"for a batch of 32: has shape \[1\]; expected \[32, …\]"),
        ({"change": "random"}, "differs",
         r"output 'y': [\d.]+ for example \d; expected [\d.]+ in process"),
        ({"signature": "score"}, "no_signature",
         r"found \['score'\]; expected serving_default"),
        ({"input_name": "rows"}, "wrong_input",
         r"takes {'rows': 'DT_STRING'}.*expected one string input 'examples'"),
    ],
    ids=["infinite", "summed", "random", "signature", "input"],
)  # fmt: skip
def test_a_broken_model_is_refused_with_its_reason(tmp_path, model, reason, words):
    """Others, for which a server matters, in test_check."""
    folder = models_for_tests.save_model(tmp_path / "model", **model)
    examples = [models_for_tests.make_example(float(x)) for x in range(6)]
    with pytest.raises(RefusedModelError, match=words) as error:
        _interview(folder, "", tmp_path, examples)
    assert error.value.reason.value == reason
    assert "Hint:" in str(error.value)


@pytest.mark.plants
@pytest.mark.parametrize("name", list(planted_answers.IN_SERVER))
def test_a_planted_model_is_refused_in_a_real_server(tmp_path, monkeypatch, name):
    # The graph tells of what requests change; here it must be told by the answers.
    monkeypatch.setattr(check, "check_state", lambda *_: None)
    answer, reason = planted_answers.IN_SERVER[name]
    model = planted_answers.save_planted(tmp_path / "model", answer)
    budgets = Budgets(latency_ms={}, rpc_seconds=3.0)
    result = check_model(model, _EXAMPLES, budgets, contract=Contract("binary"))
    assert (result.ok, result.reason.value) == (False, reason), result.message


@pytest.mark.plants
@pytest.mark.parametrize("name", list(planted_answers.GOOD))
def test_a_good_model_of_every_task_is_blessed_by_a_real_server(tmp_path, name):
    answer, task = planted_answers.GOOD[name]
    model = planted_answers.save_planted(tmp_path / "model", answer)
    contract = Contract(task, 3 if task == "multiclass" else 0)
    result = check_model(model, _EXAMPLES, Budgets(latency_ms={}), contract=contract)
    assert result.ok, result.message


@pytest.mark.parametrize("name", list(planted_answers.GOOD))
def test_a_good_model_of_every_task_passes(tmp_path, name):
    answer, task = planted_answers.GOOD[name]
    model = planted_answers.save_planted(tmp_path / "model", answer)
    result = _interview(model, task, tmp_path)
    assert result.largest_difference < 1e-6


def test_a_refusal_of_an_odd_example_says_what_was_odd(tmp_path):
    variants = planted_answers.PLANTS["a feature may be missing"]
    answer, task, _ = variants["infinite without count"]
    model = planted_answers.save_planted(tmp_path / "model", answer)
    with pytest.raises(RefusedModelError, match="^an example without 'count': output 'probability"):
        _interview(model, task, tmp_path)


@pytest.mark.parametrize("kind", ["sparse", "variant", "resource"])
def test_an_output_that_cannot_be_answered_is_refused_by_its_signature(tmp_path, kind):
    model = planted_answers.save_planted(tmp_path / "m", planted_answers.GOOD["binary"][0])
    graph = read_graph(model)
    info = graph.signature_def[probe.SIGNATURE].outputs["probability"]
    if kind == "sparse":
        info.coo_sparse.values_tensor_name = info.name
    else:
        info.dtype = {"variant": tf.variant, "resource": tf.resource}[kind].as_datatype_enum
    with pytest.raises(RefusedModelError, match="output 'probability' of serving_def") as error:
        check_outputs(graph, probe.SIGNATURE)
    assert error.value.reason is Reason.WRONG_DTYPE


def test_odd_examples_are_made_of_the_fullest_one():
    odd = odd_requests([make_example(0.0, 1, "a"), tf.train.Example().SerializeToString()])
    assert list(odd)[:4] == ["without 'count'", "without 'name'", "without 'x'",
                             "without any feature"]  # fmt: skip
    parsed = {what: tf.train.Example.FromString(each) for what, each in odd.items()}
    assert sorted(parsed["without 'x'"].features.feature) == ["count", "name"]
    far = parsed["with -1e+12 in 'x'"].features.feature
    assert far["x"].float_list.value[0] == np.float32(-1e12)
    assert far["count"].int64_list.value[0] == 1 and far["name"].bytes_list.value[0] == b"a"
    assert not parsed["without any feature"].features.feature
    assert {what for what in odd if what.endswith("'count'")} == {
        "without 'count'", *(f"with {value} in 'count'" for value in ("4.61169e+18", "-4.61169e+18",
                                                                   "0", "-1"))
    }  # fmt: skip


def test_odd_values_stand_in_each_feature_alone_and_in_all_of_a_kind():
    example = tf.train.Example.FromString(make_example(0.5, 1, "a"))
    example.features.feature["z"].float_list.value.append(0.25)
    odd = odd_requests([example.SerializeToString()])
    values = {
        what: tuple(
            tf.train.Example.FromString(each).features.feature[name].float_list.value[0]
            for name in "xz"
        )
        for what, each in odd.items()
        if what.startswith("with 0 ") and "count" not in what
    }
    assert values == {
        "with 0 in 'x'": (0.0, 0.25),
        "with 0 in 'z'": (0.5, 0.0),
        "with 0 in 2 features": (0.0, 0.0),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("details", "is_clear"),
    [
        (
            "Name: <unknown>, Feature: x (data type: float) is required but could not be found.",
            True,
        ),
        ("Key: x. Can't parse serialized Example.", True),
        ("assertion failed: [the fare is negative]", True),
        ("Invalid formatting on input string: bad UTF-8", True),
        ("examples[0]: without fare; expected a value", True),
        ("indices[0] = -1 is not in [0, 3)", False),
        ("Input to reshape is a tensor with 3 values, but the requested shape has 4", False),
        ("slice index 3 of dimension 0 out of bounds.", False),
        ("Incompatible shapes: [3,1] vs. [4,1]", False),
    ],
)
def test_a_request_is_refused_so_that_its_client_can_make_sense_of_it(details, is_clear):
    client = probe.Probe(_NoServer(), "model", 1.0)
    client._channel.close()
    client._stub = SimpleNamespace(Predict=Mock(side_effect=_RpcError(
        grpc.StatusCode.INVALID_ARGUMENT, details)))  # fmt: skip
    if is_clear:
        assert client.predict_or_refuse([b""], "an example") is None
    else:
        with pytest.raises(RefusedModelError) as error:
            client.predict_or_refuse([b""], "an example")
        assert error.value.reason is Reason.RPC_FAILED


def test_the_largest_batch_is_what_a_server_puts_together():
    assert max(interview.OTHER_BATCHES) == MOST_ROWS == MOST_ROWS_ASKED
    assert interview.PREDICTED_ROWS == predict.BATCH_SIZE
    assert MOST_BYTES == 4 * 1024 * 1024  # gRPC's default
