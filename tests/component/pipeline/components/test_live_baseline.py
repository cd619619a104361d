"""Kubeflow's way to what changes between runs: Lookup, LiveBaseline, and who uses them."""

import json
import os

import pytest
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.dsl.io import filesystem_registry
from tfx.dsl.io.plugins.local import LocalFilesystem
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as entrypoint
from tfx.orchestration.kubeflow.v2.file_based_example_gen import driver
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from fareline.errors import UserMistake
from pipeline.components import wanted_span
from pipeline.components.live_baseline import LiveBaseline, find_live_version, without_empty_model
from pipeline.components.lookup import Lookup, look_up_source, mark_examples


def execute(component, outputs, parameters):
    component.EXECUTOR_SPEC.executor_class().Do({}, outputs, parameters)


def publish(base, version, content=b"model", complete=True):
    folder = base / str(version) / "variables"
    folder.mkdir(parents=True)
    (folder / "variables.index").write_bytes(content)
    if complete:
        (folder.parent / "saved_model.pb").write_bytes(content)


# Which version is live.


def test_the_live_version_is_the_highest_complete_one(tmp_path):
    assert find_live_version(str(tmp_path / "nowhere")) is None
    assert find_live_version(str(tmp_path)) is None
    publish(tmp_path, 9)
    publish(tmp_path, 10)
    publish(tmp_path, 11, complete=False)
    (tmp_path / "007").mkdir()
    (tmp_path / ".publish.lock").touch()
    assert find_live_version(str(tmp_path)) == 10


class _ObjectStore(LocalFilesystem):
    """Lists as object stores do, with a slash behind the names of folders."""

    SUPPORTED_SCHEMES = ("objects://",)
    root = ""

    @classmethod
    def _local(cls, path):
        return path.replace("objects://bucket", cls.root)

    @staticmethod
    def isdir(path):
        return os.path.isdir(_ObjectStore._local(path))

    @staticmethod
    def exists(path):
        return os.path.exists(_ObjectStore._local(path))

    @staticmethod
    def listdir(path):
        local = _ObjectStore._local(path)
        return [
            f"{name}/" if os.path.isdir(os.path.join(local, name)) else name
            for name in os.listdir(local)
        ]


def test_an_object_store_is_asked_through_its_file_system(tmp_path, monkeypatch):
    publish(tmp_path / "serving", 3)
    publish(tmp_path / "serving", 4)
    monkeypatch.setattr(_ObjectStore, "root", str(tmp_path))
    registry = filesystem_registry.FilesystemRegistry()
    registry.register(_ObjectStore, 1)
    monkeypatch.setattr(filesystem_registry, "DEFAULT_FILESYSTEM_REGISTRY", registry)
    assert find_live_version("objects://bucket/serving") == 4


# LiveBaseline.


def bring_baseline(folder, serving, version):
    model = standard_artifacts.Model()
    model.uri = str(folder / "model")
    parameters = {"push_destination": str(serving), "version": version}
    execute(LiveBaseline, {"model": [model]}, parameters)
    return model


def test_the_live_model_is_copied_to_where_a_trainer_puts_its_own(tmp_path):
    publish(tmp_path / "serving", 5, b"older")
    publish(tmp_path / "serving", 6, b"newer")
    model = bring_baseline(tmp_path, tmp_path / "serving", "5")
    found = tmp_path / "model" / "Format-Serving"
    assert (found / "saved_model.pb").read_bytes() == b"older"  # what Lookup saw, and no other
    assert (found / "variables" / "variables.index").read_bytes() == b"older"
    assert model.get_string_custom_property("version") == "5"
    assert model.get_string_custom_property("source") == str(tmp_path / "serving" / "5")
    assert without_empty_model({"baseline_model": [model]}, "baseline_model") == {
        "baseline_model": [model]
    }


def test_before_the_first_push_there_is_no_baseline_also_behind_the_launcher(tmp_path):
    model = bring_baseline(tmp_path, tmp_path / "serving", "")
    assert os.listdir(model.uri) == []
    # As the artifact travels from one container to the next: whole numbers become fractions.
    sent = entrypoint.to_runtime_artifact(model, {})
    sent.type.instance_schema = "title: tfx.Model\ntype: object\n"
    received = entrypoint.parse_raw_artifact_dict(
        {"baseline_model": pipeline_spec_pb2.ArtifactList(artifacts=[sent])}, {}
    )
    other = standard_artifacts.Model()
    assert without_empty_model({**received, "model": [other]}, "baseline_model") == {
        "model": [other]
    }


# Lookup.


CONFIG = {"splits": [{"name": "all", "pattern": "span-{SPAN}/v{VERSION}/*.csv"}]}


@pytest.fixture
def source(tmp_path):
    for place, rows in (("span-1/v1", "a\n1\n"), ("span-2/v1", "a\n2\n"), ("span-2/v3", "a\n33\n")):
        folder = tmp_path / "data" / place
        folder.mkdir(parents=True)
        (folder / "rows.csv").write_text(rows)
        os.utime(folder / "rows.csv", (1_700_000_000, 1_700_000_000))
    return tmp_path / "data"


def ask_tfx(folder, base, config, span):
    """What TFX's own check before ExampleGen's cache says, as it is run on Vertex."""
    asked = pipeline_spec_pb2.ExecutorInput()
    values = {"input_base": str(base), "input_config": config, "range_config": span}
    for key, value in values.items():
        asked.inputs.parameter_values[key].string_value = value
    examples = asked.outputs.artifacts["examples"].artifacts.add(
        name="examples", uri=str(folder / "x")
    )
    examples.type.instance_schema = "title: tfx.Examples\ntype: object\n"
    asked.outputs.output_file = str(folder / "output.json")
    sent = json_format.MessageToJson(asked)
    flags = ["--json_serialized_invocation_args", sent, "--json_serialized_inputs_spec_args", "{}"]
    wanted_span.main(driver._parse_flags(["program", *flags]))
    return json.loads((folder / "output.json").read_text())


@pytest.mark.parametrize(("wanted", "span", "version"), [("latest", 2, 3), ("1", 1, 1)])
def test_the_source_is_looked_up_as_tfx_does_it(tmp_path, source, wanted, span, version):
    config = json.dumps(CONFIG)
    theirs = ask_tfx(tmp_path, source, config, wanted)
    ours = look_up_source(str(source), config, wanted)
    assert (ours["span"], ours["version"]) == (str(span), str(version))
    assert ours["input_fingerprint"] == theirs["parameterValues"]["input_fingerprint"]
    assert int(ours["span"]) == theirs["parameterValues"]["span"]
    assert int(ours["version"]) == theirs["parameterValues"]["version"]
    assert ours["resolved_input_config"] == theirs["parameterValues"]["input_config"]

    examples = standard_artifacts.Examples()
    mark_examples(examples, ours)
    metadata = theirs["artifacts"]["examples"]["artifacts"][0]["metadata"]
    assert examples.get_int_custom_property("span") == int(ours["span"])
    assert (
        examples.get_string_custom_property("input_fingerprint") == (metadata["input_fingerprint"])
    )


def test_a_span_that_is_none_is_one_line(tmp_path, source):
    with pytest.raises(UserMistake) as caught:
        look_up_source(str(source), json.dumps(CONFIG), "newest")
    assert str(caught.value) == (
        "runtime parameter span: found 'newest'; expected the number of a span, or latest. Hint: "
        "the folders of the source say which spans there are."
    )


def test_examples_that_the_driver_has_marked_stay_as_they_are():
    examples = standard_artifacts.Examples()
    mark_examples(examples, {"span": 4, "version": None, "input_fingerprint": "f"})
    mark_examples(examples, {})
    assert not examples.has_custom_property("span")


def test_lookup_puts_out_texts(tmp_path, source):
    publish(tmp_path / "serving", 8)
    plain = example_gen_pb2.Input(
        splits=[example_gen_pb2.Input.Split(name="all", pattern="span-1/v1/*.csv")]
    )
    outputs = {}
    for name in ("resolved_input_config", "input_fingerprint", "span", "version", "live_version"):
        outputs[name] = [standard_artifacts.String()]
        outputs[name][0].uri = str(tmp_path / name)
    parameters = {
        "input_base": str(source),
        "input_config": proto_utils.proto_to_json(plain),
        "wanted_span": "",
        "push_destination": str(tmp_path / "serving"),
    }
    execute(Lookup, outputs, parameters)
    found = {name: artifacts[0].value for name, artifacts in outputs.items()}
    assert found.pop("input_fingerprint").startswith("split:all,num_files:1,total_bytes:4,")
    assert json.loads(found.pop("resolved_input_config")) == {
        "splits": [{"name": "all", "pattern": "span-1/v1/*.csv"}]
    }
    assert found == {"span": "0", "version": "", "live_version": "8"}
