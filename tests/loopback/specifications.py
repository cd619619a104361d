"""What the platforms refuse of a specification, in their words."""

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

_JSON_TYPES = {
    "NUMBER_DOUBLE": (float, int),
    "NUMBER_INTEGER": (float, int),
    "STRING": (str,),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}
_TYPE_WORDS = {
    "NUMBER_DOUBLE": ("double or integer", "number"),
    "NUMBER_INTEGER": ("double or integer", "number"),
    "STRING": ("string", "string"),
    "BOOLEAN": ("bool", "bool"),
    "LIST": ("list", "list"),
    "STRUCT": ("struct", "struct"),
}


def parse_spec(content: Any) -> pipeline_spec_pb2.PipelineSpec:
    """Raises ValueError: it does not parse, or a field is unknown."""
    try:
        return json_format.ParseDict(content, pipeline_spec_pb2.PipelineSpec())
    except (json_format.ParseError, TypeError, AttributeError) as error:
        raise ValueError(f"invalid v2 pipeline spec: {error}") from error


def resolvers_of(spec: pipeline_spec_pb2.PipelineSpec) -> list[str]:
    executors = json_format.MessageToDict(spec.deployment_spec).get("executors", {})
    return sorted(label for label, executor in executors.items() if "resolver" in executor)


def require_parameters(spec: pipeline_spec_pb2.PipelineSpec, values: Mapping[str, Any]) -> None:
    """Every parameter has a value of its type, and every value belongs to one.

    Raises:
        ValueError: One does not.
    """
    defined = spec.root.input_definitions.parameters
    for name, parameter in defined.items():
        if name not in values:
            if not parameter.is_optional and not parameter.HasField("default_value"):
                raise ValueError(
                    f"parameter {name} is not optional, yet has neither default value "
                    "nor user provided value"
                )
            continue
        kind = type(parameter).DESCRIPTOR.fields_by_name["parameter_type"].enum_type
        kind = kind.values_by_number[parameter.parameter_type].name
        value = values[name]
        fits = isinstance(value, _JSON_TYPES[kind]) and (
            kind == "BOOLEAN" or not isinstance(value, bool)
        )
        if not fits:
            wanted, word = _TYPE_WORDS[kind]
            article = "parameter value" if word == "number" else "input parameter"
            raise ValueError(
                f"input parameter {name} requires type {wanted}, but the {article} "
                f"is not of {word} value type"
            )
    extra = sorted(set(values) - set(defined))
    if extra:
        raise ValueError(f"parameter(s) provided are not required by pipeline: {', '.join(extra)}")
