"""Vertex AI Pipelines: what it needs to find in a job.

Called by runners.submit.compilation. Compiling needs no client: that one is in
runners.platforms.vertex.client.
"""

import json
from typing import Any

from pipeline.nodes import bigquery as bigquery_source
from pipeline.settings.runners import CustomJob, Vertex
from pipeline.settings.settings import Settings

BASELINE = "latest_blessed"
SPAN_CHECK = "pipeline.components.wanted_span"


def beam_args(settings: Settings, section: Vertex) -> tuple[str, ...]:
    """Options of the Beam pipelines: in the step's own process, or on Dataflow.

    With any option, TFX builds an sdist of itself in every step, unless an image is named.
    """
    image = f"--sdk_container_image={section.image}"
    if section.beam == "in_container":
        query = bigquery_source.beam_args(settings, section)
        return ("--runner=FnApiRunner", image, *query, *section.beam_args)
    root = section.place_of("pipeline_root", settings.name)
    optional = {
        "machine_type": section.dataflow.machine_type,
        "subnetwork": section.dataflow.subnetwork,
        "service_account_email": section.service_account,
        "dataflow_kms_key": section.encryption_key,
    }
    return (
        "--runner=DataflowRunner",
        f"--project={section.project}",
        f"--region={section.region}",
        f"--temp_location={root}/dataflow",
        image,
        "--sdk_location=container",  # the image has the SDK: nothing is downloaded on a worker
        f"--max_num_workers={section.dataflow.max_workers}",
        *(f"--{name}={value}" for name, value in optional.items() if value is not None),
        *(f"--labels={key}={value}" for key, value in sorted(section.labels.items())),
        *section.beam_args,
    )


def jobs(settings: Settings, section: Vertex) -> dict[str, Any]:
    """Replacements of the executors of Trainer and Tuner, if the settings ask for jobs."""
    if section.training_job is None and section.tuning_job is None:
        return {}
    # Here: it brings the Google Cloud clients with it.
    from pipeline.components.vertex_jobs import training_job, tuning_job

    found = {}
    if section.training_job is not None:
        job = _custom_job(settings, section, section.training_job, "trainer")
        found["Trainer"] = training_job(job, section.region)
    if section.tuning_job is not None:
        job = _custom_job(settings, section, section.tuning_job, "tuner")
        found["Tuner"] = tuning_job(job, section.region)
    return found


def _custom_job(
    settings: Settings, section: Vertex, wanted: CustomJob, node: str
) -> dict[str, Any]:
    """A CustomJob of Vertex Training, with one machine."""
    machine: dict[str, Any] = {"machine_type": wanted.machine_type}
    if wanted.accelerator is not None:
        machine["accelerator_type"] = wanted.accelerator.type
        machine["accelerator_count"] = wanted.accelerator.count
    spec: dict[str, Any] = {
        "worker_pool_specs": [
            {
                "machine_spec": machine,
                "replica_count": 1,
                "container_spec": {"image_uri": section.image},
            }
        ]
    }
    if section.service_account is not None:
        spec["service_account"] = section.service_account
    if section.network is not None:
        spec["network"] = section.network
    job: dict[str, Any] = {
        "project": section.project,
        "display_name": f"{settings.name}-{node}",
        "job_spec": spec,
        "labels": dict(section.labels),
    }
    if section.encryption_key is not None:
        job["encryption_spec"] = {"kms_key_name": section.encryption_key}
    return job


def finish(job: dict[str, Any], settings: Settings, section: Vertex) -> None:
    """Writes what TFX's compiler leaves out into the PipelineJob."""
    _read_span_before_the_cache(job["pipelineSpec"])
    job["labels"] = {**job.get("labels", {}), **section.labels}
    if section.service_account is not None:
        job["serviceAccount"] = section.service_account
    if section.network is not None:
        job["network"] = section.network
    if section.encryption_key is not None:
        job["encryptionSpec"] = {"kmsKeyName": section.encryption_key}


def as_text(job: dict[str, Any]) -> str:
    """The PipelineJob, in JSON."""
    return json.dumps(job, indent=1, sort_keys=True) + "\n"


def _read_span_before_the_cache(spec: dict[str, Any]) -> None:
    """Where the span is a parameter, puts our check before ExampleGen's cache in place of TFX's.

    TFX's takes a RangeConfig as JSON, and a person a number.
    """
    if "span" in spec["root"].get("inputDefinitions", {}).get("parameters", {}):
        container = spec["deploymentSpec"]["executors"]["ExampleGen_executor"]["container"]
        container["lifecycle"]["preCacheCheck"]["command"] = ["python", "-m", SPAN_CHECK]
