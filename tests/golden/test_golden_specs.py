"""What is sent to Kubeflow and to Vertex changes only where somebody meant it to."""

import json

import pytest
import yaml

from pipeline.settings.runners import RUNNER_NAMES
from tests.golden.golden_specs import golden_path, normalised_spec


@pytest.mark.parametrize("runner", RUNNER_NAMES)
def test_the_compiled_spec_is_the_golden_one(runner):
    golden = golden_path(runner).read_text(encoding="utf-8")
    assert normalised_spec(runner) == golden, "`make golden` writes it anew; read the diff"


@pytest.mark.parametrize("runner", RUNNER_NAMES)
def test_the_golden_files_hold_no_version_image_or_digest(runner):
    text = golden_path(runner).read_text(encoding="utf-8")
    content = yaml.safe_load(text) if runner == "kubeflow" else json.loads(text)["pipelineSpec"]
    assert content["sdkVersion"] == "tfx-VERSION"
    images = {
        executor["container"]["image"]
        for executor in content["deploymentSpec"]["executors"].values()
        if "container" in executor
    }
    assert images == {"IMAGE"}
    tasks = content["root"]["dag"]["tasks"]
    digest = tasks["CuratedSchema"]["inputs"]["parameters"]["sha256"]["runtimeValue"]["constant"]
    assert digest == "DIGEST"
    config = tasks["Trainer"]["inputs"]["parameters"]["custom_config"]["runtimeValue"]["constant"]
    assert json.loads(config)["source_fingerprint"] == "DIGEST"
