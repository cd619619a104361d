"""What our executors record with their artifacts, and that the components still compile."""

import hashlib
import json

import pytest
import yaml
from tfx import v1 as tfx
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.io import filesystem_registry
from tfx.dsl.io.plugins.tensorflow_gfile import TensorflowFilesystem
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner
from tfx.types import standard_artifacts

from fareline import recorded
from fareline.digests import sha256_of_folder
from fareline.errors import DataError
from fareline.recorded.data import source_files
from lineage.graph.graph import Graph
from lineage.store.open import open_store, sqlite_connection
from pipeline.components import trainer
from pipeline.components.evaluator import Evaluator, record_metrics
from pipeline.components.example_gen import CsvExampleGen, describe_files, sha256_of_data
from pipeline.components.trainer import Trainer
from pipeline.evaluation.eval_config import build_eval_config, read_metrics
from pipeline.settings.load import load_settings
from runners.beam.engine import run_beam_in_process
from runners.local.runner import LocalRunner
from tests.unit.pipeline import test_evaluation

# TFX 1.21 asks protobuf for it, and protobuf blames a caller further up, which is LocalRunner.
pytestmark = pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# Examples.


def read_csv(folder, pattern):
    """Runs ExampleGen alone, driver and all; returns the Examples as they are in the store."""
    run_beam_in_process()
    split = tfx.proto.Input.Split(name="all", pattern=pattern)
    example_gen = CsvExampleGen(
        input_base=str(folder / "data"), input_config=tfx.proto.Input(splits=[split])
    ).with_id("ExampleGen")
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="reading",
        pipeline_root=str(folder / "root"),
        components=[example_gen],
        metadata_connection_config=sqlite_connection(folder / "metadata.db"),
    )
    [result] = LocalRunner(pipeline, "run-1").run()
    assert result.error is None
    [found] = Graph(open_store(folder / "metadata.db")).artifacts_of_type("Examples")
    return found


def test_only_the_files_of_the_newest_span_and_version_are_recorded(tmp_path):
    contents = {
        "span-01/v1/trips.csv": b"fare,tips\n1,2\n",
        "span-02/v1/trips.csv": b"fare,tips\n3,4\n",
        "span-02/v2/b.csv": b"fare,tips\n5,6\n",
        "span-02/v2/a.csv": b"fare,tips\n7,8\n9,10\n",
        "span-02/v2/notes.txt": b"not data\n",
    }
    for name, content in contents.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    examples = read_csv(tmp_path, "span-{SPAN:2}/v{VERSION}/*.csv")
    assert (examples.properties["span"], examples.properties["version"]) == (2, 2)
    names = ["span-02/v2/a.csv", "span-02/v2/b.csv"]
    assert [file.to_json() for file in source_files(examples)] == [
        {
            "path": str(tmp_path / "data" / name),
            "bytes": len(contents[name]),
            "sha256": sha256(contents[name]),
        }
        for name in names
    ]
    listing = "".join(f"{name}\0{sha256(contents[name])}\n" for name in names)
    assert examples.properties[recorded.DATA_SHA256] == sha256(listing.encode())


def digest_of(folder, **contents):
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / f"{name}.csv").write_text(content)
    base = f"{folder}/"
    return sha256_of_data(base, describe_files(base, ["*.csv"]))


def test_the_digest_of_data_is_of_names_and_contents_wherever_they_are(tmp_path):
    first = digest_of(tmp_path / "a", x="1", y="2")
    assert digest_of(tmp_path / "b" / "deeper", x="1", y="2") == first
    assert digest_of(tmp_path / "c", x="1", z="2") != first
    assert digest_of(tmp_path / "d", x="2", y="1") != first
    assert digest_of(tmp_path / "e", x="1") != first


def test_a_file_of_two_input_splits_is_listed_once(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "b.csv").write_text("x\n2\n")
    found = describe_files(str(tmp_path), ["b*", "*.csv", "a.csv"])
    assert [file["path"] for file in found] == [f"{tmp_path}/a.csv", f"{tmp_path}/b.csv"]


class RamFilesystem(TensorflowFilesystem):
    """TensorFlow's files in memory, which TFX then reads as it reads those of gs://."""

    SUPPORTED_SCHEMES = ("ram://",)


def test_files_that_are_not_on_this_machines_disk(monkeypatch):
    registry = filesystem_registry.FilesystemRegistry()
    registry.register(RamFilesystem, priority=0)
    monkeypatch.setattr(filesystem_registry, "DEFAULT_FILESYSTEM_REGISTRY", registry)
    RamFilesystem.makedirs("ram://bucket/data")
    for name, content in (("b.csv", b"x\n1\n"), ("a.csv", b"x\n2\n")):
        with RamFilesystem.open(f"ram://bucket/data/{name}", "wb") as file:
            file.write(content)
    found = describe_files("ram://bucket/data", ["*.csv"])
    assert found == [
        {"path": "ram://bucket/data/a.csv", "bytes": 4, "sha256": sha256(b"x\n2\n")},
        {"path": "ram://bucket/data/b.csv", "bytes": 4, "sha256": sha256(b"x\n1\n")},
    ]
    listing = "".join(f"{file['path'][-5:]}\0{file['sha256']}\n" for file in found)
    assert sha256_of_data("ram://bucket/data/", found) == sha256(listing.encode())


def test_a_source_that_is_gone_after_reading(tmp_path):
    with pytest.raises(DataError) as error:
        describe_files(str(tmp_path), ["a.csv", "b.csv"])
    assert str(error.value) == (
        f"{tmp_path}/a.csv, {tmp_path}/b.csv: no file any more after reading; expected the files "
        "that were read. Hint: leave the source alone while a run reads it."
    )


# Model.


def run_fn(fn_args):
    """A training that writes a served model, and another file beside it."""
    assert fn_args.hyperparameters is None or fn_args.hyperparameters["values"] == {"depth": 2}
    tfx.dsl.io.fileio.makedirs(fn_args.serving_model_dir)
    for path in (f"{fn_args.serving_model_dir}/saved_model.pb", f"{fn_args.model_run_dir}/log"):
        with open(path, "w") as file:
            file.write("weights")


def artifact(kind, folder):
    made = kind()
    made.uri = str(folder)
    folder.mkdir()
    return made


def train(folder, inputs):
    """Runs Trainer's executor; returns the Model."""
    examples = artifact(standard_artifacts.Examples, folder / "examples")
    examples.split_names = '["train", "eval"]'
    outputs = {
        "model": [artifact(standard_artifacts.Model, folder / "model")],
        "model_run": [artifact(standard_artifacts.ModelRun, folder / "model_run")],
    }
    context = BaseExecutor.Context(tmp_dir=str(folder / "tmp"), unique_id="1")
    properties = {"train_args": "{}", "eval_args": "{}", "custom_config": "null"}
    properties["run_fn"] = f"{__name__}.run_fn"
    trainer.Executor(context).Do({"examples": [examples], **inputs}, outputs, properties)
    return outputs["model"][0]


def test_a_model_has_its_digest_and_hyperparameters(tmp_path):
    best = artifact(standard_artifacts.HyperParameters, tmp_path / "best")
    chosen = {"space": [{"class_name": "Int"}], "values": {"depth": 2}}
    (tmp_path / "best" / "best_hyperparameters.txt").write_text(json.dumps(chosen))
    model = train(tmp_path, {"hyperparameters": [best]})
    digest = model.get_string_custom_property(recorded.SHA256)
    assert digest == sha256_of_folder(tmp_path / "model")
    assert digest == sha256(b"Format-Serving/saved_model.pb\x007\0weights")
    assert model.get_string_custom_property(recorded.HYPERPARAMETERS) == '{"depth": 2}'


def test_a_model_without_hyperparameters_says_none(tmp_path):
    model = train(tmp_path, {})
    assert model.has_custom_property(recorded.SHA256)
    assert not model.has_custom_property(recorded.HYPERPARAMETERS)


def test_hyperparameters_written_by_hand(tmp_path):
    plain = artifact(standard_artifacts.HyperParameters, tmp_path / "plain")
    (tmp_path / "plain" / "my.json").write_text('{"learning_rate": 0.5}')
    assert trainer.read_hyperparameters([plain]) == {"learning_rate": 0.5}


# ModelEvaluation.


def test_metrics_are_numbers_or_nothing(tmp_path):
    configured = test_evaluation.settings("{auc: {at_least: 0.5}}", "[[payment]]")
    uri = test_evaluation.evaluate(tmp_path, configured, test_evaluation.FIVE_TRIPS[:4], False)
    evaluation = standard_artifacts.ModelEvaluation()
    evaluation.uri = uri
    record_metrics(read_metrics(evaluation.uri), evaluation)
    found = json.loads(evaluation.get_string_custom_property(recorded.METRICS))
    # Two of four tipped; of the four pairs of a tipped and an untipped one, three are in order.
    assert found["overall"]["auc"] == pytest.approx(0.75, abs=1e-3)
    assert found["overall"]["example_count"] == 4
    assert set(found["slices"]) == {"payment=Cash", "payment=Carte à puce"}
    assert found["slices"]["payment=Cash"]["accuracy"] == 1
    assert evaluation.get_float_custom_property("metric_auc") == found["overall"]["auc"]
    assert evaluation.get_float_custom_property("metric_label_mean") == 0.5


def test_undefined_metrics_are_null_and_no_numbers(tmp_path):
    untipped = [row for row in test_evaluation.FIVE_TRIPS if row[0] == 0]
    configured = test_evaluation.settings("{accuracy: {at_least: 0.5}}")
    evaluation = standard_artifacts.ModelEvaluation()
    evaluation.uri = test_evaluation.evaluate(tmp_path, configured, untipped, False)
    record_metrics(read_metrics(evaluation.uri), evaluation)
    found = json.loads(evaluation.get_string_custom_property(recorded.METRICS))["overall"]
    assert found["auc"] is found["calibration"] is None
    assert found["label_mean"] == 0
    assert not evaluation.has_custom_property("metric_auc")
    assert evaluation.has_custom_property("metric_label_mean")


# The components.


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_they_compile_for_kubeflow_and_vertex(tmp_path, suffix):
    example_gen = CsvExampleGen(input_base="gs://bucket/data").with_id("ExampleGen")
    trained = Trainer(
        inputs={"examples": example_gen.outputs["examples"]},
        run_fn="models.trainer.run_fn",
        steps=5,
        splits=("train", "eval"),
        custom_config={},
    )
    evaluator = Evaluator(
        examples=example_gen.outputs["examples"],
        model=trained.outputs["model"],
        eval_config=build_eval_config(load_settings()),
        demands=load_settings().evaluation,
    )
    assert (trained.id, evaluator.id) == ("Trainer", "Evaluator")
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        config=kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
            default_image="image:1", use_pipeline_spec_2_1=True
        ),
        output_dir=str(tmp_path),
        output_filename=f"pipeline{suffix}",
    )
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="tiny",
        pipeline_root="gs://bucket/root",
        components=[example_gen, trained, evaluator],
    )
    runner.run(pipeline, write_out=True)
    text = (tmp_path / f"pipeline{suffix}").read_text()
    compiled = yaml.safe_load(text) if suffix == ".yaml" else json.loads(text)["pipelineSpec"]
    executors = compiled["deploymentSpec"]["executors"]
    for node, module in (
        ("ExampleGen", "example_gen"),
        ("Trainer", "trainer"),
        ("Evaluator", "evaluator"),
    ):
        arguments = executors[f"{node}_executor"]["container"]["args"]
        assert f"pipeline.components.{module}.Executor" in arguments
    check = executors["ExampleGen_executor"]["container"]["lifecycle"]["preCacheCheck"]
    assert "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver" in check["command"]
