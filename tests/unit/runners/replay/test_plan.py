"""What is found before a specification starts: documents, order, refusals, parameters, buckets."""

import json

import pytest
import yaml

from runners.replay.reading.document import SpecError, load_document, parse_document
from runners.replay.reading.parameters import parse_assignments
from runners.replay.reading.placeholders import unknown_in
from runners.replay.reading.uris import UriMap, parse_uri_map
from tests.unit.runners.replay.handmade import SpecBuilder, constant, from_task, shell


def one_task(**task):
    return SpecBuilder().add("Only", shell("true"), **task)


def refused(call, *arguments, **options):
    with pytest.raises(SpecError) as raised:
        call(*arguments, **options)
    return str(raised.value)


# Documents.


def test_both_formats_are_read(tmp_path):
    spec = one_task().spec
    (tmp_path / "k.yaml").write_text(yaml.safe_dump(spec | {"defaultPipelineRoot": "gs://b/r"}))
    job = {
        "displayName": "x",
        "pipelineSpec": spec,
        "runtimeConfig": {"gcsOutputDirectory": "gs://b/v", "parameterValues": {"n": 2}},
    }
    (tmp_path / "v.json").write_text(json.dumps(job))
    kubeflow, vertex = (load_document(tmp_path / name) for name in ("k.yaml", "v.json"))
    assert (kubeflow.runner, kubeflow.pipeline_root, kubeflow.values) == (
        "kubeflow",
        "gs://b/r",
        {},
    )
    assert (vertex.runner, vertex.pipeline_root, vertex.values) == (
        "vertex",
        "gs://b/v",
        {"n": 2.0},
    )
    assert vertex.pipeline == kubeflow.pipeline == "tiny"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "is neither JSON nor YAML"),
        ("- a", "holds no mapping"),
        ("a: 1", "does not parse"),
        ("schemaVersion: 2.1.0", "names no pipeline, or no task"),
    ],
)
def test_what_is_no_specification_says_so(tmp_path, text, found):
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    message = refused(load_document, path)
    assert message.startswith(f"{path}: {found}")
    assert "`fareline compile kubeflow` and `fareline compile vertex` write them." in message


def test_a_file_that_is_not_there_says_so(tmp_path):
    message = refused(load_document, tmp_path / "none.json")
    assert message == (
        f"{tmp_path}/none.json: cannot be read (No such file or directory); expected a compiled "
        "pipeline. Hint: `fareline compile vertex -o pipeline.json` writes one."
    )


def test_fields_of_the_cloud_are_named_and_unknown_ones_refused():
    job = {"serviceAccount": "me@x", "network": "n"}
    assert one_task().document(job).ignored == ("network", "serviceAccount")
    message = refused(one_task().document, {"preflightValidations": True})
    assert message.startswith("spec.json: asks for preflightValidations; expected only what can")
    policy = {"runtimeConfig": {"failurePolicy": "SOMETIMES"}}
    assert "asks for failurePolicy SOMETIMES" in refused(one_task().document, policy)


def test_another_schema_is_refused():
    spec = one_task()
    spec.spec["schemaVersion"] = "2.0.0"
    assert refused(spec.document).startswith("spec.json: its schema is 2.0.0; expected 2.1.0")


def test_platforms_of_kubernetes_are_named():
    document = parse_document([one_task().spec, {"platforms": {"kubernetes": {}}}], "k.yaml")
    assert document.ignored == ("platforms",)


def test_what_kubeflow_never_runs_is_named_and_not_run():
    executor = container("x")
    executor["container"]["lifecycle"] = {"preCacheCheck": {"command": ["check"]}}
    spec = with_executor(executor)
    kubeflow, vertex = spec.document(), spec.document(job={})
    assert kubeflow.ignored == ("preCacheCheck of Only, which Kubeflow never runs",)
    assert not kubeflow.executors["Only"].container.HasField("lifecycle")
    assert vertex.ignored == () and vertex.executors["Only"].container.HasField("lifecycle")


# Order.


def test_order_follows_dependencies_and_producers():
    spec = SpecBuilder()
    spec.add("A", shell("true"), {"model": from_task("C", "model")})
    spec.add("B", shell("true"))
    spec.add("C", shell("true"), outputs=["model"], dependentTasks=["B"])
    assert [task.name for task in spec.plan().tasks] == ["B", "C", "A"]


def test_a_circle_and_a_missing_task_are_refused():
    spec = SpecBuilder()
    spec.add("A", shell("true"), dependentTasks=["B"]).add("B", shell("true"), dependentTasks=["A"])
    assert "its tasks wait for each other: " in refused(spec.plan)
    message = refused(one_task(dependentTasks=["Gone"]).plan)
    assert message.startswith("spec.json: Only: names the task Gone, which is not there;")
    spec = one_task()
    del spec.spec["deploymentSpec"]["executors"]["Only"]
    assert "names the executor Only, which is not there" in refused(spec.plan)


# Refusals.


def with_executor(executor):
    return SpecBuilder().add("Only", executor)


def container(*args, command=("python", "-m", "x")):
    return {"container": {"image": "i:1", "command": list(command), "args": list(args)}}


REFUSED = {
    "iterator": (
        one_task(parameterIterator={"items": {"raw": "[1]"}, "itemInput": "x"}),
        "Only: loops (an iterator) are not supported",
    ),
    "custom job": (
        with_executor({"customJob": {"customJob": {"displayName": "x"}}}),
        "Only: a Vertex AI custom job (customJob) needs Vertex AI",
    ),
    "no command": (
        with_executor(container(command=())),
        "Only: its container has no command, and there is no image here that would have one",
    ),
    "Dataflow": (
        with_executor(container("--runner=DataflowRunner")),
        "Only: Beam's DataflowRunner needs a service; compile it for this with another runner",
    ),
    "AI Platform": (
        with_executor(
            container(
                "--executor_class_path",
                "tfx.extensions.google_cloud_ai_platform.trainer.executor.GenericExecutor",
            )
        ),
        "Only: its executor tfx.extensions.google_cloud_ai_platform.trainer.executor."
        "GenericExecutor needs a service of Google Cloud",
    ),
    **{
        f"placeholder {path}": (
            SpecBuilder().add("Only", shell("echo {{$" + path + "}}")),
            "Only: the placeholder {{$" + path + "}} " + said,
        )
        for path, said in {
            ".inputs.artifacts['x'].value": "asks for something that artifacts have not",
            ".outputs.artifacts['x'].value": "asks for something that artifacts have not",
            ".inputs.artifacts['x'].uri['k']": "asks for something that artifacts have not",
            ".inputs.parameter['x']": "is not known here",
            ".json_escape[1]": "is not known here",
            ".pipeline_job": "is not known here",
        }.items()
    },
    **{
        f"a placeholder of what is not there: {path}": (
            SpecBuilder().add(
                "Only",
                shell("echo {{$" + path + "}}"),
                parameters={"steps": ("text", {"runtimeValue": {"constant": "1"}})},
                outputs=["model"],
            ),
            "Only: the placeholder {{$" + path + "}} names what the task does not have; expected "
            f"one of {known}\n",
        )
        for path, known in {
            ".inputs.parameters['step']": "steps",
            ".inputs.artifacts['model'].uri": "nothing",
            ".outputs.artifacts['modell'].path": "model",
            ".outputs.artifacts['gone'].metadata['k']": "model",
            ".outputs.parameters['gone'].output_file": "nothing",
        }.items()
    },
    "condition": (
        one_task(triggerPolicy={"condition": "inputs.artifacts['_x'].artifacts[0].uri == 'a'"}),
        "Only: its condition reads _x, which is none of its inputs; TFX compiles that where the "
        "artifact is an input under another name",
    ),
    "artifact of the pipeline": (
        SpecBuilder().add("Only", shell("true"), {"model": {"componentInputArtifact": "m"}}),
        "Only reads an artifact of the pipeline (model), and none can be given here",
    ),
    "parameter of the pipeline": (
        one_task(parameters={"p": ("text", {"componentInputParameter": "gone"})}),
        "Only reads the parameter gone of the pipeline, which has none (p)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_done_here_is_refused_by_name(case):
    spec, expected = REFUSED[case]
    message = refused(spec.plan)
    assert message.startswith("spec.json: cannot be executed on one machine:\n")
    assert expected in message
    assert message.endswith("Hint: docs/specs.md says what can be.")


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".inputs.parameters['x']",
        ".inputs.artifacts['x']",
        ".inputs.artifacts['x'].uri",
        ".outputs.artifacts['x'].path",
        ".outputs.artifacts['x'].metadata['k']",
        ".outputs.parameters['x'].output_file",
        ".outputs.output_file",
        ".pipeline_job_name",
        ".pipeline_root",
    ],
)
def test_what_can_be_filled_is_not_refused(path):
    assert list(unknown_in("a {{$" + path + "}} b")) == []


@pytest.mark.parametrize("folder", ["none/deeper", "file", "file/deeper"])
def test_a_bucket_is_no_folder_that_cannot_be(tmp_path, folder):
    (tmp_path / "file").touch()
    message = refused(parse_uri_map, [f"gs://b={tmp_path / folder}"])
    assert message.startswith(f"--map gs://b={tmp_path / folder}: ")
    assert "expected a folder, or a new one in a folder that is there" in message
    assert not (tmp_path / "none").exists()


def test_all_reasons_are_given_at_once():
    spec = SpecBuilder()
    spec.add("A", container(command=())).add("B", container("--runner=DataflowRunner"))
    lines = refused(spec.plan).splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:-1]] == ["A", "B"]


def test_outputs_of_the_pipeline_are_refused():
    spec = one_task()
    spec.spec["root"]["dag"]["outputs"] = {"artifacts": {"m": {"artifactSelectors": []}}}
    assert "the pipeline: outputs of a pipeline as a whole are not supported" in refused(spec.plan)


# Parameters.


def with_parameters():
    spec = one_task().add_parameter("steps", "count", defaultValue=8)
    return spec.add_parameter("name", "text").add_parameter("on", "flag", isOptional=True)


def test_values_come_from_the_command_line_the_document_and_defaults():
    job = {"runtimeConfig": {"parameterValues": {"name": "doc", "steps": 9}}}
    assert with_parameters().plan(job=job).values == {"name": "doc", "steps": 9.0}
    values = with_parameters().plan({"name": "3", "steps": "7", "on": "true"}, job=job).values
    assert values == {"name": "3", "steps": 7, "on": True}
    assert with_parameters().plan({"name": "n"}).values == {"name": "n", "steps": 8.0}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "spec.json: parameter name: has no value; expected one for each. Hint: add --param "
             "name=VALUE."),
        ({"name": "x", "stops": "1"}, "spec.json: parameter stops: is none of this pipeline's; "
             "expected one of name, on, steps. Hint: see root.inputDefinitions there."),
        ({"name": "x", "steps": "many"}, "spec.json: parameter steps: is 'many'; expected a value "
             "of type NUMBER_INTEGER. Hint: see root.inputDefinitions."),
        ({"name": "x", "steps": "1.5"}, "parameter steps: is 1.5; expected a value of type NUMBER"),
        ({"name": "x", "on": "1"}, "parameter on: is 1; expected a value of type BOOLEAN"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(given, expected):
    assert expected in refused(with_parameters().plan, given)


def test_assignments_keep_what_follows_the_first_equals_sign():
    assert parse_assignments(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    assert "--param x: is not a name and a value" in refused(parse_assignments, ["x"])


# Buckets.


def test_folders_stand_for_buckets_wherever_they_are_named(tmp_path):
    uri_map = parse_uri_map([f"gs://bucket={tmp_path}/b", "gs://bucket/deep/=/other"])
    assert uri_map.apply("gs://bucket") == f"{tmp_path}/b"
    assert uri_map.apply("gs://bucket/deep/x") == "/other/x"
    assert uri_map.apply('{"a": "gs://bucket/x"}') == f'{{"a": "{tmp_path}/b/x"}}'
    assert uri_map.apply("gs://bucket-2/x gs://bucketeer") == "gs://bucket-2/x gs://bucketeer"


@pytest.mark.parametrize("entry", ["gs://b", "b=/x", "gs://b=", "=x"])
def test_a_map_of_another_form_is_refused(entry):
    assert "is not a bucket and a folder" in refused(parse_uri_map, [entry])


def test_a_folder_that_json_could_not_hold_is_refused(tmp_path):
    message = refused(parse_uri_map, [f'gs://b={tmp_path}/a"b'])
    assert "holds a quote, a backslash or one of * ? [" in message


def test_a_bucket_without_a_folder_is_refused_before_anything_starts():
    spec = SpecBuilder().add(
        "Only", shell("true"), parameters={"p": ("text", constant("gs://bucket/x"))}
    )
    message = refused(spec.plan)
    assert message == (
        "Only.p: gs://bucket/x is remote; expected a folder that stands for it. Hint: add --map "
        "gs://bucket=DIR."
    )
    assert spec.plan(folders={"gs://bucket": "/data"}).uri_map == UriMap({"gs://bucket": "/data"})
    root = {"runtimeConfig": {"gcsOutputDirectory": "gs://roots/r"}}
    assert "spec.json: pipeline root: gs://roots/r is remote" in refused(one_task().plan, job=root)
    command = SpecBuilder().add("Only", shell("cat gs://b/x"))
    assert "Only: its command: gs://b/x is remote" in refused(command.plan)


def test_the_place_on_vertex_that_a_model_is_pushed_to_stays_remote():
    target = '{"bucket": "gs://models"}'
    spec = SpecBuilder().add(
        "VertexPusher", shell("true"), parameters={"target": ("text", constant(target))}
    )
    plan = spec.plan(folders={"gs://bucket": "/data"})
    assert plan.uri_map.require_place("VertexPusher", "target", target) == target
    mapped = refused(spec.plan, folders={"gs://models": "/data"})
    assert "VertexPusher.target: --map names a folder for the bucket of push.vertex" in mapped


# Functions of the user.


def test_metrics_and_slices_of_ones_own_are_asked_for_before_anything_starts():
    config = {
        "metrics_specs": [
            {"metrics": [{"class_name": "AUC", "config": json.dumps({"name": "auc"})}]},
            {"metrics": [{"config": json.dumps({"function": "shop.judge.gap"})}]},
        ],
        "slicing_specs": [{}, {"feature_keys": ["town", "area [1, 5]", "size [shop.judge.size]"]}],
    }

    def functions(text):
        built = SpecBuilder().add(
            "Judge", shell("true"), parameters={"eval_config": ("text", constant(text))}
        )
        return list(built.plan().functions())

    assert functions(json.dumps(config)) == [
        ("Judge", "metric", "shop.judge.gap"),
        ("Judge", "slice", "shop.judge.size"),
    ]
    for text in ("", "{", "3", "[1]", '{"metrics_specs": 3}'):  # of another component
        assert functions(text) == []
