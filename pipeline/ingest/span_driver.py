"""SpanDriver: has ExampleGen read several spans at once, which TFX's own driver refuses.

With one span, the latest or a chosen one, it is TFX's driver. With a range of spans every one of
them that is there becomes an input split of its own, with its latest version, and the Examples
record them all: `span` and `version` are the newest's, as TFX has them; `spans` lists them.

Used by the ExampleGens of this package, where drivers run here; a cluster runs TFX's driver.
"""

import hashlib
import os
from typing import Any

from tfx.components.example_gen import driver, utils
from tfx.dsl.io import fileio
from tfx.orchestration import data_types
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.proto.orchestration import driver_output_pb2
from tfx.types.standard_component_specs import (
    EXAMPLES_KEY,
    INPUT_BASE_KEY,
    INPUT_CONFIG_KEY,
    RANGE_CONFIG_KEY,
)
from tfx.utils import io_utils, proto_utils

from data.sources.span_patterns import Span, find_spans
from fareline.errors import DataError
from fareline.recorded import SPANS
from fareline.recorded.data import spans_text


class SpanDriver(driver.FileBasedDriver):
    """TFX's driver for files; and for a range of several spans."""

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Fills in which spans there are, as TFX's driver does for one.

        Raises:
            DataError: No span of the range exists.
        """
        first, last = _range(exec_properties)
        base = exec_properties[INPUT_BASE_KEY]
        config = example_gen_pb2.Input()
        if first == last:
            found = super().resolve_exec_properties(exec_properties, pipeline_info, component_info)
            proto_utils.json_to_proto(found[INPUT_CONFIG_KEY], config)
            found[utils.FINGERPRINT_PROPERTY_NAME] += fingerprint_of_folders(base, config)
            return found
        proto_utils.json_to_proto(exec_properties[INPUT_CONFIG_KEY], config)
        [split] = config.splits
        spans = [s for s in _find(base, split.pattern) if first <= s.number <= last]
        if not spans:
            raise DataError.explain(
                f"{base}/{split.pattern}",
                f"none of the spans {first} to {last} is there any more",
                "expected those that were there when the run began",
                "leave the source alone while a run reads it",
            )
        splits = [
            example_gen_pb2.Input.Split(name=f"span-{span.number}", pattern=span.pattern)
            for span in spans
        ]
        prints = [io_utils.generate_fingerprint(s.name, f"{base}/{s.pattern}") for s in splits]
        config = example_gen_pb2.Input(splits=splits)
        exec_properties[INPUT_CONFIG_KEY] = proto_utils.proto_to_json(config)
        exec_properties[utils.SPAN_PROPERTY_NAME] = spans[-1].number
        exec_properties[utils.VERSION_PROPERTY_NAME] = spans[-1].version
        exec_properties[utils.FINGERPRINT_PROPERTY_NAME] = "\n".join(
            prints
        ) + fingerprint_of_folders(base, config)
        self._spans = spans
        return exec_properties

    _spans: list[Span] | None = None

    def run(self, execution_info: ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Resolves the spans; the Examples record them all."""
        result = super().run(execution_info)
        if self._spans is not None:
            [examples] = result.output_artifacts[EXAMPLES_KEY].artifacts
            examples.custom_properties[SPANS].string_value = spans_text(
                (s.number, s.version) for s in self._spans
            )
        return result


def fingerprint_of_folders(base: str, config: example_gen_pb2.Input) -> str:
    """A line for TFX's fingerprint, which knows numbers, sizes and times, if folders say columns.

    A folder that is renamed makes other rows of the same files.
    """
    patterns = [split.pattern for split in config.splits if "=*/" in split.pattern]
    paths = sorted(
        path for pattern in patterns for path in fileio.glob(os.path.join(base, pattern))
    )
    if not paths:
        return ""
    below = "\n".join(path.removeprefix(base) for path in paths)
    return f"\nfolders:{hashlib.sha256(below.encode()).hexdigest()}"


def _range(exec_properties: dict[str, Any]) -> tuple[int, int]:
    """The first and the last span of a static range; equal where there is none."""
    config = range_config_pb2.RangeConfig()
    if text := exec_properties.get(RANGE_CONFIG_KEY):
        proto_utils.json_to_proto(text, config)
    spans = config.static_range
    return spans.start_span_number, spans.end_span_number


def _find(base: str, pattern: str) -> list[Span]:
    return find_spans(base, pattern, fileio.glob)
