"""Lookup: finds, in every run, inputs that the cache key of open-source Kubeflow does not have.

Kubeflow's backend has no hook before its cache, which TFX's ExampleGen needs to find span, version
and fingerprint of its files, and no resolver. With a path as the only input, a step would come from
the cache although its files or the live model have changed. This component finds them out and hands
them on as output parameters, by which the steps after it are cached. No `from __future__ import
annotations`: TFX reads the raw annotations.
"""

from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.components.example_gen import driver, input_processor
from tfx.components.example_gen.utils import (
    FINGERPRINT_PROPERTY_NAME,
    SPAN_PROPERTY_NAME,
    VERSION_PROPERTY_NAME,
)
from tfx.dsl.component.experimental.annotations import OutputDict, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.proto import example_gen_pb2
from tfx.utils import proto_utils

from pipeline.components.live_baseline import find_live_version
from pipeline.components.wanted_span import read_wanted_span
from pipeline.ingest.span_driver import fingerprint_of_folders


def look_up_source(input_base: str, input_config: str, wanted_span: str) -> dict[str, str]:
    """Does what TFX's driver of an ExampleGen does before the cache is asked.

    Args:
        input_base: Folder or URI; empty where the source is no files: then nothing is looked up.
        input_config: An Input as JSON, with `{SPAN}` and `{VERSION}` in its patterns or without.
        wanted_span: A number, or `latest`; empty where the source has no spans.

    Returns:
        `resolved_input_config` with both filled in; `input_fingerprint`; `span`; and `version`,
        empty if the patterns have none.
    """
    if not input_base:
        nothing = (FINGERPRINT_PROPERTY_NAME, SPAN_PROPERTY_NAME, VERSION_PROPERTY_NAME)
        return {"resolved_input_config": input_config, **dict.fromkeys(nothing, "")}
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(input_config, config)
    wanted = read_wanted_span(wanted_span)
    processor = input_processor.FileBasedInputProcessor(input_base, config.splits, wanted)
    span, version = processor.resolve_span_and_version()
    fingerprint = processor.get_input_fingerprint(span, version)
    for split in config.splits:
        split.pattern = processor.get_pattern_for_span_version(split.pattern, span, version)
    fingerprint += fingerprint_of_folders(input_base, config)
    return {
        "resolved_input_config": proto_utils.proto_to_json(config),
        FINGERPRINT_PROPERTY_NAME: fingerprint,
        SPAN_PROPERTY_NAME: str(span),
        VERSION_PROPERTY_NAME: "" if version is None else str(version),
    }


def mark_examples(examples: types.Artifact, exec_properties: Mapping[str, Any]) -> None:
    """Gives Examples what TFX's driver gives them, from the parameters that Lookup has found.

    Args:
        examples: Gets `span`, `version` and `input_fingerprint`.
        exec_properties: Execution properties of ExampleGen; from Lookup they are texts, and
            where the driver itself has run there is nothing to do.
    """
    span = exec_properties.get(SPAN_PROPERTY_NAME)
    if not isinstance(span, str):
        return
    version = exec_properties.get(VERSION_PROPERTY_NAME)
    found = {
        FINGERPRINT_PROPERTY_NAME: exec_properties.get(FINGERPRINT_PROPERTY_NAME),
        SPAN_PROPERTY_NAME: int(span),
        VERSION_PROPERTY_NAME: int(version) if version else None,
    }
    driver.update_output_artifact(found, examples.mlmd_artifact)


@component
def Lookup(  # noqa: N802 - TFX names the component after the function
    input_base: Parameter[str],
    input_config: Parameter[str],
    wanted_span: Parameter[str],
    push_destination: Parameter[str],
) -> OutputDict(
    resolved_input_config=str,
    input_fingerprint=str,
    span=str,
    version=str,
    live_version=str,
):
    """The TFX component of `look_up_source` and `find_live_version`."""
    live = find_live_version(push_destination)
    return {
        **look_up_source(input_base, input_config, wanted_span),
        "live_version": "" if live is None else str(live),
    }
