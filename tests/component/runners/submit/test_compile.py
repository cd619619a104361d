"""The compiled specs: what each platform finds in them, and that they are the same every time."""

import hashlib
import json
import os
import subprocess
import sys

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from fareline.errors import SettingsError, UserMistake
from fareline.packages import CHECKOUT
from pipeline.components import wanted_span
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH
from runners.submit.compilation import compile_spec, require_section
from runners.submit.submission import compile_submission
from tests.told import without_origin


def compiled(runner, *overrides):
    """The PipelineJob, or what Kubeflow gets of one, as JSON types."""
    text = compile_spec(load_settings(DEFAULT_PATH, overrides), runner).text
    return yaml.safe_load(text) if runner == "kubeflow" else json.loads(text)


def spec_of(runner, *overrides):
    job = compiled(runner, *overrides)
    return job if runner == "kubeflow" else job["pipelineSpec"]


@pytest.fixture(scope="module")
def specs():
    return {runner: spec_of(runner) for runner in ("kubeflow", "vertex")}


def containers(spec):
    return {
        label.removesuffix("_executor"): executor["container"]
        for label, executor in spec["deploymentSpec"]["executors"].items()
        if "container" in executor
    }


def given(spec, node):
    return spec["root"]["dag"]["tasks"][node]["inputs"]["parameters"]


# What both need.


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
def test_a_spec_is_one_that_kfp_reads_and_of_the_newer_schema(specs, runner):
    read = json_format.ParseDict(specs[runner], pipeline_spec_pb2.PipelineSpec())
    assert (read.schema_version, read.pipeline_info.name) == ("2.1.0", "chicago-taxi")
    assert set(read.components) == set(read.root.dag.tasks)


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
def test_runtime_parameters_have_their_values_and_are_where_they_belong(specs, runner):
    spec = specs[runner]
    assert spec["root"]["inputDefinitions"]["parameters"] == {
        "data_path": {
            "parameterType": "STRING",
            "defaultValue": "gs://example-bucket/chicago-taxi/data",
        },
        "training_steps": {"parameterType": "NUMBER_INTEGER", "defaultValue": 640},
        "tuning_trials": {"parameterType": "NUMBER_INTEGER", "defaultValue": 4},
    }
    for node, parameter, name in (
        ("ExampleGen", "input_base", "data_path"),
        ("Trainer", "training_steps", "training_steps"),
        ("Tuner", "tuning_trials", "tuning_trials"),
    ):
        assert given(spec, node)[parameter] == {"componentInputParameter": name}
    for node in ("Trainer", "Tuner"):  # in one place only
        config = json.loads(given(spec, node)["custom_config"]["runtimeValue"]["constant"])
        assert "steps" not in config["training"]
        assert "trials" not in config.get("tuning", {})


def test_the_values_are_told_beside_the_text():
    spec = compile_spec(load_settings(DEFAULT_PATH, ["training.steps=7"]), "vertex")
    assert spec.parameters == {
        "data_path": "gs://example-bucket/chicago-taxi/data",
        "training_steps": 7,
        "tuning_trials": 4,
    }
    assert json.loads(spec.text)["runtimeConfig"] == {
        "gcsOutputDirectory": spec.pipeline_root,
        "parameterValues": spec.parameters,
    }
    assert spec.pipeline_root == "gs://example-bucket/chicago-taxi/artifacts"
    assert spec.suffix == ".json"


GPU = {"kubeflow": "nvidia.com/gpu", "vertex": "NVIDIA_TESLA_T4"}


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
def test_every_container_gets_its_resources(runner):
    spec = spec_of(
        runner,
        f"runners.{runner}.resources.Trainer={{cpu: 8, accelerator: {{type: {GPU[runner]}, "
        "count: 2}}",
    )
    found = {node: container["resources"] for node, container in containers(spec).items()}
    trainer = {"cpuLimit": 8.0, "accelerator": {"type": GPU[runner], "count": "2"}}
    assert found.pop("Trainer") == trainer
    assert found == {node: {"cpuLimit": 2.0, "memoryLimit": 8.0} for node in found}
    assert {"ExampleGen", "Transform", "Evaluator", "DataGate", "Pusher"} <= set(found)


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
def test_beam_runs_in_the_step_and_packs_nothing(specs, runner):
    image = getattr(load_settings().runners, runner).image
    for container in containers(specs[runner]).values():
        assert container["image"] == image
        assert container["args"][-2:] == ["--runner=FnApiRunner", f"--sdk_container_image={image}"]


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
def test_without_cache_no_task_asks_for_it(specs, runner):
    tasks = specs[runner]["root"]["dag"]["tasks"]
    cached = {name for name, task in tasks.items() if "cachingOptions" in task}
    assert cached == set(tasks) - {
        "Lookup",
        "BaselineResolver-model-resolver",
        "BaselineResolver-model-blessing-resolver",
    }
    tasks = spec_of(runner, f"runners.{runner}.cache=false")["root"]["dag"]["tasks"]
    assert not any("cachingOptions" in task for task in tasks.values())


def test_the_schema_travels_by_name(specs):
    for spec in specs.values():
        source = given(spec, "CuratedSchema")["source"]["runtimeValue"]["constant"]
        assert source == "taxi"


# A source with spans.

SPANS = "data.source.csv=/rows/span-{SPAN}/v{VERSION}/*.csv"


@pytest.mark.parametrize(("chosen", "value"), [((), "latest"), (("data.span=7",), "7")])
def test_the_span_is_a_parameter_where_there_are_spans(specs, chosen, value):
    for runner in ("kubeflow", "vertex"):
        assert "span" not in specs[runner]["root"]["inputDefinitions"]["parameters"]
        spec = spec_of(runner, SPANS, *chosen)
        definition = spec["root"]["inputDefinitions"]["parameters"]["span"]
        assert definition == {"parameterType": "STRING", "defaultValue": value}
        assert given(spec, "ExampleGen")["range_config"] == {"componentInputParameter": "span"}
        if runner == "kubeflow":
            assert given(spec, "Lookup")["wanted_span"] == {"componentInputParameter": "span"}
            config = given(spec, "Lookup")["input_config"]
        else:
            check = containers(spec)["ExampleGen"]["lifecycle"]["preCacheCheck"]
            assert check["command"] == ["python", "-m", wanted_span.CHECK_MODULE]
            config = given(spec, "ExampleGen")["input_config"]
        assert json.loads(config["runtimeValue"]["constant"])["splits"] == [
            {"name": "all", "pattern": "span-{SPAN}/v{VERSION}/*.csv"}
        ]


# Kubeflow.


def test_kubeflow_gets_no_resolver_and_no_check_before_the_cache(specs):
    executors = specs["kubeflow"]["deploymentSpec"]["executors"]
    assert all(set(executor) == {"container"} for executor in executors.values())
    assert not any("lifecycle" in executor["container"] for executor in executors.values())
    assert specs["kubeflow"]["defaultPipelineRoot"] == "gs://example-bucket/chicago-taxi/artifacts"


def test_kubeflow_finds_out_what_changed_in_a_step_that_is_never_cached(specs):
    tasks = specs["kubeflow"]["root"]["dag"]["tasks"]
    outputs = specs["kubeflow"]["components"]["Lookup"]["outputDefinitions"]["parameters"]
    used = set()
    for node in ("ExampleGen", "LiveBaseline"):
        assert "Lookup" in tasks[node]["dependentTasks"]
        for value in given(specs["kubeflow"], node).values():
            if "taskOutputParameter" in value:
                assert value["taskOutputParameter"]["producerTask"] == "Lookup"
                used.add(value["taskOutputParameter"]["outputParameterKey"])
    assert used == set(outputs)
    assert "cachingOptions" not in tasks["Lookup"]
    baseline = tasks["Evaluator"]["inputs"]["artifacts"]["baseline_model"]
    assert baseline["taskOutputArtifact"]["producerTask"] == "LiveBaseline"


# Vertex.


def test_vertex_keeps_the_resolver_and_the_check_before_the_cache(specs):
    executors = specs["vertex"]["deploymentSpec"]["executors"]
    resolvers = {label for label, executor in executors.items() if "resolver" in executor}
    assert resolvers == {
        "BaselineResolver-model-resolver_executor",
        "BaselineResolver-model-blessing-resolver_executor",
    }
    assert "Lookup" not in specs["vertex"]["components"]
    check = executors["ExampleGen_executor"]["container"]["lifecycle"]["preCacheCheck"]
    assert "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver" in check["command"]


def test_vertex_gets_labels_account_network_and_key():
    key = "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k"
    job = compiled(
        "vertex",
        "runners.vertex.labels={team: fares}",
        "runners.vertex.service_account=runner@example-project.iam.gserviceaccount.com",
        "runners.vertex.network=projects/1/global/networks/n",
        f"runners.vertex.encryption_key={key}",
    )
    assert job["labels"]["team"] == "fares"
    assert job["serviceAccount"] == "runner@example-project.iam.gserviceaccount.com"
    assert job["network"] == "projects/1/global/networks/n"
    assert job["encryptionSpec"] == {"kmsKeyName": key}


def test_dataflow_gets_all_that_its_jobs_need():
    spec = spec_of(
        "vertex",
        "runners.vertex.beam=dataflow",
        "runners.vertex.dataflow={max_workers: 2, machine_type: n1-standard-4}",
        "runners.vertex.labels={team: fares}",
        "runners.vertex.beam_args=[--number_of_worker_harness_threads=4]",
    )
    arguments = containers(spec)["Transform"]["args"]
    assert arguments[arguments.index("--runner=DataflowRunner") :] == [
        "--runner=DataflowRunner",
        "--project=example-project",
        "--region=europe-west4",
        "--temp_location=gs://example-bucket/chicago-taxi/artifacts/dataflow",
        f"--sdk_container_image={load_settings().runners.vertex.image}",
        "--sdk_location=container",
        "--max_num_workers=2",
        "--machine_type=n1-standard-4",
        "--labels=team=fares",
        "--number_of_worker_harness_threads=4",
    ]


def test_trainer_and_tuner_start_jobs_where_that_is_asked_for(specs):
    spec = spec_of(
        "vertex",
        "runners.vertex.training_job={machine_type: n1-standard-8, "
        "accelerator: {type: NVIDIA_TESLA_T4, count: 1}}",
        "runners.vertex.tuning_job={machine_type: n1-standard-4}",
        "runners.vertex.service_account=runner@example-project.iam.gserviceaccount.com",
    )
    for node, kind, machine in (
        ("Trainer", "training", {"machine_type": "n1-standard-8", "accelerator_count": 1,
                                 "accelerator_type": "NVIDIA_TESLA_T4"}),
        ("Tuner", "tuning", {"machine_type": "n1-standard-4"}),
    ):  # fmt: skip
        executor = f"pipeline.components.vertex_jobs.{node}JobExecutor"
        assert executor in containers(spec)[node]["args"]
        assert executor not in containers(specs["vertex"])[node]["args"]
        config = json.loads(given(spec, node)["custom_config"]["runtimeValue"]["constant"])
        assert config["ai_platform_enable_vertex"] is True
        assert config["ai_platform_vertex_region"] == "europe-west4"
        job = config[f"ai_platform_{kind}_args"]
        assert job["project"] == "example-project"
        [pool] = job["job_spec"]["worker_pool_specs"]
        assert pool["machine_spec"] == machine
        assert pool["container_spec"]["image_uri"] == load_settings().runners.vertex.image
        account = "runner@example-project.iam.gserviceaccount.com"
        assert job["job_spec"]["service_account"] == account


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
def test_a_tuner_that_never_searches_is_told_its_hyperparameters(runner, specs):
    values = {"learning_rate": 0.003, "dropout": 0.2, "width": 64, "depth": 1, "embedding_size": 8}
    overrides = ("tuning.policy=never", f"tuning.hyperparameters={json.dumps(values)}")
    spec = spec_of(runner, *overrides)
    config = json.loads(given(spec, "Tuner")["custom_config"]["runtimeValue"]["constant"])
    assert config["tuning"]["hyperparameters"] == values
    assert config["tuning"]["policy"] == "never"
    tasks, usual = (each["root"]["dag"]["tasks"] for each in (spec, specs[runner]))
    assert set(tasks) == set(usual)
    assert tasks["Tuner"]["inputs"]["artifacts"] == usual["Tuner"]["inputs"]["artifacts"]


# From run to run.

PROGRAM = """
import hashlib, json
from fareline import collector
with collector.paused():
    from pipeline.settings.load import load_settings
    from runners.submit.compilation import compile_spec
print(json.dumps({runner: hashlib.sha256(compile_spec(load_settings(), runner).text.encode())
                  .hexdigest() for runner in ("kubeflow", "vertex")}))
"""


def digests_in_another_process(folder):
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"  # not that of this process
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(CHECKOUT)}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


def test_two_processes_compile_the_same_bytes(tmp_path):
    here = {
        runner: hashlib.sha256(compile_spec(load_settings(), runner).text.encode()).hexdigest()
        for runner in ("kubeflow", "vertex")
    }
    assert digests_in_another_process(tmp_path) == here
    assert len(set(here.values())) == 2


# What is refused.


def refusal(runner, *overrides):
    with pytest.raises(SettingsError) as caught:
        compile_spec(load_settings(DEFAULT_PATH, overrides), runner)
    return without_origin(caught.value)


def test_a_runner_without_a_section_is_refused():
    with pytest.raises(SettingsError) as caught:
        require_section(load_settings(DEFAULT_PATH, ["runners={}"]), "vertex")
    assert str(caught.value) == (
        "--set runners: runners.vertex: missing; expected an image, a bucket and what else the "
        "runner needs. Hint: copy the section runners.vertex of pipeline/configs/taxi.yaml."
    )


def test_resources_of_a_step_that_there_is_not_are_refused():
    assert refusal("kubeflow", "runners.kubeflow.resources.Trainr={cpu: 4}") == (
        "runners.kubeflow.resources.Trainr: there is no such step in a container; expected one, "
        "or default. Hint: did you mean Trainer."
    )


def test_settings_are_checked_as_for_a_run():
    assert refusal("vertex", "features.numeric.tips={}").startswith(
        "features.numeric.tips: tips makes the label;"
    )


@pytest.mark.parametrize(
    ("runner", "producer"), [("kubeflow", "LiveBaseline"), ("vertex", "BaselineResolver")]
)
def test_a_warm_start_begins_with_the_baseline_of_the_platform(runner, producer):
    spec = spec_of(runner, "training.warm_start=live")
    inputs = spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["artifacts"]
    task = inputs["base_model"]["taskOutputArtifact"]["producerTask"]
    assert task.startswith(producer)
    with pytest.raises(
        SettingsError, match=r"training\.warm_start: found Model:12, an id in a store"
    ):
        spec_of(runner, "training.warm_start=Model:12")


# A part of the graph.

URI = "gs://ours/root/ExampleGen/examples/7"
TRAINING = ("pipeline=training", f"data.prepared={URI}")


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
def test_data_and_training_are_compiled_as_two_pipelines(specs, runner):
    data, training = (spec_of(runner, *part) for part in (("pipeline=data",), TRAINING))
    names = [spec["pipelineInfo"]["name"] for spec in (data, training)]
    assert names == ["chicago-taxi-data", "chicago-taxi"]
    whole = specs[runner]["root"]["dag"]["tasks"]
    first, second = (spec["root"]["dag"]["tasks"] for spec in (data, training))
    shared = {"CuratedSchema", *(["Lookup"] if runner == "kubeflow" else [])}
    assert {*first, *second} == {*whole, "PreparedData"}
    assert {*first} & {*second} == shared
    assert "DataGate" in first
    assert "Transform" in second
    importer = training["deploymentSpec"]["executors"]["PreparedData_executor"]["importer"]
    assert importer["artifactUri"]["constant"] == URI
    assert json.loads(importer["metadata"]["split_names"]) == ["eval", "train", "validate"]
    assert {"data_path"} < set(specs[runner]["root"]["inputDefinitions"]["parameters"])
    wanted = [set(spec["root"]["inputDefinitions"]["parameters"]) for spec in (data, training)]
    assert [names & {"data_path", "training_steps"} for names in wanted] == [
        {"data_path"},
        {"training_steps"},
    ]
    for task in ("Transform", "Evaluator", "InfraValidator"):
        examples = second[task]["inputs"]["artifacts"]["examples"]["taskOutputArtifact"]
        assert examples == {"producerTask": "PreparedData", "outputArtifactKey": "result"}


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
def test_training_in_a_cluster_takes_named_data(runner):
    assert refusal(runner, "pipeline=training") == (
        "data.prepared: found latest; expected gs://…, the URI of Examples, since a cluster cannot "
        "look up which data passed the gate. Hint: take it from a run of the data pipeline that "
        "ended well, or run on this machine."
    )
    assert refusal(runner, *TRAINING, "schema=null").startswith("schema: found null; expected the ")


def test_resources_of_steps_in_the_other_pipeline_are_no_mistake():
    asked = "runners.kubeflow.resources={Trainer: {cpu: 4}}"
    spec = spec_of("kubeflow", "pipeline=data", asked)
    assert "Trainer" not in containers(spec)


def part_of(runner, *to_nodes, overrides=()):
    text = compile_spec(load_settings(DEFAULT_PATH, overrides), runner, to_nodes).text
    job = yaml.safe_load(text)
    return job if runner == "kubeflow" else job["pipelineSpec"]


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
@pytest.mark.parametrize(
    ("to_nodes", "there", "parameters"),
    [
        (["CuratedSchema"], {"CuratedSchema"}, set()),
        (["StatisticsGen"], {"ExampleGen", "StatisticsGen"}, {"data_path"}),
        (
            ["SchemaGen", "Transform"],
            {"ExampleGen", "StatisticsGen", "SchemaGen", "CuratedSchema", "ExampleValidator"}
            | {"DataPolicy", "DriftMonitor", "DataGate", "Transform"},
            {"data_path"},
        ),
    ],
)
def test_a_part_that_ends_earlier_is_compiled(specs, runner, to_nodes, there, parameters):
    spec = part_of(runner, *to_nodes, overrides=[f"runners.{runner}.resources.Trainer={{cpu: 4}}"])
    tasks = spec["root"]["dag"]["tasks"]
    assert tasks.keys() - {"Lookup"} == there
    assert ("Lookup" in tasks) == (runner == "kubeflow" and "ExampleGen" in there)
    whole = specs[runner]["root"]["dag"]["tasks"]
    for name, task in tasks.items():
        assert task == whole[name] | {"dependentTasks": task.get("dependentTasks", [])} or (
            task == whole[name]
        )
    defined = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    assert defined.keys() - {"pipeline-root"} == parameters
    labels = {label.removesuffix("_executor") for label in spec["deploymentSpec"]["executors"]}
    assert labels == tasks.keys()


def test_a_part_of_the_whole_graph_is_the_whole_graph(specs):
    assert part_of("vertex", "Pusher", "SchemaGen") == specs["vertex"]
    assert part_of("kubeflow", "Pusher", "SchemaGen") == specs["kubeflow"]


def test_a_part_that_ends_with_no_node_is_one_line():
    with pytest.raises(UserMistake) as mistake:
        part_of("vertex", "Trainr")
    assert str(mistake.value).startswith("Trainr: the pipeline has no such node; expected one of ")
    assert str(mistake.value).endswith("Hint: did you mean Trainer.")


def test_a_part_is_sent_under_the_name_of_the_pipeline():
    settings = load_settings(
        DEFAULT_PATH, ["pipeline=data", "runners.vertex.data_path=gs://ours/data"]
    )
    request = compile_submission(settings, "vertex", to_nodes=("StatisticsGen",)).request
    assert request.pipeline_name == "chicago-taxi-data"
    assert request.job_id.startswith("chicago-taxi-data-")
    assert {*request.spec["pipelineSpec"]["root"]["dag"]["tasks"]} == {
        "ExampleGen",
        "StatisticsGen",
    }
