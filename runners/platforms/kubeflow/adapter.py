"""Open-source Kubeflow Pipelines: what its backend needs to find in a spec.

It executes no resolver ("resolver not implemented yet"), takes schema 2.1.0 alone, and never runs
the check that TFX puts before ExampleGen's cache: there Lookup does both, and its output parameters
take the place of what the check would have said. Called by runners.submit.compilation. Must not
import kfp at the top: compiling needs no client.

Source: backend/src/v2/driver of kubeflow/pipelines, which reads no `lifecycle` and fingerprints a
task's inputs, command and image.
"""

from typing import Any

import yaml

from pipeline.nodes import bigquery as bigquery_source
from pipeline.settings.runners import Kubeflow
from pipeline.settings.settings import Settings

BASELINE = "live"
_LOOKUP, _EXAMPLE_GEN = "Lookup", "ExampleGen"
# Parameters of ExampleGen that TFX's check sets, and what of Lookup they are there.
_LOOKED_UP = {
    "input_config": "resolved_input_config",
    "input_fingerprint": "input_fingerprint",
    "span": "span",
    "version": "version",
}


def beam_args(settings: Settings, section: Kubeflow) -> tuple[str, ...]:
    """Options of the Beam pipelines: in the step's own process.

    Left alone, Beam downloads a runner first. And with any option, TFX builds an sdist of itself in
    every step, unless an image is named.
    """
    image = f"--sdk_container_image={section.image}"
    query = bigquery_source.beam_args(settings, section)
    return ("--runner=FnApiRunner", image, *query, *section.beam_args)


def jobs(settings: Settings, section: Kubeflow) -> dict[str, Any]:
    """None: every step runs in its container."""
    return {}


def finish(job: dict[str, Any], settings: Settings, section: Kubeflow) -> None:
    """Writes what TFX's compiler leaves out into the PipelineJob, of which the spec is sent."""
    spec = job["pipelineSpec"]
    spec["defaultPipelineRoot"] = section.place_of("pipeline_root", settings.name)
    tasks = spec["root"]["dag"]["tasks"]
    _correct_producers(tasks)
    if _LOOKUP in tasks:
        tasks[_LOOKUP].pop("cachingOptions", None)
    # Of BigQuery nobody can say whether it has changed.
    if _EXAMPLE_GEN in tasks and settings.data.source.bigquery is None:
        _connect_example_gen(spec)


def as_text(job: dict[str, Any]) -> str:
    """The PipelineSpec alone, in YAML."""
    return yaml.safe_dump(job["pipelineSpec"], sort_keys=True, width=10**6)


def _correct_producers(tasks: dict[str, Any]) -> None:
    """Names the producers of output parameters as their tasks are named.

    TFX writes `NODE_task`, and there is none.
    """
    for task in tasks.values():
        for given in task.get("inputs", {}).get("parameters", {}).values():
            output = given.get("taskOutputParameter")
            if output is not None and output["producerTask"] not in tasks:
                output["producerTask"] = output["producerTask"].removesuffix("_task")


def _connect_example_gen(spec: dict[str, Any]) -> None:
    """Puts Lookup in place of the check before ExampleGen's cache."""
    task = spec["root"]["dag"]["tasks"][_EXAMPLE_GEN]
    definitions = spec["components"][_EXAMPLE_GEN]["inputDefinitions"]["parameters"]
    declared = spec["components"][_LOOKUP].setdefault("outputDefinitions", {})
    outputs = declared.setdefault("parameters", {})
    for parameter, output in _LOOKED_UP.items():
        definitions[parameter] = {"parameterType": "STRING"}
        outputs[output] = {"parameterType": "STRING"}
        task["inputs"]["parameters"][parameter] = {
            "taskOutputParameter": {"producerTask": _LOOKUP, "outputParameterKey": output}
        }
    task["dependentTasks"] = sorted({*task.get("dependentTasks", ()), _LOOKUP})
    container = spec["deploymentSpec"]["executors"][f"{_EXAMPLE_GEN}_executor"]["container"]
    del container["lifecycle"]
