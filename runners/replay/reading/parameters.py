"""Values of runtime parameters: their types, and the texts that a command line gives for them."""

import json
from collections.abc import Mapping
from typing import Any

from kfp.pipeline_spec import pipeline_spec_pb2

from runners.replay.reading.document import Document, SpecError, to_python

_Type = pipeline_spec_pb2.ParameterType
_PYTHON = {
    _Type.NUMBER_DOUBLE: (int, float),
    _Type.NUMBER_INTEGER: (int, float),
    _Type.STRING: (str,),
    _Type.BOOLEAN: (bool,),
    _Type.LIST: (list,),
    _Type.STRUCT: (dict,),
}


def join_values(document: Document, given: Mapping[str, Any]) -> dict[str, Any]:
    """Joins the values of runtime parameters: defaults, those of the document, those given.

    Args:
        document: The specification.
        given: Name to value; a text stands for a value of the parameter's type, as `--param` has
            it.

    Returns:
        Name to value, all parameters of the pipeline, each of its type.

    Raises:
        SpecError: One is missing, unknown, or of another type.
    """
    defined = document.spec.root.input_definitions.parameters
    for name in [*document.values, *given]:
        if name not in defined:
            raise SpecError.explain(
                f"{document.source}: parameter {name}",
                "is none of this pipeline's",
                f"expected one of {', '.join(sorted(defined)) or 'none, for it has none'}",
                "see root.inputDefinitions there",
            )
    values: dict[str, Any] = {}
    for name, spec in sorted(defined.items()):
        where = f"{document.source}: parameter {name}"
        if name in given:
            value = given[name]
            is_text = isinstance(value, str) and spec.parameter_type != _Type.STRING
            values[name] = check_type(where, spec, _read(where, spec, value) if is_text else value)
        elif name in document.values:
            values[name] = check_type(where, spec, document.values[name])
        elif spec.HasField("default_value"):
            values[name] = to_python(spec.default_value)
        elif not spec.is_optional:
            raise SpecError.explain(
                where, "has no value", "expected one for each", f"add --param {name}=VALUE"
            )
    return values


def parse_assignments(entries: list[str]) -> dict[str, str]:
    """Parses `--param NAME=VALUE`, repeated.

    Raises:
        SpecError: One has no equals sign.
    """
    values = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not equals or not name:
            raise SpecError.explain(
                f"--param {entry}",
                "is not a name and a value",
                "expected NAME=VALUE",
                "fareline compile shows the names",
            )
        values[name] = value
    return values


def check_type(where: str, spec: Any, value: Any) -> Any:
    """Returns a value if it is of its parameter's type.

    Raises:
        SpecError: The value has another type.
    """
    kinds = _PYTHON.get(spec.parameter_type)
    name = _Type.ParameterTypeEnum.Name(spec.parameter_type)
    fits = kinds is not None and isinstance(value, kinds)
    if isinstance(value, bool) and spec.parameter_type != _Type.BOOLEAN:
        fits = False
    if fits and spec.parameter_type == _Type.NUMBER_INTEGER and value != int(value):
        fits = False
    if not fits:
        raise _other_type(where, name, value)
    return value


def _read(where: str, spec: Any, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        name = _Type.ParameterTypeEnum.Name(spec.parameter_type)
        raise _other_type(where, name, text) from None


def _other_type(where: str, name: str, value: Any) -> SpecError:
    return SpecError.explain(
        where, f"is {value!r}", f"expected a value of type {name}", "see root.inputDefinitions"
    )
