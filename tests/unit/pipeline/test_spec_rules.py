"""Rules about compiled specs: a broken one gives its exact line, a kept one gives none."""

import copy

import pytest

from fareline.errors import SettingsError
from pipeline.rules.spec import check_spec
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH
from tests.told import without_origin

SOUND = {
    "root": {
        "inputDefinitions": {"parameters": {"training_steps": {"defaultValue": 5}}},
        "dag": {
            "tasks": {
                "Trainer": {
                    "inputs": {
                        "parameters": {
                            "run_fn": {"runtimeValue": {"constant": "models.trainer.run_fn"}},
                            "training_steps": {"componentInputParameter": "training_steps"},
                        }
                    }
                },
                "Old": {},
            }
        },
    },
    "deploymentSpec": {
        "executors": {
            "Trainer_executor": {
                "container": {
                    "args": [
                        "--executor_class_path",
                        "pipeline.components.trainer.Executor",
                        "--runner=FnApiRunner",
                        "--sdk_container_image=i:1",
                    ]
                }
            },
            "Old_executor": {"importer": {"artifactUri": {"constant": "gs://bucket/old"}}},
        }
    },
}


@pytest.fixture
def spec():
    return copy.deepcopy(SOUND)


def problems(spec, runner="kubeflow", *overrides):
    try:
        check_spec(load_settings(DEFAULT_PATH, overrides), runner, spec)
    except SettingsError as error:
        return without_origin(error).splitlines()
    return []


def arguments_of(spec):
    return spec["deploymentSpec"]["executors"]["Trainer_executor"]["container"]["args"]


def parameters_of(spec):
    return spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"]


def constant(value):
    return {"runtimeValue": {"constant": value}}


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
def test_a_sound_spec_breaks_no_rule(spec, runner):
    assert problems(spec, runner) == []


def test_resources_are_asked_for_steps_that_there_are(spec):
    asked = ("runners.kubeflow.resources.Old={cpu: 1}", "runners.kubeflow.resources.X={cpu: 1}")
    assert problems(spec, "kubeflow", *asked) == [
        "runners.kubeflow.resources.Old: there is no such step in a container; expected one, or "
        "default. Hint: there are Trainer.",
        "runners.kubeflow.resources.X: there is no such step in a container; expected one, or "
        "default. Hint: there are Trainer.",
    ]
    assert problems(spec, "kubeflow", "runners.kubeflow.resources.Trainer={cpu: 1}") == []


def test_user_code_is_in_the_image(spec):
    parameters_of(spec)["run_fn"] = constant("my_models.trainer.run_fn")
    arguments_of(spec)[1] = "notebook.Executor"
    assert problems(spec) == [
        f"Trainer: its {what} is in none of the packages of the image; expected one of fareline, "
        "preprocessing, lineage, schema, data, serving, monitoring, report, models, pipeline, "
        "runners, cli, tfx. Hint: move the code there."
        for what in ("run_fn my_models.trainer.run_fn", "executor notebook.Executor")
    ]


@pytest.mark.parametrize("path", ["models.trainr.run_fn", "models.trainer.deeper.run_fn"])
def test_user_code_can_be_found(spec, path):
    parameters_of(spec)["run_fn"] = constant(path)
    module = path.rpartition(".")[0]
    assert problems(spec) == [
        f"Trainer: its run_fn {path} cannot be imported; expected a module {module}. Hint: "
        "correct the dotted path."
    ]


def test_code_is_no_file(spec):
    parameters_of(spec)["module_file"] = constant("trainer.py")
    assert problems(spec) == [
        "Trainer: its code is a file of this machine; expected a dotted path. Hint: move the code "
        "into a package of the image, and name the function in place of module_file."
    ]


def test_no_value_is_a_path_of_this_machine(spec):
    parameters_of(spec)["base_dir"] = constant("/home/me/data")
    importer = spec["deploymentSpec"]["executors"]["Old_executor"]["importer"]
    importer["artifactUri"] = {"constant": "./old"}
    assert problems(spec) == [
        "Trainer: its base_dir /home/me/data is a path of this machine; expected gs://…, or the "
        "name of something in the image. Hint: put it into the bucket, or into a package.",
        "Old: its uri ./old is a path of this machine; expected gs://…, or the name of something "
        "in the image. Hint: put it into the bucket, or into a package.",
    ]


def test_a_resolver_is_for_vertex_only(spec):
    spec["deploymentSpec"]["executors"]["Old_executor"] = {"resolver": {}}
    assert problems(spec, "vertex") == []
    assert problems(spec, "kubeflow") == [
        "Old: it is a resolver, which open-source Kubeflow does not execute; expected a "
        "component. Hint: LiveBaseline brings the model in use; for other artifacts write a "
        "component that finds them."
    ]


@pytest.mark.parametrize("definition", [{}, {"defaultValue": ""}])
def test_every_runtime_parameter_has_a_value(spec, definition):
    spec["root"]["inputDefinitions"]["parameters"]["span"] = definition
    assert problems(spec) == [
        "runtime parameter span: it has no value; expected one in the spec. Hint: declare it in "
        "pipeline/dag.py with placement.parameterize(name, value)."
    ]
    spec["root"]["inputDefinitions"]["parameters"]["span"] = {"defaultValue": 0}
    assert problems(spec) == []


def test_no_step_builds_an_sdist(spec):
    arguments_of(spec)[2:] = ["--direct_num_workers=2"]
    assert problems(spec) == [
        "Trainer: its Beam options --direct_num_workers=2 name no image, so that each execution "
        "builds an sdist of TFX; expected --sdk_container_image=IMAGE among them. Hint: leave the "
        "Beam options to runners.*.beam_args."
    ]
    arguments_of(spec)[2:] = []
    assert problems(spec) == []


def test_neither_the_spec_nor_the_inputs_of_a_step_are_too_large(spec):
    parameters_of(spec)["custom_config"] = constant("x" * 100_000)
    assert problems(spec) == [
        "Trainer: its inputs are 100,201 bytes, and go to its container as one argument; expected "
        "at most 100,000. Hint: shorten the settings that it reads."
    ]
    parameters_of(spec)["custom_config"] = constant("")
    spec["components"] = {"many": "x" * 700_000}
    assert problems(spec, "vertex") == []
    [line] = problems(spec, "kubeflow")
    assert line.endswith(
        " bytes; expected at most 700,000. Hint: shorten what travels as settings, such as long "
        "lists of slices or features."
    )
