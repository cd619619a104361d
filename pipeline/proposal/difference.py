"""Differences between a new proposal and the existing files: values, not words.

Called by `runners.own_data`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from google.protobuf import text_format

from fareline.errors import SettingsError


def find_differences(settings: tuple[str | None, str], schema: tuple[str | None, str]) -> list[str]:
    """One line for each setting and each column of the schema that differs.

    Args:
        settings: Text of the existing settings, None without a file; and of the proposed ones.
        schema: Text of the existing schema, None without a file; and of the proposed one.
    """
    old, new = (_flat(_parsed(text)) for text in settings)
    lines = [f"settings: {line}" for line in _compared(old, new)]
    before, after = (_columns(text) for text in schema)
    return lines + [f"schema: {line}" for line in _compared(before, after)]


def _parsed(text: str | None) -> Any:
    try:
        return yaml.safe_load(text or "{}")
    except yaml.YAMLError as error:
        raise SettingsError.explain(
            "the settings that are there",
            "are not YAML",
            "expected a settings file to compare with",
            "name another one with --name",
        ) from error


def _compared(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for key in sorted({*old, *new}):
        if key not in new:
            yield f"{key}: {old[key]} is not proposed any more"
        elif key not in old:
            yield f"{key}: new, {new[key]}"
        elif old[key] != new[key]:
            yield f"{key}: {old[key]} would be {new[key]}"


def _flat(value: Any, path: str = "") -> dict[str, str]:
    """Dotted path to value, of a nested mapping; kinds of features by their column."""
    if isinstance(value, Mapping) and value:
        found: dict[str, str] = {}
        for key, inner in value.items():
            found |= _flat(inner, f"{path}.{key}" if path else str(key))
        return found
    return {path: str(value)} if path else {}


def _columns(text: str | None) -> dict[str, str]:
    from tensorflow_metadata.proto.v0 import schema_pb2

    if text is None:
        return {}
    try:
        schema = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise SettingsError.explain(
            "the schema that is there",
            "cannot be read",
            "expected a schema to compare with",
            "name another one with --name",
        ) from error
    found = {}
    for feature in schema.feature:
        parts = [schema_pb2.FeatureType.Name(feature.type)]
        if feature.presence.min_fraction == 1:
            parts.append("in all rows")
        if feature.string_domain.value:
            parts.append(f"one of {', '.join(feature.string_domain.value)}")
        found[feature.name] = ", ".join(parts)
    return found
