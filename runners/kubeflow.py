"""Open-source Kubeflow Pipelines: what its backend needs to find in a spec.

It executes no resolver ("resolver not implemented yet"), takes schema 2.1.0 alone, and has no hook
before the cache is asked. Called by runners.compile. Must not import kfp at the top: compiling
needs no client.
"""

from typing import Any

from pipeline.runner_sections import Kubeflow
from pipeline.sections import Settings

BASELINE = "live"
# Their outputs hang on what lies in the bucket, which is no part of the cache key.
_NEVER_CACHED = ("LiveBaseline",)


def beam_args(settings: Settings, section: Kubeflow) -> tuple[str, ...]:
    """Options of the Beam pipelines: in the step's own process.

    Left alone, Beam downloads a runner first. And with any option, TFX builds an sdist of itself in
    every step, unless an image is named.
    """
    return ("--runner=FnApiRunner", f"--sdk_container_image={section.image}", *section.beam_args)


def jobs(settings: Settings, section: Kubeflow) -> dict[str, Any]:
    """None: every step runs in its container."""
    return {}


def finish(job: dict[str, Any], settings: Settings, section: Kubeflow) -> None:
    """Writes what TFX's compiler leaves out into the PipelineJob, of which the spec is sent."""
    spec = job["pipelineSpec"]
    spec["defaultPipelineRoot"] = section.place_of("pipeline_root", settings.name)
    for node in _NEVER_CACHED:
        spec["root"]["dag"]["tasks"][node].pop("cachingOptions", None)
