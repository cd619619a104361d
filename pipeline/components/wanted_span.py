"""The span as a runtime parameter, a number or `latest`, in place of TFX's RangeConfig as JSON.

Compiled pipelines hand it to ExampleGen as its `range_config`. Who resolves it reads it here:
Lookup on open-source Kubeflow, and this module itself, which on Vertex is run in place of TFX's
check before ExampleGen's cache:

    python -m pipeline.components.wanted_span --json_serialized_invocation_args=… …
"""

import json

from absl import app
from tfx.components.example_gen.utils import SPAN_PROPERTY_NAME
from tfx.proto import range_config_pb2
from tfx.types.standard_component_specs import RANGE_CONFIG_KEY
from tfx.utils import proto_utils

from fareline.errors import UserMistake

LATEST = "latest"
PARAMETER = SPAN_PROPERTY_NAME  # the name of the runtime parameter
CHECK_MODULE = "pipeline.components.wanted_span"


def read_wanted_span(text: str) -> range_config_pb2.RangeConfig | None:
    """Returns what TFX takes for a span.

    Args:
        text: A number, or `latest`; empty where the source has no spans.

    Returns:
        None for the latest, which TFX takes where nothing is said, and where there are none.

    Raises:
        UserMistake: The text is neither.
    """
    if text in ("", LATEST):
        return None
    if not (text.isascii() and text.isdigit()):
        raise UserMistake.explain(
            f"runtime parameter {PARAMETER}",
            f"found {text!r}",
            f"expected the number of a span, or {LATEST}",
            "the folders of the source say which spans there are",
        )
    number = int(text)
    return range_config_pb2.RangeConfig(
        static_range=range_config_pb2.StaticRange(start_span_number=number, end_span_number=number)
    )


def write_range_config(invocation: str) -> str:
    """Writes the span into what a step is handed as TFX's driver reads it.

    Args:
        invocation: An ExecutorInput as JSON, with the span as `range_config`.

    Returns:
        The same with a RangeConfig there, or without it.

    Raises:
        UserMistake: The span is neither a number nor `latest`.
    """
    content = json.loads(invocation)
    values = content.get("inputs", {}).get("parameterValues", {})
    wanted = read_wanted_span(values.pop(RANGE_CONFIG_KEY, ""))
    if wanted is not None:
        values[RANGE_CONFIG_KEY] = proto_utils.proto_to_json(wanted)
    return json.dumps(content)


def main(arguments) -> None:
    """Does what TFX's driver does."""
    # Here: it brings kfp with it, which a local run does without.
    from tfx.orchestration.kubeflow.v2.file_based_example_gen import driver

    arguments.json_serialized_invocation_args = write_range_config(
        arguments.json_serialized_invocation_args
    )
    driver.main(arguments)


if __name__ == "__main__":
    from tfx.orchestration.kubeflow.v2.file_based_example_gen.driver import _parse_flags

    app.run(main, flags_parser=_parse_flags)
