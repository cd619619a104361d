"""InfraValidator: the executor on real artifacts, and the component, compiled as well."""

import json
import os
import pathlib

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
from tfx import types
from tfx.dsl.io import filesystem_registry
from tfx.dsl.io.plugins import tensorflow_gfile
from tfx.types import artifact_utils, channel_utils, standard_artifacts

from fareline.errors import DataError, UserMistake
from pipeline.components import infra_validator
from pipeline.components.infra_validator import Executor, InfraValidator
from pipeline.user_code import INFRA_VALIDATOR_SOURCES, fingerprint_sources
from serving.model import servable
from serving.validation.answers import Contract
from serving.validation.verdict import Budgets, CheckResult, Reason
from tests.component.pipeline.components import compiled_for_tests
from tests.component.serving import models_for_tests

_PROPERTIES = {
    "budgets": json.dumps({"rpc_seconds": 5}),
    # As Kubeflow hands integers on.
    "num_examples": 3.0,
    "split": "eval",
    "model_name": "taxi",
    "drop_features": json.dumps(["tips", "not there"]),
    "task": "",
    "classes": 0,
}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return models_for_tests.save_model(tmp_path_factory.mktemp("good") / "model")


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Examples x = 0…9 with the label `tips`, gzipped as ExampleGen writes them."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(tmp_path_factory.mktemp("examples"))
    artifact.split_names = artifact_utils.encode_split_names(["train", "eval", "empty"])
    for split, count in (("train", 1), ("eval", 10), ("empty", 0)):
        path = os.path.join(artifact.uri, f"Split-{split}", "data_tfrecord-00000-of-00001.gz")
        os.makedirs(os.path.dirname(path))
        with tf.io.TFRecordWriter(path, "GZIP") as writer:
            for x in range(count):
                writer.write(models_for_tests.make_example(float(x), tips=1.0))
    return artifact


def _run(model_dir, examples, tmp_path, **properties):
    """Runs the executor; returns the blessing's custom properties, files and folder."""
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "model")
    os.makedirs(model.uri)
    os.symlink(model_dir, os.path.join(model.uri, "Format-Serving"))
    blessing = standard_artifacts.InfraBlessing()
    blessing.uri = str(tmp_path / "blessing")
    Executor().Do(
        {"model": [model], "examples": [examples]},
        {"blessing": [blessing]},
        {**_PROPERTIES, **properties},
    )
    stored = {
        name: getattr(value, value.WhichOneof("value"))
        for name, value in blessing.mlmd_artifact.custom_properties.items()
    }
    return stored, sorted(os.listdir(blessing.uri)), blessing.uri


def test_a_good_model_is_blessed_and_the_store_says_how_good(good, examples, tmp_path):
    stored, files, folder = _run(good, examples, tmp_path)
    assert files == ["INFRA_BLESSED", "infra_validation.json", "stamped_model"]
    with open(os.path.join(folder, "infra_validation.json")) as reader:
        told = json.load(reader)
    assert told["ok"] and told["num_requests"] >= 3 + 1 + 2 * 10
    assert stored["blessed"] == 1
    assert (stored["reason"], stored["message"]) == ("ok", "")
    for batch in ("batch_1", "batch_32"):
        for name in ("p50", "p95", "p99"):
            assert stored[f"{batch}_{name}_ms"] == told["latency_ms"][batch][name] > 0
    assert stored["largest_difference"] == told["largest_difference"] == 0.0
    assert stored["peak_memory_mb"] == told["peak_memory_mb"] > 100
    assert stored["load_seconds"] == told["load_seconds"]
    assert stored["size_mb"] == told["size_mb"]
    assert stored["server"] == "serving.server.server"
    assert models_for_tests.running_servers() == []
    assert stored["has_model"] == 1
    warm = pathlib.Path(folder, "stamped_model")
    added = {path.relative_to(warm).as_posix() for path in warm.rglob("*") if path.is_file()}
    added -= {path.relative_to(good).as_posix() for path in pathlib.Path(good).rglob("*")}
    assert added == {"assets.extra/tf_serving_warmup_requests"}


def test_the_warm_up_file_holds_the_requests_and_is_the_same_each_time(good, tmp_path):
    blessings = []
    for folder in ("one", "two"):
        blessing = standard_artifacts.InfraBlessing()
        blessing.uri = str(tmp_path / folder)
        requests = [models_for_tests.make_example(float(x)) for x in range(3)]
        infra_validator.write_warm_model(blessing, good, "taxi", requests)
        blessings.append(tmp_path / folder / "stamped_model")
    paths = [folder / "assets.extra" / "tf_serving_warmup_requests" for folder in blessings]
    assert paths[0].read_bytes() == paths[1].read_bytes()

    records = [record.numpy() for record in tf.data.TFRecordDataset(str(paths[0]))]
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    sent = [tf.make_ndarray(log.predict_log.request.inputs["examples"]).tolist() for log in logs]
    assert sent == [[each] for each in requests] + [requests]
    spec = logs[0].predict_log.request.model_spec
    assert (spec.name, spec.signature_name) == ("taxi", "serving_default")
    assert servable.Servable("taxi", 1, str(blessings[0])).version == 1  # it answers them itself

    with tf.io.TFRecordWriter(str(paths[0])) as writer:
        logs[0].predict_log.request.inputs["examples"].string_val[:] = [b"no example"]
        writer.write(logs[0].SerializeToString())
    with pytest.raises(tf.errors.InvalidArgumentError, match="Could not parse example"):
        servable.Servable("taxi", 1, str(blessings[0]))


def test_a_corrupt_model_is_not_blessed_and_fails_nothing(good, examples, tmp_path):
    broken = models_for_tests.copy_broken(good, str(tmp_path / "broken"), "truncated")
    stored, files, _ = _run(broken, examples, tmp_path)
    assert files == ["INFRA_NOT_BLESSED", "infra_validation.json"]
    assert (stored["blessed"], stored["reason"]) == (0, "unreadable")
    assert "saved_model.pb: cannot be read" in stored["message"]
    assert not [name for name in stored if name.startswith("batch_") or name == "has_model"]


def test_what_is_sent_are_the_first_examples_without_the_label(
    good, examples, tmp_path, monkeypatch
):
    asked = []

    def note(model_dir, requests, budgets, *, model_name, contract):
        asked.append((requests, budgets, model_name, contract))
        message = "it: is slow; expected fast. Hint: run.\nlog line"
        return CheckResult(reason=Reason.TOO_SLOW, message=message)

    monkeypatch.setattr(infra_validator, "check_model", note)
    # Kubeflow hands integers on as floats.
    stored, _, _ = _run(good, examples, tmp_path, task="multiclass", classes=3.0)
    ((requests, budgets, model_name, contract),) = asked
    assert contract == Contract("multiclass", 3) and isinstance(contract.classes, int)
    assert requests == [models_for_tests.make_example(float(x)) for x in range(3)]
    assert budgets == Budgets(rpc_seconds=5.0, num_examples=3)
    assert model_name == "taxi"
    assert stored["message"] == "it: is slow; expected fast. Hint: run."


class _InMemory(tensorflow_gfile.TensorflowFilesystem):
    """TensorFlow's own in-memory file system; it stands in for a bucket."""

    SUPPORTED_SCHEMES = ("ram://",)


def test_a_remote_model_is_checked_as_a_local_copy(examples, tmp_path, monkeypatch):
    filesystem_registry.DEFAULT_FILESYSTEM_REGISTRY.register(_InMemory, priority=0)
    for name in ("saved_model.pb", "variables/variables.index"):
        path = f"ram://bucket/model/Format-Serving/{name}"
        tf.io.gfile.makedirs(os.path.dirname(path))
        with tf.io.gfile.GFile(path, "w") as writer:
            writer.write(name)
    model = standard_artifacts.Model()
    model.uri = "ram://bucket/model"
    blessing = standard_artifacts.InfraBlessing()
    blessing.uri = str(tmp_path / "blessing")
    seen = []

    def note(model_dir, *_, **__):
        files = [path for path in pathlib.Path(model_dir).rglob("*") if path.is_file()]
        texts = {path.relative_to(model_dir).as_posix(): path.read_text() for path in files}
        seen.append((model_dir, texts))
        return CheckResult(ok=True)

    monkeypatch.setattr(infra_validator, "check_model", note)
    Executor().Do({"model": [model], "examples": [examples]}, {"blessing": [blessing]}, _PROPERTIES)
    ((local, texts),) = seen
    names = ("saved_model.pb", "variables/variables.index")
    assert texts == {name: name for name in names}
    assert not os.path.exists(local)


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("test", r"splits \['train', 'eval', 'empty'\] of FORMAT_TF_EXAMPLE; expected .* 'test'"),
        ("empty", "its split 'empty' is empty; expected at least one example"),
    ],
)
def test_a_split_without_examples_says_so(good, examples, tmp_path, split, words):
    with pytest.raises(DataError, match=words):
        _run(good, examples, tmp_path, split=split)


def _channel(artifact_class):
    return channel_utils.as_channel([artifact_class()])


def test_everything_that_bears_on_the_verdict_is_an_execution_property():
    component = InfraValidator(
        model=_channel(standard_artifacts.Model),
        examples=_channel(standard_artifacts.Examples),
        budgets={"size_mb": 1, "latency_ms": {"batch_32": {"p99": 2.5}}},
        num_examples=4,
        split="train",
        model_name="taxi",
        drop_features=["b", "a"],
        task="multiclass",
        classes=3,
    )
    assert component.id == "InfraValidator"
    assert component.exec_properties == {
        "budgets": '{"latency_ms": {"batch_32": {"p99": 2.5}}, "size_mb": 1}',
        "num_examples": 4,
        "split": "train",
        "model_name": "taxi",
        "drop_features": '["a", "b"]',
        "task": "multiclass",
        "classes": 3,
        "source_fingerprint": fingerprint_sources(INFRA_VALIDATOR_SOURCES),
    }
    assert isinstance(component.outputs["blessing"], types.BaseChannel)
    assert component.outputs["blessing"].type is standard_artifacts.InfraBlessing


@pytest.mark.parametrize("wrong", [{"budgets": {"speed": 1}}, {"num_examples": 0}])
def test_wrong_budgets_stop_the_construction(wrong):
    with pytest.raises(UserMistake, match=r"budgets\.(speed|num_examples)"):
        InfraValidator(
            _channel(standard_artifacts.Model), _channel(standard_artifacts.Examples), **wrong
        )


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_it_compiles_for_kubeflow_and_vertex(tmp_path, suffix):
    compiled = compiled_for_tests.compile_pipeline(tmp_path, suffix)
    spec = compiled if suffix == ".yaml" else compiled["pipelineSpec"]
    task = spec["root"]["dag"]["tasks"]["InfraValidator"]
    assert sorted(task["dependentTasks"]) == ["examples", "model"]
    values = {
        name: next(iter(value["runtimeValue"]["constant"].values()))
        if isinstance(value["runtimeValue"]["constant"], dict)
        else value["runtimeValue"]["constant"]
        for name, value in task["inputs"]["parameters"].items()
    }
    assert {name: str(value).removesuffix(".0") for name, value in values.items()} == {
        "budgets": '{"latency_ms": {"batch_1": {"p95": 50}}, "size_mb": 10.5}',
        "num_examples": "5",
        "split": "eval",
        "model_name": "taxi",
        "drop_features": '["fare", "tips"]',
        "task": "",
        "classes": "0",
        "source_fingerprint": fingerprint_sources(INFRA_VALIDATOR_SOURCES),
    }
    executor = spec["deploymentSpec"]["executors"]["InfraValidator_executor"]["container"]
    assert "pipeline.components.infra_validator.Executor" in executor["args"]
