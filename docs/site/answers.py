"""The page of all JSON answers, and their JSON schemas: generated from the types of `cli.answers`.

Called by docs/site/reference.py while the site is built; nothing of this is committed.
"""

import json
from collections.abc import Iterator
from typing import Any

from cli.answers.answers import ANSWERS, schema_of

SCHEMAS = "reference-answers.json"  # beside the page
_NAMES = {"object": "object", "array": "list", "string": "text", "boolean": "true or false",
          "integer": "whole number", "number": "number", "null": "null"}  # fmt: skip
_HEAD = f"""# JSON answers

This page is generated from the types in `cli/answers/`, against which tests hold real answers.
`--json` prints one JSON value on stdout. No key is left out unless the table says so, and what is
unknown is null. The same as JSON schemas, a command each: [{SCHEMAS}]({SCHEMAS}).
"""


def answers_page() -> str:
    """The page: for each command the keys of its answer, and of the objects in it."""
    lines = [_HEAD]
    for command in sorted(ANSWERS):
        schema = schema_of(command)
        lines += [f"## fareline {command}", "", f"The answer: {_type(schema)}.", ""]
        for name, node in _objects(schema):
            lines += [f"**{name}**: {_said(node)}", "", "| key | value |", "| --- | --- |"]
            required = node.get("required", ())
            for key, value in node["properties"].items():
                words = _type(value) + ("" if key in required else ", may be left out")
                lines.append(f"| `{key}` | {words} |")
            lines.append("")
    return "\n".join(lines)


def schemas_text() -> str:
    """All JSON schemas, by the words of the command."""
    return json.dumps({name: schema_of(name) for name in sorted(ANSWERS)}, indent=1) + "\n"


def _objects(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and schema of each object with keys of its own, the answer itself first."""
    if "properties" in schema:
        yield schema["title"], schema
    for name, node in schema.get("$defs", {}).items():
        if "properties" in node:
            yield name.rpartition("__")[2], node


def _said(node: dict[str, Any]) -> str:
    """The first paragraph of what the type says of itself."""
    return " ".join(node.get("description", "").split("\n\n")[0].split())


def _type(node: dict[str, Any]) -> str:
    """What a value is, in words."""
    if "$ref" in node:
        return f"*{node['$ref'].rpartition('/')[2].rpartition('__')[2]}*"
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(map(_type, node["anyOf"])))
    if "properties" in node:
        return f"*{node['title']}*"
    if isinstance(node.get("items"), dict):
        return f"list of {_type(node['items'])}"
    if "prefixItems" in node:
        return f"list of {', '.join(map(_type, node['prefixItems']))}"
    if isinstance(node.get("additionalProperties"), dict):
        return f"object of {_type(node['additionalProperties'])}"
    return _NAMES.get(node.get("type", ""), "anything")
